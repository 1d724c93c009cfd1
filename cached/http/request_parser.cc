#include "cached/http/request_parser.h"

#include <fmt/core.h>

#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "cached/base/check.h"
#include "cached/http/target.h"

namespace varve {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

// What may be left of a body in chunks: "0\r\n\r\n". Beast asserts that it is given so much.
constexpr std::size_t kChunksEndBytes = 5;

HttpMethod MethodOf(http::verb verb) {
  switch (verb) {
    case http::verb::get:
      return HttpMethod::kGet;
    case http::verb::head:
      return HttpMethod::kHead;
    case http::verb::post:
      return HttpMethod::kPost;
    case http::verb::put:
      return HttpMethod::kPut;
    case http::verb::patch:
      return HttpMethod::kPatch;
    case http::verb::delete_:
      return HttpMethod::kDelete;
    default:
      return HttpMethod::kOther;
  }
}

}  // namespace

RequestParser::RequestParser(std::size_t head_bytes_max) : head_bytes_max_(head_bytes_max) {
  header_limit(static_cast<std::uint32_t>(head_bytes_max));
  body_limit(boost::none);  // the handler's business
}

Result<std::size_t> RequestParser::Put(ByteSpan bytes) {
  ErrorCode error;
  const std::size_t consumed = put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
  if (!error || error == http::error::need_more) return consumed;
  if (error == http::error::header_limit) refusal_status_ = 431;
  return Error(Code::kInvalidArgument, refusal_.empty() ? error.message() : refusal_);
}

Result<std::size_t> RequestParser::PutHead(ByteSpan bytes) {
  VARVE_ASSIGN_OR_RETURN(const std::size_t consumed, Put(bytes));
  head_bytes_ += consumed;
  if (head_bytes_ + (head_done() ? 0 : bytes.size() - consumed) <= head_bytes_max_) return consumed;
  refusal_status_ = 431;
  return Error(Code::kInvalidArgument, fmt::format("the head has more than {} bytes", head_bytes_max_));
}

Result<std::size_t> RequestParser::PutBody(ByteSpan bytes, Bytes& piece, std::size_t piece_bytes_max) {
  VARVE_CHECK(head_done() && piece.size() < piece_bytes_max);
  piece_ = &piece;
  piece_bytes_max_ = piece_bytes_max;
  std::size_t consumed = 0;
  while (!done() && piece.size() < piece_bytes_max && bytes.size() > consumed) {
    if (chunked() && bytes.size() - consumed < kChunksEndBytes) break;
    VARVE_ASSIGN_OR_RETURN(const std::size_t step, Put(bytes.subspan(consumed)));
    if (step == 0) break;
    consumed += step;
  }
  return consumed;
}

void RequestParser::Refuse(int status, std::string why, ErrorCode& error) {
  refusal_status_ = status;
  refusal_ = std::move(why);
  error = http::error::bad_value;
}

void RequestParser::on_request_impl(Method method, Text /*method_text*/, Text target, int version, ErrorCode& error) {
  request_.method = MethodOf(method);
  version_ = version;
  Result<HttpTarget> parsed = ParseHttpTarget({target.data(), target.size()});
  if (!parsed.ok()) return Refuse(400, parsed.error().message(), error);
  request_.path = std::move(parsed->path);
  request_.query = std::move(parsed->query);
}

void RequestParser::on_field_impl(http::field /*field*/, Text name, Text value, ErrorCode& /*error*/) {
  if (!head_done()) request_.fields.Add({name.data(), name.size()}, {value.data(), value.size()});
}

void RequestParser::on_header_impl(ErrorCode& error) {
  const HttpFields& fields = request_.fields;
  if (const auto coding = fields.Find("Transfer-Encoding")) {
    const bool one = fields.Count("Transfer-Encoding") == 1;
    if (!one || http_1_0() || !beast::iequals("chunked", {coding->data(), coding->size()}))
      return Refuse(501, "the one transfer coding that is taken is chunked", error);
  }
  if (const std::size_t hosts = fields.Count("Host"); hosts > 1 || (hosts == 0 && !http_1_0()))
    return Refuse(400, "there must be one Host field", error);
  if (const auto expectation = fields.Find("Expect"); expectation && !http_1_0()) {
    if (!beast::iequals("100-continue", {expectation->data(), expectation->size()}))
      return Refuse(417, "the one expectation that can be met is 100-continue", error);
    expects_continue_ = true;
  }
  if (const auto length = content_length()) request_.content_length = *length;
}

std::size_t RequestParser::on_body_impl(Text body, ErrorCode& /*error*/) {
  const ByteSpan taken = AsBytes({body.data(), std::min(body.size(), piece_bytes_max_ - piece_->size())});
  if (const std::size_t needed = piece_->size() + taken.size(); needed > piece_->capacity())
    piece_->reserve(std::min(std::max(needed, 2 * piece_->capacity()), piece_bytes_max_));
  piece_->insert(piece_->end(), taken.begin(), taken.end());
  return taken.size();
}

std::size_t RequestParser::on_chunk_body_impl(std::uint64_t /*remain*/, Text body, ErrorCode& error) {
  return on_body_impl(body, error);
}

}  // namespace varve
