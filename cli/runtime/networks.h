#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cached/base/fd.h"
#include "cached/base/result.h"
#include "cli/runtime/ipv4.h"

namespace varve {

inline constexpr const char* kDefaultNetwork = "bridge";

struct Network {
  std::string id;  // 64 hex digits
  std::string name;
  std::string driver;   // docker's words: "bridge"; "host" and "null" have nothing of what follows
  std::string created;  // RFC 3339
  Ipv4Range subnet;
  Ipv4Address gateway = 0;  // the address of the bridge
  bool internal = false;    // nothing goes through the host to elsewhere, and nothing comes in

  bool predefined() const { return driver != "bridge" || name == kDefaultNetwork; }
  // The interface. No other network of this host has it, whatever varve's root is.
  std::string bridge() const { return "varve" + id.substr(0, 10); }
};

struct NewNetwork {
  std::string name;
  std::optional<Ipv4Range> subnet;     // without: one that is free
  std::optional<Ipv4Address> gateway;  // without: the first of the subnet
  bool internal = false;
};

// The networks of this root, one file each (docs/design/networks.md). The predefined ones are made by whoever looks
// first.
//
//   lock            held for the moment of a change of networks, or of what the host has of them
//   <name>.json     a network
//   leases/         which container has which address: host-local's
class NetworkRoom {
 public:
  explicit NetworkRoom(std::string directory) : directory_(std::move(directory)) {}

  std::string leases() const { return directory_ + "/leases"; }
  bool Exists() const;  // else nobody has looked yet
  Result<UniqueFd> Lock() const;

  Result<std::vector<Network>> List() const;               // sorted by name
  Result<Network> Find(const std::string& name) const;     // the name, the id, or a beginning of it. kNotFound
  Result<Network> Create(const NewNetwork& wanted) const;  // kAlreadyExists; kInvalidArgument
  // Of one that no container is connected with, which is the caller's to know. Predefined ones stay.
  Status Remove(const Network& network) const;

 private:
  Status MakePredefined() const;
  Result<Network> Make(const NewNetwork& wanted) const;
  Result<std::vector<Network>> Read() const;

  std::string directory_;
};

std::string NetworkJson(const Network& network);
// kDataLoss if `text` is not one of ours, kFailedPrecondition if a newer varve wrote it.
Result<Network> ParseNetwork(std::string_view text);

// One of varve's own ranges that none of `taken` overlaps: the `first`th, or the next. kResourceExhausted.
Result<Ipv4Range> ChooseSubnet(const std::vector<Ipv4Range>& taken, std::uint32_t first);

}  // namespace varve
