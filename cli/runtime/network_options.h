#pragma once

#include <string>
#include <vector>

namespace varve {

enum class NetworkKind {
  kHost,       // the caller's own
  kNone,       // loopback only
  kContainer,  // that of another container
  kNamed,      // one that networks.h keeps
};

// What `varve run` was asked for in matters of networks; texts as they were given, with docker's syntax.
struct NetworkOptions {
  std::string network = "host";      // "none", "container:ID", or the name of a network
  std::vector<std::string> publish;  // ports.h
  std::vector<std::string> expose;   // ports.h; once the container is made, "80/tcp", and the image's among them
  bool publish_all = false;          // what is exposed
  std::vector<std::string> dns;      // name_service.h
  std::vector<std::string> dns_search;
  std::vector<std::string> dns_options;
  std::vector<std::string> add_hosts;  // "NAME:ADDRESS"

  NetworkKind kind() const {
    if (network == "host") return NetworkKind::kHost;
    if (network == "none") return NetworkKind::kNone;
    return network.starts_with("container:") ? NetworkKind::kContainer : NetworkKind::kNamed;
  }
  std::string container() const { return network.substr(network.find(':') + 1); }
};

}  // namespace varve
