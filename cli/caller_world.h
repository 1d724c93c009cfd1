#pragma once

#include <string>

#include "cached/base/result.h"
#include "cached/client/daemon_client.h"
#include "cached/oci/reference.h"

namespace varve {

enum class TlsMode { kVerify, kSkip };

// What the caller's world says of a registry, for the daemon, which reads none of it itself: credentials from
// $REGISTRY_AUTH_FILE, $XDG_RUNTIME_DIR/containers/auth.json or $DOCKER_CONFIG/config.json (helpers included),
// authorities from $SSL_CERT_FILE and $SSL_CERT_DIR, certs.d below /etc/docker and /etc/containers, proxies. Errors
// name the file or helper.
Result<v1::RegistryAccess> AccessTo(const Reference& repository, TlsMode tls);

}  // namespace varve
