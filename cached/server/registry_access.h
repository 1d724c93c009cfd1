#pragma once

#include "cached/registry/registry_client.h"
#include "proto/varve/v1/image.pb.h"

namespace varve {

// The caller's world, as the registry client takes it.
inline RegistryOptions ToRegistryOptions(const v1::RegistryAccess& access) {
  RegistryOptions options;
  options.credentials = {access.username(), access.password(), access.identity_token()};
  options.connection.tls_verification =
      access.skip_tls_verify() ? TlsVerification::kSkipped : TlsVerification::kRequired;
  options.connection.ca_pem = access.ca_pem();
  options.connection.extra_ca_pem = access.extra_ca_pem();
  options.connection.client_certificate_pem = access.client_certificate_pem();
  options.connection.client_key_pem = access.client_key_pem();
  options.connection.http_proxy = access.http_proxy();
  options.connection.https_proxy = access.https_proxy();
  options.connection.no_proxy = access.no_proxy();
  return options;
}

}  // namespace varve
