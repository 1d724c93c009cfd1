#include "cached/http/response_head.h"

#include <fmt/chrono.h>

#include <boost/beast/http/status.hpp>
#include <iterator>

namespace varve {
namespace {

void AppendField(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ");
  for (const char c : value) head += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  head += "\r\n";
}

}  // namespace

std::string ResponseHead(const HttpResponse& response, ThenConnection then, std::string_view date) {
  namespace http = boost::beast::http;
  const auto reason = http::obsolete_reason(http::int_to_status(static_cast<unsigned>(response.status)));
  std::string head;
  head.reserve(512);
  fmt::format_to(std::back_inserter(head), "HTTP/1.1 {} {}\r\n", response.status,
                 std::string_view(reason.data(), reason.size()));
  for (const auto& [name, value] : response.fields) AppendField(head, name, value);
  if (response.status >= 200 && response.status != 204 && response.status != 304)
    fmt::format_to(std::back_inserter(head), "Content-Length: {}\r\n", response.body_bytes());
  AppendField(head, "Date", date);
  if (then == ThenConnection::kClose) AppendField(head, "Connection", "close");
  if (then == ThenConnection::kKeepHttp10) AppendField(head, "Connection", "keep-alive");
  head += "\r\n";
  return head;
}

std::string_view DateText::At(std::chrono::system_clock::time_point now) {
  const auto second = std::chrono::floor<std::chrono::seconds>(now);
  if (text_.empty() || second != second_) {
    second_ = second;
    text_ = fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(std::chrono::system_clock::to_time_t(second)));
  }
  return text_;
}

}  // namespace varve
