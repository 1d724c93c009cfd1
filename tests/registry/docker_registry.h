#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "cached/base/fd.h"
#include "cached/content/digest.h"
#include "tests/support/temp_dir.h"

namespace varve {

// A docker-registry on loopback for one test, over a store that is written here, file by file.
class DockerRegistry {
 public:
  enum class Access { kOpen, kPassword };               // user "me", password "secret"
  enum class Tls { kNone, kServer, kServerAndClient };  // certificates of an authority made for this test
  DockerRegistry(Access access, Tls tls);
  ~DockerRegistry();

  const std::string& domain() const { return domain_; }  // "127.0.0.1:43210"
  std::string Pem(std::string_view name) const;          // "ca.crt", "client.crt", "client.key"

  Digest PutBlob(std::string_view repository, std::string_view content) const;
  Digest PutManifest(std::string_view repository, std::string_view tag, std::string_view content) const;

 private:
  void Start(const std::string& configuration);

  TempDir directory_;
  std::string domain_;
  pid_t pid_ = -1;
  UniqueFd log_;  // it ends when nobody can read this
};

}  // namespace varve
