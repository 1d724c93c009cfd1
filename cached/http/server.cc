#include "cached/http/server.h"

#include <fmt/core.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <exception>
#include <functional>
#include <optional>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "cached/base/check.h"
#include "cached/base/log.h"
#include "cached/base/mutex.h"
#include "cached/http/connection.h"
#include "cached/http/listen_address.h"
#include "cached/http/tls_context.h"

namespace varve {
namespace {

namespace asio = boost::asio;
using boost::asio::ip::tcp;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ErrorCode = boost::system::error_code;

constexpr milliseconds kAcceptPause{100};  // while there is no file descriptor left
constexpr std::string_view kTooMany =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

// What a library throws here means that memory has run out.
void EndIfThrown(const std::exception_ptr& thrown) { VARVE_CHECK(!thrown); }

// One of the threads, and its connections.
struct Lane {
  Lane(const HttpServerOptions& options, HttpHandler& handler, ThreadPool& workers, std::string id_prefix)
      : home{.options = options, .handler = handler, .workers = workers, .id_prefix = std::move(id_prefix)} {}

  void Run() {
    sigset_t pipe;
    ::sigemptyset(&pipe);
    ::sigaddset(&pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    context.run();
  }
  template <class Each>
  void ForConnections(Each each) {
    for (Connection* connection : home.connections) each(*connection);
  }
  Task<void> EndOverdueWaits();

  asio::io_context context{1};
  asio::executor_work_guard<HttpExecutor> keep_running{context.get_executor()};
  SteadyTimer tick{context};
  bool stopping = false;
  ConnectionHome home;
  std::thread thread;
};

Task<void> Lane::EndOverdueWaits() {
  const HttpLimits& limits = home.options.limits;
  const milliseconds shortest =
      std::min({limits.head, limits.idle, limits.body_stall, limits.write_stall, limits.linger});
  while (!stopping) {
    tick.expires_after(std::clamp(shortest / 4, milliseconds(10), milliseconds(1000)));
    co_await tick.async_wait(kNoThrow);
    ForConnections([now = steady_clock::now()](Connection& connection) { connection.EndOverdueWait(now); });
  }
}

Task<void> ServeConnection(Lane& lane, TcpSocket socket, std::unique_ptr<Wire> wire, std::string remote) {
  Connection connection(lane.home, std::move(socket), std::move(wire), std::move(remote));
  co_await connection.Serve();
}

using Lanes = std::vector<std::unique_ptr<Lane>>;

Lanes MakeLanes(const HttpServerOptions& options, HttpHandler& handler, ThreadPool& workers) {
  const std::uint32_t process = std::random_device()();
  Lanes lanes;
  for (std::size_t i = 0; i < options.threads; ++i)
    lanes.push_back(std::make_unique<Lane>(options, handler, workers, fmt::format("{:08x}-{}-", process, i)));
  return lanes;
}

// Of an IPv4 client that reached us through a socket of IPv6, the IPv4 address.
std::string RemoteAddress(const tcp::endpoint& peer) {
  const asio::ip::address address = peer.address();
  if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return address.to_string();
  return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
}

}  // namespace

class HttpServer::Implementation {
 public:
  Implementation(HttpServerOptions options, HttpHandler& handler, std::optional<TlsContext> tls);

  Status Listen(const ListenAddress& address);
  void Run();
  void Stop(milliseconds grace) EXCLUDES(mutex_);
  const ListenAddress& address() const { return address_; }

 private:
  Task<void> Accept();
  void Admit(Lane& lane, TcpSocket socket, const tcp::endpoint& peer) EXCLUDES(mutex_);
  bool Enter() EXCLUDES(mutex_);  // false: there are too many
  void Leave() EXCLUDES(mutex_);
  void OnEveryLane(const std::function<void(Lane&)>& work);

  const HttpServerOptions options_;
  std::optional<TlsContext> tls_;  // the first lane's
  ThreadPool workers_;
  const Lanes lanes_;
  TcpAcceptor acceptor_;  // the first lane's
  ListenAddress address_;

