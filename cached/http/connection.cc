#include "cached/http/connection.h"

#include <fmt/core.h>

#include <array>
#include <utility>
#include <variant>

#include "cached/http/file_body.h"

namespace varve {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kTogetherBytes = 16 << 10;  // of a body that goes out with its head
constexpr std::size_t kDropBytes = 16 << 10;      // read at once of what nobody wants

bool HasNoBody(const HttpRequest& request, const HttpResponse& response) {
  return request.method == HttpMethod::kHead || response.status == 204 || response.status == 304;
}

ByteSpan InMemoryBody(const HttpResponse& response) {
  if (const auto* text = std::get_if<std::string>(&response.body)) return AsBytes(*text);
  const auto* bytes = std::get_if<std::shared_ptr<const Bytes>>(&response.body);
  return bytes != nullptr && *bytes != nullptr ? ByteSpan(**bytes) : ByteSpan();
}

}  // namespace

Connection::Connection(ConnectionHome& home, TcpSocket socket, std::unique_ptr<Wire> wire, std::string remote)
    : home_(home),
      remote_(std::move(remote)),
      seat_(home.workers, socket.get_executor()),
      channel_(std::move(socket), std::move(wire)),
      reader_(channel_) {
  home_.connections.insert(this);
}

Connection::~Connection() { home_.connections.erase(this); }

Task<void> Connection::Serve() {
  if (home_.draining) co_return;
  channel_.AllowUntil(steady_clock::now() + home_.options.limits.head);
  const Status greeted = co_await channel_.Handshake();
  if (!greeted.ok()) co_return;
  Then then = Then::kNext;
  while (then == Then::kNext && !home_.draining) {
    if (reader_.holds_input()) {
      co_await channel_.Yield();
    } else {
      reader_.GiveBackMemory();
      channel_.AllowStalls(home_.options.limits.idle);
      idle_ = true;
      const Status input = co_await channel_.WaitForInput();
      if (!input.ok()) break;
    }
    idle_ = false;
    then = co_await ServeRequest();
  }
  channel_.EndWrites();
  if (then == Then::kLinger) co_await Linger();
}

Task<Connection::Then> Connection::ServeRequest() {
  Exchange exchange(home_.options.limits.head_bytes);
  RequestParser& parser = exchange.parser;
  channel_.AllowUntil(steady_clock::now() + home_.options.limits.head);
  const Status read = co_await reader_.ReadHead(parser);
  if (!read.ok()) {
    const std::optional<HttpResponse> refusal = Refusal(parser, read.error());
    if (!refusal) co_return Then::kClose;
    const Status written = co_await Write(exchange, *refusal, ThenConnection::kClose);
    co_return written.ok() ? Then::kLinger : Then::kClose;
  }
  HttpRequest& request = parser.request();
  request.remote = remote_;
  request.secure = channel_.secure();
  request.client_name = channel_.peer_name();
  request.id = fmt::format("{}{:x}", home_.id_prefix, ++home_.requests);
  co_return co_await Answer(exchange);
}

Task<Connection::Then> Connection::Answer(Exchange& exchange) {
  RequestParser& parser = exchange.parser;
  const HttpRequest& request = parser.request();
  exchange.begun = steady_clock::now();
  std::variant<HttpResponse, std::unique_ptr<HttpBodyTaker>> handled;
  if (home_.handler.PlaceOf(request) == HttpHandler::Place::kWorker) {
    seat_.Start([&] { handled = home_.handler.Handle(request); });
    co_await seat_.Finish();
  } else {
    handled = home_.handler.Handle(request);
  }

  std::optional<HttpResponse> response;
  if (auto* taker = std::get_if<std::unique_ptr<HttpBodyTaker>>(&handled)) {
    Result<HttpResponse> taken = co_await Take(exchange, std::move(*taker));
    response = taken.ok() ? std::move(taken).value() : Refusal(parser, taken.error());
  } else {
    response = std::move(std::get<HttpResponse>(handled));
    if (!parser.done() && !parser.expects_continue() &&
        request.content_length.value_or(UINT64_MAX) <= home_.options.limits.dropped_bytes) {
      const Status dropped = co_await Drop(exchange);
      if (!dropped.ok()) response = Refusal(parser, dropped.error());
    }
  }
  if (!response) {
    Report(exchange, 0);
    co_return Then::kClose;
  }

  const bool keep = parser.done() && parser.keeps_alive() && !home_.draining;
  const ThenConnection then = !keep               ? ThenConnection::kClose
                              : parser.http_1_0() ? ThenConnection::kKeepHttp10
                                                  : ThenConnection::kKeep;
  const Status written = co_await Write(exchange, *response, then);
  Report(exchange, response->status);
  if (!written.ok() && written.error().code() == Code::kDataLoss) {
    const std::string line =
        fmt::format("{} {}: {}", HttpMethodName(request.method), request.path, written.error().message());
    if (const auto left_out = home_.log_limit.Admit(line)) LogError("{}{}", line, *left_out);
  }
  if (!written.ok()) co_return Then::kClose;
  co_return keep ? Then::kNext : parser.done() ? Then::kClose : Then::kLinger;
}

