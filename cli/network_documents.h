#pragma once

#include <optional>
#include <string>

#include "cli/runtime/connection.h"
#include "cli/runtime/endpoint.h"
#include "cli/runtime/network_options.h"

namespace varve {

// As docker's ps says it: "0.0.0.0:8080->80/tcp, 443/tcp"; neighbours of one kind are drawn together.
std::string PortsText(const NetworkOptions& options, const std::optional<Endpoint>& endpoint);

// A row of `network ls`, with `id` as it is to be shown.
std::string NetworkRowJson(const Network& network, const std::string& id);
// docker's `network inspect`, one object.
std::string InspectNetworkJson(const Network& network, const std::vector<Member>& members);

}  // namespace varve
