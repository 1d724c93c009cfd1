#pragma once

#include <string>
#include <string_view>

#include "cached/base/result.h"
#include "cli/runtime/network_options.h"

// How a container turns names into addresses: what is asked for, checked, and as the files of /etc say it.

namespace varve {

// kInvalidArgument, in docker's words.
Status CheckNameOptions(const NetworkOptions& options);
// An --add-host with the address that "host-gateway" stands for. kInvalidArgument.
Result<std::string> ResolveHost(const std::string& text, const std::string& gateway);

// The container's resolv.conf, from the host's: what the options say replaces lines of its kind. Where the host's
// network is not its own, servers on loopback and with IPv6 addresses are left out, since it cannot reach them; if none
// is left on a network that reaches out, they are docker's: 8.8.8.8 and 8.8.4.4.
std::string ResolvConf(std::string_view of_host, const NetworkOptions& options);
// The lines of /etc/hosts for what --add-host has said.
std::string HostLines(const NetworkOptions& options);
// Whether systemd-resolved answers the host's own questions on its loopback: kResolvedConf has the servers behind it.
bool AsksResolved(std::string_view of_host);
inline constexpr const char* kResolvedConf = "/run/systemd/resolve/resolv.conf";

}  // namespace varve
