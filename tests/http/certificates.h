#pragma once

#include <memory>
#include <string>

using EVP_PKEY = struct evp_pkey_st;
using X509 = struct x509_st;

namespace varve {

// A certificate for a common name, and for 127.0.0.1, with its key: signed by `issuer`, or by itself.
class Certificate {
 public:
  explicit Certificate(const std::string& common_name, const Certificate* issuer = nullptr);

  std::string certificate_pem() const;
  std::string key_pem() const;

 private:
  std::shared_ptr<EVP_PKEY> key_;
  std::shared_ptr<X509> certificate_;
};

}  // namespace varve
