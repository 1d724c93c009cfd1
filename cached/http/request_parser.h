#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "cached/base/bytes.h"
#include "cached/base/result.h"
#include "cached/http/message.h"

namespace varve {

// Reads one HTTP/1.x request from bytes as they come (RFC 9112): Beast's parser, and what it lets through that servers
// must not. Bytes that were not consumed are given again with more behind them; no bytes are never given. An error is
// the client's fault, and `refusal_status` says how it is answered; the parser is of no more use then.
//
// Refused beyond Beast's own: a head of more bytes than allowed (431); any transfer coding but "chunked" alone, and
// that in HTTP/1.0, since what is in front of us may see the end of such a body elsewhere (501); HTTP/1.1 without just
// one Host; a target that ParseHttpTarget refuses; an expectation that is not 100-continue (417). Trailers are dropped.
class RequestParser final : private boost::beast::http::basic_parser<true> {
 public:
  explicit RequestParser(std::size_t head_bytes_max);

  // How many bytes were consumed: all of the head's, once `head_done`.
  Result<std::size_t> PutHead(ByteSpan bytes);
  // After the head: appends content to `piece`, which has less than `piece_bytes_max` bytes before and at most so many
  // afterwards. 0: more bytes are needed.
  Result<std::size_t> PutBody(ByteSpan bytes, Bytes& piece, std::size_t piece_bytes_max);

  bool head_begun() const { return got_some(); }
  bool head_done() const { return is_header_done(); }
  bool done() const { return is_done(); }  // with the body too

  // Once head_done; without what the connection knows: remote, secure, client_name, id.
  HttpRequest& request() { return request_; }
  const HttpRequest& request() const { return request_; }
  bool http_1_0() const { return version_ == 10; }
  bool keeps_alive() const { return keep_alive(); }
  bool expects_continue() const { return expects_continue_; }

  int refusal_status() const { return refusal_status_; }

 private:
  using ErrorCode = boost::beast::error_code;
  using Text = boost::beast::string_view;
  using Method = boost::beast::http::verb;

  void on_request_impl(Method method, Text method_text, Text target, int version, ErrorCode& error) override;
  void on_response_impl(int, Text, int, ErrorCode&) override {}
  void on_field_impl(boost::beast::http::field field, Text name, Text value, ErrorCode& error) override;
  void on_header_impl(ErrorCode& error) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}
  std::size_t on_body_impl(Text body, ErrorCode& error) override;
  void on_chunk_header_impl(std::uint64_t, Text, ErrorCode&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t remain, Text body, ErrorCode& error) override;
  void on_finish_impl(ErrorCode&) override {}

  // Has the parser stop with an error of ours.
  void Refuse(int status, std::string why, ErrorCode& error);
  Result<std::size_t> Put(ByteSpan bytes);

  const std::size_t head_bytes_max_;
  std::size_t head_bytes_ = 0;  // consumed
  HttpRequest request_;
  int version_ = 11;
  bool expects_continue_ = false;
  int refusal_status_ = 400;
  std::string refusal_;
  Bytes* piece_ = nullptr;  // while PutBody runs
  std::size_t piece_bytes_max_ = 0;
};

}  // namespace varve
