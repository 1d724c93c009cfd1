#include "cached/content/sha256.h"

#include <openssl/evp.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace varve {
namespace {

// Fetched once: OpenSSL 3 looks an algorithm up by name on every implicit fetch, which costs more than hashing a tar
// header.
const EVP_MD* Algorithm() {
  static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  VARVE_CHECK(algorithm != nullptr);
  return algorithm;
}

}  // namespace

void Sha256::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  VARVE_CHECK(context_ != nullptr && EVP_DigestInit_ex2(context_.get(), Algorithm(), nullptr) == 1);
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::Update(ByteSpan bytes) { VARVE_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1); }

Digest Sha256::Finish() {
  Digest digest;
  VARVE_CHECK(EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(digest.bytes.data()), nullptr) == 1);
  VARVE_CHECK(EVP_DigestInit_ex2(context_.get(), Algorithm(), nullptr) == 1);
  return digest;
}

Digest Sha256Of(ByteSpan bytes) {
  thread_local Sha256 hash;
  hash.Update(bytes);
  return hash.Finish();
}

std::uint64_t Xxh3Of(ByteSpan bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

}  // namespace varve