Task<Result<HttpResponse>> Connection::Take(Exchange& exchange, std::unique_ptr<HttpBodyTaker> taker) {
  RequestParser& parser = exchange.parser;
  std::array<Bytes, 2> pieces;  // one is read, the other is the worker's
  std::size_t reading = 0;
  std::optional<HttpResponse> answer;  // the worker's too, while it runs
  Status read;
  if (parser.expects_continue() && !parser.done() && !reader_.holds_input()) {
    channel_.AllowStalls(home_.options.limits.write_stall);
    read = co_await channel_.Write(AsBytes("HTTP/1.1 100 Continue\r\n\r\n"), More::kNo);
  }
  channel_.AllowStalls(home_.options.limits.body_stall);
  while (read.ok()) {
    pieces.at(reading).clear();
    read = co_await reader_.ReadBody(parser, pieces.at(reading), kHttpPieceBytes);
    co_await seat_.Finish();
    if (answer || !read.ok()) break;
    const Bytes& piece = pieces.at(reading);
    exchange.received_bytes += piece.size();
    const bool last = parser.done();
    seat_.Start(
        [&taker, &answer, &piece, last] {
          if (!piece.empty()) answer = taker->Take(piece);
          if (!answer && last) answer = taker->Finish();
        },
        [this, &answer] {
          if (answer) channel_.Interrupt(Code::kAborted);
        });
    if (last) break;
    reading = 1 - reading;
  }
  co_await seat_.Finish();
  seat_.Start([&taker] { taker.reset(); });
  co_await seat_.Finish();
  if (!answer) co_return read.error();
  channel_.Resume();
  co_return std::move(*answer);
}

Task<Status> Connection::Drop(Exchange& exchange) {
  channel_.AllowStalls(home_.options.limits.body_stall);
  Bytes piece;
  while (!exchange.parser.done()) {
    piece.clear();
    const Status read = co_await reader_.ReadBody(exchange.parser, piece, kDropBytes);
    if (!read.ok()) co_return read;
    exchange.received_bytes += piece.size();
  }
  co_return Ok();
}

std::optional<HttpResponse> Connection::Refusal(const RequestParser& parser, const Error& error) {
  HttpResponse refusal{.status = parser.refusal_status(), .body = error.message() + "\n"};
  refusal.fields.Set("Content-Type", "text/plain");
  if (error.code() == Code::kInvalidArgument) return refusal;
  if (error.code() != Code::kDeadlineExceeded) return std::nullopt;
  channel_.Resume();
  refusal.status = 408;
  refusal.body = "nothing came for too long\n";
  return refusal;
}

Task<Status> Connection::Write(Exchange& exchange, const HttpResponse& response, ThenConnection then) {
  channel_.AllowStalls(home_.options.limits.write_stall);
  std::string head = ResponseHead(response, then, home_.date.At(std::chrono::system_clock::now()));
  const bool silent = HasNoBody(exchange.parser.request(), response);
  const auto* file = std::get_if<HttpFileBody>(&response.body);
  const bool sends_file = !silent && file != nullptr && file->length_bytes > 0;
  const ByteSpan body = silent ? ByteSpan() : InMemoryBody(response);
  const bool together = !sends_file && body.size() <= kTogetherBytes;
  if (together) head += AsText(body);
  const Status written = co_await channel_.Write(AsBytes(head), together ? More::kNo : More::kYes);
  if (!written.ok()) co_return written;
  if (sends_file) co_return co_await SendFileBody(channel_, seat_, *file, exchange.sent_bytes);
  exchange.sent_bytes = body.size();
  if (together) co_return Ok();
  co_return co_await channel_.Write(body, More::kNo);
}

Task<void> Connection::Linger() {
  channel_.AllowUntil(steady_clock::now() + home_.options.limits.linger);
  Bytes dropped(kDropBytes);
  while (true) {
    const Result<std::size_t> read = co_await channel_.Read(dropped);
    if (!read.ok() || *read == 0) co_return;
  }
}

void Connection::Report(const Exchange& exchange, int status) const {
  if (!home_.options.report) return;
  home_.options.report({.request = &exchange.parser.request(),
                        .status = status,
                        .received_bytes = exchange.received_bytes,
                        .sent_bytes = exchange.sent_bytes,
                        .duration = steady_clock::now() - exchange.begun});
}

}  // namespace varve
