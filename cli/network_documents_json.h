#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "cli/runtime/endpoint.h"
#include "cli/runtime/record.h"

namespace varve {

// "NetworkSettings" of docker's `container inspect`; `endpoint` is there while it is connected.
nlohmann::ordered_json NetworkSettingsOf(const NetworkOptions& options, const std::optional<Endpoint>& endpoint);
// "PortBindings" of its "HostConfig", and "ExposedPorts" of its "Config".
nlohmann::ordered_json PortBindingsOf(const NetworkOptions& options);
nlohmann::ordered_json ExposedPortsOf(const NetworkOptions& options);

}  // namespace varve
