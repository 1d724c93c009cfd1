#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cached/base/result.h"
#include "cached/client/daemon_client.h"

namespace varve {

// Where docker and podman keep what their users have logged in with: the first that exists of $REGISTRY_AUTH_FILE,
// $XDG_RUNTIME_DIR/containers/auth.json and $DOCKER_CONFIG/config.json (~/.docker/config.json), or the credential
// helpers that it names (credHelpers for one registry, credsStore for all). Registries are named by their domain;
// errors name the file or helper.

// The domain of a registry as users write it: "https://registry.example/v2/" is "registry.example"; nothing and Docker
// Hub's other names are "docker.io". kInvalidArgument if it is none.
Result<std::string> RegistryDomain(std::string_view server);

// Leaves `access` as it is if nothing is kept for the registry.
Status FillCredentials(const std::string& domain, v1::RegistryAccess& access);

// Keeps user name and password in the helper that is in charge, else in the file: written whole or not at all, readable
// by its owner only, its other keys kept. Without a file one is made: $REGISTRY_AUTH_FILE, or docker's.
struct KeptCredentials {
  std::string where;       // the file's path, or the helper's name
  bool encrypted = false;  // by a helper
};
Result<KeptCredentials> KeepCredentials(const std::string& domain, const std::string& username,
                                        const std::string& password);

// False if nothing was kept.
Result<bool> EraseCredentials(const std::string& domain);

// "detachKeys" of docker's config.json, wherever credentials are kept; nothing if it says none.
Result<std::optional<std::string>> ConfiguredDetachKeys();

}  // namespace varve
