#pragma once

#include <string>

#include "cached/registry/registry_client.h"

namespace varve {

// Whether the registry of `domain` takes the credentials: kUnauthenticated where it does not, else as
// RegistryClient::Create. One that asks for none takes any.
Status CheckLogin(HttpTransport& transport, const std::string& domain, const RegistryOptions& options,
                  const CancelToken& cancel);

}  // namespace varve
