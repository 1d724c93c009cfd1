#include "cached/http/tls_wire.h"

#include <fmt/core.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace varve {
namespace {

constexpr std::size_t kFilePieceBytes = 128 << 10;

struct FreeSsl {
  void operator()(SSL* ssl) const { ::SSL_free(ssl); }
};

class TlsWire final : public Wire {
 public:
  TlsWire(std::unique_ptr<SSL, FreeSsl> ssl, int fd) : fd_(fd), ssl_(std::move(ssl)) {}

  Result<WireStep> Handshake() override {
    ::ERR_clear_error();
    const int outcome = ::SSL_accept(ssl_.get());
    return outcome == 1 ? WireStep{} : Stopped(outcome, "handshake");
  }

  Result<WireStep> Read(std::span<std::byte> into) override {
    ::ERR_clear_error();
    std::size_t read = 0;
    const int outcome = ::SSL_read_ex(ssl_.get(), into.data(), into.size(), &read);
    return outcome == 1 ? WireStep{.bytes = read} : Stopped(outcome, "receive");
  }

  Result<WireStep> Write(ByteSpan bytes, More /*more*/) override {
    ::ERR_clear_error();
    std::size_t written = 0;
    const int outcome = ::SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written);
    return outcome == 1 ? WireStep{.bytes = written} : Stopped(outcome, "send");
  }

  Result<WireStep> SendFile(const File& file, std::uint64_t offset, std::size_t length) override {
    if (piece_.empty()) {
      piece_.resize(std::min(length, kFilePieceBytes));
      piece_offset_ = offset;
      const Result<std::size_t> read = file.ReadAt(offset, piece_);
      if (!read.ok()) return Error(Code::kDataLoss, read.error().message());
      if (*read == 0) return WireStep{.kind = WireStep::Kind::kEnded};
      piece_.resize(*read);
    }
    VARVE_ASSIGN_OR_RETURN(const WireStep step, Write(ByteSpan(piece_).subspan(offset - piece_offset_), More::kNo));
    if (offset + step.bytes == piece_offset_ + piece_.size()) Bytes().swap(piece_);
    return step;
  }

  bool holds_input() const override { return ::SSL_has_pending(ssl_.get()) == 1; }

  void EndWrites() override {
    ::ERR_clear_error();
    if (::SSL_is_init_finished(ssl_.get()) == 1) ::SSL_shutdown(ssl_.get());
    ::shutdown(fd_, SHUT_WR);
  }

  std::string peer_name() const override {
    const X509* certificate = ::SSL_get0_peer_certificate(ssl_.get());
    if (certificate == nullptr || ::SSL_get_verify_result(ssl_.get()) != X509_V_OK) return {};
    const X509_NAME* subject = ::X509_get_subject_name(certificate);
    const int at = ::X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0) return {};
    unsigned char* text = nullptr;
    const int size = ::ASN1_STRING_to_UTF8(&text, ::X509_NAME_ENTRY_get_data(::X509_NAME_get_entry(subject, at)));
    if (size < 0) return {};
    std::string name(reinterpret_cast<const char*>(text), static_cast<std::size_t>(size));
    ::OPENSSL_free(text);
    return name;
  }
  bool secure() const override { return true; }

 private:
  Result<WireStep> Stopped(int outcome, const char* what) const {
    switch (::SSL_get_error(ssl_.get(), outcome)) {
      case SSL_ERROR_WANT_READ:
        return WireStep{.kind = WireStep::Kind::kWantsToRead};
      case SSL_ERROR_WANT_WRITE:
        return WireStep{.kind = WireStep::Kind::kWantsToWrite};
      case SSL_ERROR_ZERO_RETURN:
        return WireStep{.kind = WireStep::Kind::kEnded};
      case SSL_ERROR_SYSCALL:
        if (::ERR_peek_error() == 0) return ErrnoError(errno, what);
        [[fallthrough]];
      default:
        return TlsLibraryError(Code::kUnavailable, what);
    }
  }

  const int fd_;
  const std::unique_ptr<SSL, FreeSsl> ssl_;
  Bytes piece_;  // of the file that is being sent; empty: none
  std::uint64_t piece_offset_ = 0;
};

}  // namespace

Result<std::unique_ptr<Wire>> MakeTlsWire(SSL_CTX* context, int fd) {
  std::unique_ptr<SSL, FreeSsl> ssl(::SSL_new(context));
  if (ssl == nullptr || ::SSL_set_fd(ssl.get(), fd) != 1) return TlsLibraryError(Code::kInternal, "TLS connection");
  return std::unique_ptr<Wire>(std::make_unique<TlsWire>(std::move(ssl), fd));
}

Error TlsLibraryError(Code code, std::string_view what) {
  std::array<char, 256> text{};
  ::ERR_error_string_n(::ERR_get_error(), text.data(), text.size());
  ::ERR_clear_error();
  return {code, fmt::format("{}: {}", what, text.data())};
}

}  // namespace varve
