#include "cli/runtime/firewall.h"

#include <fmt/core.h>

#include <sstream>

#include "cached/base/bytes.h"
#include "cli/runtime/programs.h"

// The CNI has plugins for this, "firewall" and the "ipMasq" of "bridge": two or three rules for each container, by four
// to eight executions of iptables at its start and again at its end. Measured (two cores, Debian 12): 24 ms and 37 ms
// of firewall, 10 ms and 55 ms of ipMasq. And what ipMasq did cannot be undone once the container's network namespace
// has gone, as it has after a kill -9: the plugin asks the interface in it for its address. So the rules are the
// network's, as docker's are: set when its bridge is about to be made, dropped when that goes. Then a container costs
// none, and leaves none.

namespace varve {
namespace {

Result<std::string> FindIptables() {
  Result<std::string> found = FindProgram("iptables", "iptables");
  if (found.ok()) return found;
  return Error(found.error().code(), found.error().message() + ", or use --network host");
}

std::vector<std::string> Words(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(std::move(word));
  return words;
}

// `-w`: wait for whoever else changes the rules.
Result<Said> Iptables(const std::string& iptables, const std::string& rule) {
  std::vector<std::string> arguments = Words(rule);
  arguments.insert(arguments.begin(), {iptables, "-w"});
  return RunProgram({.arguments = std::move(arguments)});
}

std::string ChainOf(const Network& network) { return "VARVE-" + network.id.substr(0, 10); }

std::string Masquerade(const Network& network) {
  return fmt::format("POSTROUTING -s {} ! -o {} -j MASQUERADE", RangeText(network.subnet), network.bridge());
}
std::string Jump(const Network& network) { return "FORWARD -j " + ChainOf(network); }

// In order; what none of them is about, the rest of FORWARD decides. All bridges of varve's begin alike, whatever the
// root is, so that "+" keeps networks apart. A published port is open to all who reach the host.
std::vector<std::string> ForwardRules(const Network& network) {
  const std::string bridge = network.bridge();
  std::vector<std::string> rules = {fmt::format("-i {} -o {} -j ACCEPT", bridge, bridge)};
  if (network.internal) {
    rules.push_back(fmt::format("-i {} -j DROP", bridge));
    rules.push_back(fmt::format("-o {} -j DROP", bridge));
  } else {
    rules.push_back(fmt::format("-o {} -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT", bridge));
    rules.push_back(fmt::format("-i {} -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT", bridge));
    rules.push_back(fmt::format("-i {} -o varve+ -j DROP", bridge));
    rules.push_back(fmt::format("-i {} -j ACCEPT", bridge));
  }
  return rules;
}

Status Drop(const std::string& iptables, const Network& network) {
  const std::string chain = ChainOf(network);
  for (const std::string& rule :
       {"-t nat -D " + Masquerade(network), "-D " + Jump(network), "-F " + chain, "-X " + chain})
    VARVE_RETURN_IF_ERROR(Iptables(iptables, rule));  // what it exits with says only whether there was anything
  return Ok();
}

}  // namespace

Status SetRules(const Network& network) {
  VARVE_ASSIGN_OR_RETURN(const std::string iptables, FindIptables());
  VARVE_RETURN_IF_ERROR(Drop(iptables, network));
  const std::string chain = ChainOf(network);
  std::vector<std::string> commands = {"-N " + chain};
  for (const std::string& rule : ForwardRules(network)) commands.push_back(fmt::format("-A {} {}", chain, rule));
  commands.push_back("-I " + Jump(network));
  if (!network.internal) commands.push_back("-t nat -A " + Masquerade(network));
  for (const std::string& command : commands) {
    VARVE_ASSIGN_OR_RETURN(const Said said, Iptables(iptables, command));
    if (said.exit_code != 0)
      return Error(Code::kFailedPrecondition,
                   fmt::format("iptables {} exits {}: {}", command, said.exit_code, said.text));
  }
  return Ok();
}

Status DropRules(const Network& network) {
  VARVE_ASSIGN_OR_RETURN(const std::string iptables, FindIptables());
  return Drop(iptables, network);
}

}  // namespace varve