  Mutex mutex_;
  CondVar left_;
  std::size_t connections_ GUARDED_BY(mutex_) = 0;
};

HttpServer::Implementation::Implementation(HttpServerOptions options, HttpHandler& handler,
                                           std::optional<TlsContext> tls)
    : options_(std::move(options)),
      tls_(std::move(tls)),
      workers_(options_.workers, options_.limits.connections),
      lanes_(MakeLanes(options_, handler, workers_)),
      acceptor_(lanes_.front()->context) {}

Status HttpServer::Implementation::Listen(const ListenAddress& address) {
  ErrorCode error;
  tcp::endpoint endpoint(tcp::v6(), address.port);
  if (!address.host.empty()) endpoint.address(asio::ip::make_address(address.host, error));
  if (!error) acceptor_.open(endpoint.protocol(), error);
  if (address.host.empty() && !error) acceptor_.set_option(asio::ip::v6_only(false), error);
  if (address.host.empty() && error == asio::error::address_family_not_supported) {  // a machine without IPv6
    endpoint = tcp::endpoint(tcp::v4(), address.port);
    acceptor_.open(endpoint.protocol(), error);
  }
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.set_option(tcp::no_delay(true), error);  // accepted sockets inherit it
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  address_ = address;
  if (!error) address_.port = acceptor_.local_endpoint(error).port();
  if (error) return ErrnoError(error.value(), "listen at " + address.text());
  return Ok();
}

void HttpServer::Implementation::Run() {
  asio::co_spawn(lanes_.front()->context, Accept(), EndIfThrown);
  for (const std::unique_ptr<Lane>& lane : lanes_) {
    asio::co_spawn(lane->context, lane->EndOverdueWaits(), EndIfThrown);
    lane->thread = std::thread([&lane] { lane->Run(); });
  }
}

Task<void> HttpServer::Implementation::Accept() {
  LogLimit log_limit;
  SteadyTimer pause(lanes_.front()->context);
  for (std::size_t next = 0; acceptor_.is_open(); next = (next + 1) % lanes_.size()) {
    Lane& lane = *lanes_.at(next);
    tcp::endpoint peer;
    auto [error, socket] = co_await acceptor_.async_accept(lane.context, peer, kNoThrow);
    if (!error) Admit(lane, std::move(socket), peer);
    if (!error || !acceptor_.is_open()) continue;
    const std::string line = fmt::format("{}: accept: {}", address_.text(), error.message());
    if (const auto left_out = log_limit.Admit(line)) LogWarning("{}{}", line, *left_out);
    pause.expires_after(kAcceptPause);
    co_await pause.async_wait(kNoThrow);
  }
}

void HttpServer::Implementation::Admit(Lane& lane, TcpSocket socket, const tcp::endpoint& peer) {
  ErrorCode error;
  socket.native_non_blocking(true, error);
  const int fd = socket.native_handle();
  if (error) return;
  if (!Enter()) {
    if (tls_) return;
    [[maybe_unused]] const auto sent = ::send(fd, kTooMany.data(), kTooMany.size(), MSG_NOSIGNAL);  // best effort
    return;
  }
  Result<std::unique_ptr<Wire>> wire = tls_ ? tls_->Accept(fd, steady_clock::now()) : MakePlainWire(fd);
  if (!wire.ok()) {
    LogError("{}: {}", address_.text(), wire.error().message());
    return Leave();
  }
  asio::co_spawn(lane.context, ServeConnection(lane, std::move(socket), std::move(wire).value(), RemoteAddress(peer)),
                 [this](const std::exception_ptr& thrown) {
                   EndIfThrown(thrown);
                   Leave();
                 });
}

bool HttpServer::Implementation::Enter() {
  MutexLock lock(mutex_);
  if (connections_ >= options_.limits.connections) return false;
  ++connections_;
  return true;
}

void HttpServer::Implementation::Leave() {
  MutexLock lock(mutex_);
  --connections_;
  left_.NotifyAll();
}

void HttpServer::Implementation::OnEveryLane(const std::function<void(Lane&)>& work) {
  for (const std::unique_ptr<Lane>& lane : lanes_) asio::post(lane->context, [&lane, work] { work(*lane); });
}

void HttpServer::Implementation::Stop(milliseconds grace) {
  const auto until = steady_clock::now() + grace;
  asio::post(lanes_.front()->context, [this] {
    ErrorCode ignored;
    acceptor_.close(ignored);
  });
  OnEveryLane([](Lane& lane) {
    lane.home.draining = true;
    lane.ForConnections([](Connection& connection) { connection.Drain(); });
  });
  {
    MutexLock lock(mutex_);
    while (connections_ > 0 && steady_clock::now() < until) left_.WaitFor(lock, until - steady_clock::now());
  }
  OnEveryLane([](Lane& lane) { lane.ForConnections([](Connection& connection) { connection.Abort(); }); });
  {
    MutexLock lock(mutex_);
    while (connections_ > 0) left_.Wait(lock);
  }
  OnEveryLane([](Lane& lane) {
    lane.stopping = true;
    lane.tick.cancel();
    lane.keep_running.reset();
  });
  for (const std::unique_ptr<Lane>& lane : lanes_) lane->thread.join();
}

Result<std::unique_ptr<HttpServer>> HttpServer::Start(HttpServerOptions options, HttpHandler& handler) {
  VARVE_ASSIGN_OR_RETURN(const ListenAddress address, ListenAddress::Parse(options.listen));
  if (options.threads == 0 || options.workers == 0)
    return Error(Code::kInvalidArgument, options.listen + ": needs one thread and one worker at least");
  std::optional<TlsContext> tls;
  if (options.tls) {
    VARVE_ASSIGN_OR_RETURN(tls, TlsContext::Open(*options.tls));
  }
  try {
    auto implementation = std::make_unique<Implementation>(std::move(options), handler, std::move(tls));
    VARVE_RETURN_IF_ERROR(implementation->Listen(address));
    implementation->Run();
    return std::unique_ptr<HttpServer>(new HttpServer(std::move(implementation)));
  } catch (const std::exception& error) {  // no descriptors, threads or memory
    return Error(Code::kResourceExhausted, address.text() + ": " + error.what());
  }
}

HttpServer::HttpServer(std::unique_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {}

HttpServer::~HttpServer() {  // NOLINT(bugprone-exception-escape): Asio throws where memory has run out
  if (implementation_ != nullptr) Stop(milliseconds(0));
}

void HttpServer::Stop(milliseconds grace) {
  implementation_->Stop(grace);
  implementation_.reset();
}

std::string HttpServer::address() const { return implementation_->address().text(); }

}  // namespace varve
