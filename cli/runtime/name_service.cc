#include "cli/runtime/name_service.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>
#include <vector>

namespace varve {
namespace {

bool IsAddress(const std::string& text) {
  in6_addr address;  // large enough for both
  return ::inet_pton(AF_INET, text.c_str(), &address) == 1 || ::inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

std::vector<std::string> WordsOf(std::string_view line) {
  std::istringstream stream{std::string(line)};
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(std::move(word));
  return words;
}

std::vector<std::string> LinesOf(std::string_view text) {
  std::istringstream stream{std::string(text)};
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(std::move(line));
  return lines;
}

std::vector<std::string> ServersOf(std::string_view text) {
  std::vector<std::string> servers;
  for (const std::string& line : LinesOf(text)) {
    const std::vector<std::string> words = WordsOf(line);
    if (words.size() > 1 && words[0] == "nameserver") servers.push_back(words[1]);
  }
  return servers;
}

bool IsOutOfReach(const std::string& server) { return server.starts_with("127.") || server.find(':') != server.npos; }

Error Conflict(std::string_view what) {
  return Error(Code::kInvalidArgument, fmt::format("conflicting options: {} and the network mode", what));
}

}  // namespace

Status CheckNameOptions(const NetworkOptions& options) {
  const bool asks = !options.dns.empty() || !options.dns_search.empty() || !options.dns_options.empty();
  if (options.kind() == NetworkKind::kContainer && asks) return Conflict("dns");
  if (options.kind() == NetworkKind::kContainer && !options.add_hosts.empty())
    return Conflict("custom host-to-IP mapping");
  for (const std::string& server : options.dns) {
    if (!IsAddress(server)) return Error(Code::kInvalidArgument, fmt::format("{} is not an ip address", server));
  }
  return Ok();
}

Result<std::string> ResolveHost(const std::string& text, const std::string& gateway) {
  const std::size_t separator = std::min(text.find_first_of(":="), text.size());
  const std::string name = text.substr(0, separator);
  std::string address = text.substr(std::min(separator + 1, text.size()));
  if (address == "host-gateway") address = gateway;
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  if (name.empty() || name.find_first_of(" \t\r\n\v\f#") != name.npos || separator == text.size())
    return Error(Code::kInvalidArgument, fmt::format("bad format for add-host: \"{}\"", text));
  if (!IsAddress(address))
    return Error(Code::kInvalidArgument, fmt::format("invalid IP address in add-host: \"{}\"", text));
  return fmt::format("{}:{}", name, address);
}

std::string ResolvConf(std::string_view of_host, const NetworkOptions& options) {
  const bool on_host = options.kind() == NetworkKind::kHost;
  std::vector<std::string> lines;
  bool has_server = false;
  for (const std::string& line : LinesOf(of_host)) {
    const std::vector<std::string> words = WordsOf(line);
    const std::string word = words.empty() ? "" : words[0];
    const bool server = word == "nameserver" && words.size() > 1;
    if (server && (!options.dns.empty() || (!on_host && IsOutOfReach(words[1])))) continue;
    if ((word == "search" || word == "domain") && !options.dns_search.empty()) continue;
    if (word == "options" && !options.dns_options.empty()) continue;
    has_server |= server;
    lines.push_back(line);
  }
  for (const std::string& server : options.dns) lines.push_back("nameserver " + server);
  if (!has_server && options.dns.empty() && options.kind() == NetworkKind::kNamed)
    lines.insert(lines.end(), {"nameserver 8.8.8.8", "nameserver 8.8.4.4"});
  // docker's way to say that there is none to search
  if (!options.dns_search.empty() && options.dns_search != std::vector<std::string>{"."})
    lines.push_back(fmt::format("search {}", fmt::join(options.dns_search, " ")));
  if (!options.dns_options.empty()) lines.push_back(fmt::format("options {}", fmt::join(options.dns_options, " ")));
  return lines.empty() ? "" : fmt::format("{}\n", fmt::join(lines, "\n"));
}

std::string HostLines(const NetworkOptions& options) {
  std::string lines;
  for (const std::string& host : options.add_hosts) {
    const std::size_t colon = host.find(':');
    lines += fmt::format("{}\t{}\n", host.substr(colon + 1), host.substr(0, colon));
  }
  return lines;
}

bool AsksResolved(std::string_view of_host) { return ServersOf(of_host) == std::vector<std::string>{"127.0.0.53"}; }

}  // namespace varve
