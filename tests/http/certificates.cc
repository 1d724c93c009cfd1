#include "tests/http/certificates.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <atomic>

#include "cached/base/check.h"

namespace varve {
namespace {

std::string Text(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  ::BIO_free(bio);
  return text;
}

void AddExtension(X509* certificate, int kind, const char* value) {
  X509_EXTENSION* extension = ::X509V3_EXT_conf_nid(nullptr, nullptr, kind, value);
  VARVE_CHECK(extension != nullptr && ::X509_add_ext(certificate, extension, -1) == 1);
  ::X509_EXTENSION_free(extension);
}

}  // namespace

Certificate::Certificate(const std::string& common_name, const Certificate* issuer)
    : key_(EVP_EC_gen("P-256"), ::EVP_PKEY_free), certificate_(::X509_new(), ::X509_free) {
  static std::atomic<long> serial = 1;
  X509* certificate = certificate_.get();
  ::X509_set_version(certificate, X509_VERSION_3);
  ::ASN1_INTEGER_set(::X509_get_serialNumber(certificate), serial++);
  ::X509_gmtime_adj(::X509_getm_notBefore(certificate), -3600);
  ::X509_gmtime_adj(::X509_getm_notAfter(certificate), 3600);
  ::X509_set_pubkey(certificate, key_.get());
  ::X509_NAME_add_entry_by_txt(::X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
  const Certificate& signer = issuer == nullptr ? *this : *issuer;
  ::X509_set_issuer_name(certificate, ::X509_get_subject_name(signer.certificate_.get()));
  AddExtension(certificate, NID_subject_alt_name, "IP:127.0.0.1");
  AddExtension(certificate, NID_basic_constraints, issuer == nullptr ? "CA:TRUE" : "CA:FALSE");
  VARVE_CHECK(::X509_sign(certificate, signer.key_.get(), ::EVP_sha256()) > 0);
}

std::string Certificate::certificate_pem() const {
  BIO* bio = ::BIO_new(::BIO_s_mem());
  VARVE_CHECK(::PEM_write_bio_X509(bio, certificate_.get()) == 1);
  return Text(bio);
}

std::string Certificate::key_pem() const {
  BIO* bio = ::BIO_new(::BIO_s_mem());
  VARVE_CHECK(::PEM_write_bio_PrivateKey(bio, key_.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return Text(bio);
}

}  // namespace varve
