#pragma once

#include <memory>
#include <string_view>

#include "cached/base/result.h"
#include "cached/http/wire.h"

using SSL_CTX = struct ssl_ctx_st;

namespace varve {

// The server's side of TLS on `fd`, a connected socket that does not block and outlives it. It keeps what it needs of
// `context`. An idle one holds about 16 KiB: OpenSSL's own buffers are given back, and there are no others.
Result<std::unique_ptr<Wire>> MakeTlsWire(SSL_CTX* context, int fd);

// What OpenSSL's queue of errors says about `what` that has failed; the queue of this thread is empty afterwards.
Error TlsLibraryError(Code code, std::string_view what);

}  // namespace varve
