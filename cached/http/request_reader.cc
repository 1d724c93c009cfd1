#include "cached/http/request_reader.h"

#include <algorithm>
#include <span>
#include <utility>

namespace varve {
namespace {

constexpr std::size_t kHeadStepBytes = 4 << 10;
constexpr std::size_t kBodyBytes = 64 << 10;  // and the most that a chunk's head, or trailers, may have

}  // namespace

void RequestReader::GiveBackMemory() {
  if (!holds_input()) Bytes().swap(buffer_), begin_ = end_ = 0;
}

Task<Status> RequestReader::Receive(std::size_t bytes_max) {
  std::copy(held().begin(), held().end(), buffer_.begin());
  end_ -= std::exchange(begin_, 0);
  if (end_ >= bytes_max) co_return Error(Code::kInvalidArgument, "a line is too long");
  if (buffer_.size() < bytes_max) buffer_.resize(bytes_max);
  const Result<std::size_t> read = co_await channel_.Read(std::span(buffer_).subspan(end_));
  if (!read.ok()) co_return read.error();
  if (*read == 0) co_return Error(Code::kUnavailable, "the client has gone");
  end_ += *read;
  co_return Ok();
}

Task<Status> RequestReader::ReadHead(RequestParser& parser) {
  while (true) {
    if (holds_input()) {
      const Result<std::size_t> consumed = parser.PutHead(held());
      if (!consumed.ok()) co_return consumed.error();
      begin_ += *consumed;
      if (parser.head_done()) co_return Ok();
    }
    const Status received = co_await Receive(held().size() + kHeadStepBytes);
    if (!received.ok()) co_return received;
  }
}

Task<Status> RequestReader::ReadBody(RequestParser& parser, Bytes& piece, std::size_t piece_bytes_max) {
  while (!parser.done() && piece.size() < piece_bytes_max) {
    if (holds_input()) {
      const Result<std::size_t> consumed = parser.PutBody(held(), piece, piece_bytes_max);
      if (!consumed.ok()) co_return consumed.error();
      begin_ += *consumed;
      if (*consumed > 0) continue;
    }
    const Status received = co_await Receive(kBodyBytes);
    if (!received.ok()) co_return received;
  }
  co_return Ok();
}

}  // namespace varve
