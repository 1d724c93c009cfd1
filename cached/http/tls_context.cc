#include "cached/http/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <string_view>
#include <utility>

#include "cached/base/log.h"
#include "cached/http/tls_wire.h"

namespace varve {
namespace {

Error TlsError(const std::string& file) { return TlsLibraryError(Code::kInvalidArgument, file); }

}  // namespace

void TlsContext::FreeContext::operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }

Result<TlsContext> TlsContext::Open(const HttpTlsOptions& options) {
  TlsContext context(options);
  VARVE_ASSIGN_OR_RETURN(context.context_, context.Read());
  return context;
}

TlsContext::Stamps TlsContext::Look() const {
  Stamps stamps;
  std::size_t i = 0;
  for (const std::string* path : {&options_.certificate_file, &options_.key_file, &options_.client_ca_file}) {
    struct stat info{};
    FileStamp& stamp = stamps.at(i++);
    if (path->empty() || ::stat(path->c_str(), &info) != 0) continue;
    stamp = {.device = info.st_dev,
             .inode = info.st_ino,
             .size_bytes = static_cast<std::uint64_t>(info.st_size),
             .changed_ns = info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec};
  }
  return stamps;
}

Result<TlsContext::Context> TlsContext::Read() const {
  Context context(::SSL_CTX_new(::TLS_server_method()));
  if (context == nullptr) return TlsLibraryError(Code::kInternal, "TLS");
  ::SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  ::SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  ::SSL_CTX_set_mode(context.get(),
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  ::SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);  // clients keep tickets instead
  if (::SSL_CTX_use_certificate_chain_file(context.get(), options_.certificate_file.c_str()) != 1)
    return TlsError(options_.certificate_file);
  if (::SSL_CTX_use_PrivateKey_file(context.get(), options_.key_file.c_str(), SSL_FILETYPE_PEM) != 1)
    return TlsError(options_.key_file);
  if (options_.client_ca_file.empty()) return context;
  if (::SSL_CTX_load_verify_file(context.get(), options_.client_ca_file.c_str()) != 1)
    return TlsError(options_.client_ca_file);
  ::SSL_CTX_set_client_CA_list(context.get(), ::SSL_load_client_CA_file(options_.client_ca_file.c_str()));
  ::SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  // A ticket would let a client in by a certificate that the CA's file of today knows nothing of.
  ::SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET);
  ::SSL_CTX_set_num_tickets(context.get(), 0);
  return context;
}

Result<std::unique_ptr<Wire>> TlsContext::Accept(int fd, std::chrono::steady_clock::time_point now) {
  if (now - looked_ >= kLook) {
    looked_ = now;
    const Stamps stamps = Look();
    if (stamps != seen_) {
      seen_ = stamps;
      Result<Context> read = Read();
      if (read.ok()) {
        context_ = std::move(read).value();
        LogInfo("{}: certificate and key were read again", options_.certificate_file);
      } else {
        LogWarning("{}; the certificate before stays in use", read.error().message());
      }
    }
  }
  return MakeTlsWire(context_.get(), fd);
}

}  // namespace varve
