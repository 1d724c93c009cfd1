#pragma once

#include <string>

#include "cached/base/result.h"
#include "cached/client/daemon_client.h"
#include "cached/oci/reference.h"

namespace varve {

enum class TlsMode { kVerify, kSkip };

// What the caller's world says of a registry ("docker.io", "127.0.0.1:5000"), for the daemon, which reads none of it
// itself: credentials from the auth file (auth_file.h), authorities from $SSL_CERT_FILE and $SSL_CERT_DIR, certs.d
// below /etc/docker and /etc/containers, proxies. Errors name the file or helper.
Result<v1::RegistryAccess> AccessTo(const std::string& domain, TlsMode tls);
// The same without credentials, for a server that is no registry.
Result<v1::RegistryAccess> ConnectionTo(const std::string& domain, TlsMode tls);

// What the daemon is told that asks for a repository in the middle of its work: the access, or why there is none.
template <class Answer>
Answer AnswerAccess(const std::string& repository, TlsMode tls) {
  Answer answer;
  const auto reference = Reference::Parse(repository);
  auto access = reference.ok() ? AccessTo(reference->domain, tls) : Result<v1::RegistryAccess>(reference.error());
  if (access.ok()) {
    *answer.mutable_access() = *std::move(access);
  } else {
    answer.set_trouble(access.error().message());
  }
  return answer;
}

}  // namespace varve
