#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "cached/base/bytes.h"
#include "cached/base/fs.h"
#include "cached/base/result.h"

namespace varve {

// How far an attempt got.
struct WireStep {
  enum class Kind { kMoved, kWantsToRead, kWantsToWrite, kEnded };
  Kind kind = Kind::kMoved;
  std::size_t bytes = 0;  // at least 1 if kMoved, but for a handshake
};

enum class More { kNo, kYes };  // to be written right behind

// The bytes of one connection, plain or through TLS. No call ever waits: what cannot go on says for what it would have
// to wait, and is then called again with the same arguments. Errors mean that the connection is of no more use. Not
// thread-safe. SIGPIPE must be blocked in the threads that use it: sendfile and OpenSSL cannot be told otherwise.
class Wire {
 public:
  virtual ~Wire() = default;
  virtual Result<WireStep> Handshake() = 0;  // kMoved: done
  virtual Result<WireStep> Read(std::span<std::byte> into) = 0;
  virtual Result<WireStep> Write(ByteSpan bytes, More more) = 0;
  virtual Result<WireStep> SendFile(const File& file, std::uint64_t offset,
                                    std::size_t length) = 0;  // kEnded: at the file's end; kDataLoss: it cannot be read
  virtual bool holds_input() const = 0;                       // that the socket does not show as readable any more
  virtual void EndWrites() = 0;  // the peer reads an end after what was written; best effort
  virtual bool secure() const = 0;
  virtual std::string peer_name() const = 0;  // common name of a verified certificate; empty: none
};

// `fd` is a connected socket that does not block and outlives it.
std::unique_ptr<Wire> MakePlainWire(int fd);

}  // namespace varve
