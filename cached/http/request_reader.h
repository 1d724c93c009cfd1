#pragma once

#include <cstddef>

#include "cached/base/bytes.h"
#include "cached/base/result.h"
#include "cached/http/channel.h"
#include "cached/http/request_parser.h"

namespace varve {

// The requests of one connection, read one after another: what came with the last one and belongs to the next is kept.
// Memory: nothing between requests, but for that; up to 64 KiB while one is read.
class RequestReader {
 public:
  explicit RequestReader(Channel& channel) : channel_(channel) {}

  // Errors are those of the channel; of the parser (kInvalidArgument: to be refused as it says); kUnavailable where the
  // client has ended in the middle.
  Task<Status> ReadHead(RequestParser& parser);
  // Appends to `piece` until it has `piece_bytes_max` bytes, or the body ends.
  Task<Status> ReadBody(RequestParser& parser, Bytes& piece, std::size_t piece_bytes_max);

  bool holds_input() const { return begin_ < end_; }
  void GiveBackMemory();  // of which nothing is held

 private:
  ByteSpan held() const { return ByteSpan(buffer_).subspan(begin_, end_ - begin_); }
  // Adds what the client sends, once, to what is held: at most until that has `bytes_max`.
  Task<Status> Receive(std::size_t bytes_max);

  Channel& channel_;
  Bytes buffer_;
  std::size_t begin_ = 0, end_ = 0;  // of what is held
};

}  // namespace varve
