#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "cached/base/result.h"
#include "cached/http/options.h"
#include "cached/http/wire.h"

using SSL_CTX = struct ssl_ctx_st;

namespace varve {

// TLS of a server: certificate, key and the clients' CA, which are read again when one of the files has changed. Not
// thread-safe; the connections it makes are independent of it.
class TlsContext {
 public:
  // Files are looked at (device, inode, size, time of change) at most this often.
  static constexpr std::chrono::seconds kLook{1};

  // kInvalidArgument or kNotFound, with the file's name, if a file cannot be used, or the key is of another
  // certificate.
  static Result<TlsContext> Open(const HttpTlsOptions& options);

  // For a new connection on `fd`, with the newest files. A pair that cannot be used, as when only one of both was
  // replaced, is logged, and the one before stays in use. `now` is any steady clock's.
  Result<std::unique_ptr<Wire>> Accept(int fd, std::chrono::steady_clock::time_point now);

 private:
  struct FileStamp {
    std::uint64_t device = 0, inode = 0, size_bytes = 0;
    std::int64_t changed_ns = 0;
    bool operator==(const FileStamp&) const = default;
  };
  using Stamps = std::array<FileStamp, 3>;
  struct FreeContext {
    void operator()(SSL_CTX* context) const;
  };
  using Context = std::unique_ptr<SSL_CTX, FreeContext>;

  explicit TlsContext(HttpTlsOptions options) : options_(std::move(options)), seen_(Look()) {}
  Stamps Look() const;
  Result<Context> Read() const;

  HttpTlsOptions options_;
  Stamps seen_;  // when context_ was read, or could not be
  std::chrono::steady_clock::time_point looked_;
  Context context_;
};

}  // namespace varve
