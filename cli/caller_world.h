#pragma once

#include <string>

#include "cached/base/result.h"
#include "cached/client/daemon_client.h"

namespace varve {

enum class TlsMode { kVerify, kSkip };

// What the caller's world says of a registry ("docker.io", "127.0.0.1:5000"), for the daemon, which reads none of it
// itself: credentials from the auth file (auth_file.h), authorities from $SSL_CERT_FILE and $SSL_CERT_DIR, certs.d
// below /etc/docker and /etc/containers, proxies. Errors name the file or helper.
Result<v1::RegistryAccess> AccessTo(const std::string& domain, TlsMode tls);

}  // namespace varve
