#include <algorithm>
#include <array>

#include "cached/config_values.h"

namespace varve {
namespace {

HostingOptions& HostingOf(DaemonConfig& config) { return config.server.hosting; }

Result<std::vector<v2::Action>> ActionsIn(const Node& node) {
  constexpr std::array<std::string_view, 3> kNames = {"pull", "push", "delete"};  // as in v2::Action
  if (!node.is_array()) return BadConfig("must be a list of \"pull\", \"push\" and \"delete\"");
  std::vector<v2::Action> actions;
  for (const Node& item : *node.as_array()) {
    VARVE_ASSIGN_OR_RETURN(const std::size_t place, ChoiceIn(item, kNames));
    actions.push_back(static_cast<v2::Action>(place));
  }
  return actions;
}

Result<v2::AccessRule> AccessRuleIn(const toml::table& table) {
  v2::AccessRule rule;
  for (const auto& [name, value] : table) {
    if (name == "repositories") {
      VARVE_RETURN_IF_ERROR(Set(TextsIn(value), rule.repositories).In("repositories"));
    } else if (name == "users") {
      VARVE_RETURN_IF_ERROR(Set(TextsIn(value), rule.users).In("users"));
    } else if (name == "actions") {
      VARVE_RETURN_IF_ERROR(Set(ActionsIn(value), rule.actions).In("actions"));
    } else {
      return BadConfig("unknown key " + std::string(name.str()) + " (known: repositories, users, actions)");
    }
  }
  if (rule.repositories.empty()) return BadConfig("a rule needs repositories");
  return rule;
}

Status SetAccessRules(const Node& node, std::vector<v2::AccessRule>& rules) {
  if (!node.is_array_of_tables()) return BadConfig("must be tables: [[registry.access]]");
  rules.clear();
  for (const Node& item : *node.as_array()) {
    VARVE_ASSIGN_OR_RETURN(v2::AccessRule rule, AccessRuleIn(*item.as_table()));
    rules.push_back(std::move(rule));
  }
  return Ok();
}

Status SetAnonymous(const Node& node, bool& may_read) {
  constexpr std::array<std::string_view, 2> kNames = {"none", "read"};
  VARVE_ASSIGN_OR_RETURN(const std::size_t place, ChoiceIn(node, kNames));
  may_read = place == 1;
  return Ok();
}

constexpr ConfigKeyRule kKeys[] = {
    {"registry", "listen", "ADDRESS:PORT at which the registry is served; without it there is none",
     [](const Node& node, DaemonConfig& config) { return Set(TextIn(node), HostingOf(config).listen); }},
    {"registry", "insecure", "serve without TLS to other machines as well",
     [](const Node& node, DaemonConfig& config) { return Set(SwitchIn(node), HostingOf(config).insecure); }},
    {"registry", "tls_certificate", "PEM file of the certificate chain; it is read again when it changes",
     [](const Node& node, DaemonConfig& config) { return Set(TextIn(node), HostingOf(config).tls.certificate_file); }},
    {"registry", "tls_key", "PEM file of the certificate's key",
     [](const Node& node, DaemonConfig& config) { return Set(TextIn(node), HostingOf(config).tls.key_file); }},
    {"registry", "client_ca", "PEM file of the authorities whose client certificates are users, by their common name",
     [](const Node& node, DaemonConfig& config) { return Set(TextIn(node), HostingOf(config).tls.client_ca_file); }},
    {"registry", "htpasswd", "file of users and passwords (htpasswd -B); it is read again when it changes",
     [](const Node& node, DaemonConfig& config) { return Set(TextIn(node), HostingOf(config).access.htpasswd_file); }},
    {"registry", "anonymous", "what those may do who do not say who they are, where users are known: none or read",
     [](const Node& node, DaemonConfig& config) {
       return SetAnonymous(node, HostingOf(config).access.anonymous_may_read);
     }},
    {"registry", "read_only_users", "users who may pull and nothing else",
     [](const Node& node, DaemonConfig& config) {
       return Set(TextsIn(node), HostingOf(config).access.read_only_users);
     }},
    {"registry", "access", "tables of repositories, users and actions: who alone may do what there",
     [](const Node& node, DaemonConfig& config) { return SetAccessRules(node, HostingOf(config).access.rules); }},
    {"registry", "max_manifest_bytes", "a larger manifest is refused",
     [](const Node& node, DaemonConfig& config) {
       return SetSize(node, 1, kManifestBytesMax, HostingOf(config).host.manifest_bytes_max);
     }},
    {"registry", "max_blob_bytes", "a larger blob is refused",
     [](const Node& node, DaemonConfig& config) {
       return SetSize(node, 1, kBlobBytesMax, HostingOf(config).host.blob_bytes_max);
     }},
    {"registry", "delete", "whether manifests, tags and blobs may be deleted",
     [](const Node& node, DaemonConfig& config) { return Set(SwitchIn(node), HostingOf(config).api.deletes); }},
    {"registry", "access_log", "file to which each request is written as a line; reopened when it was moved away",
     [](const Node& node, DaemonConfig& config) { return Set(TextIn(node), HostingOf(config).access_log); }},
};

}  // namespace

std::span<const ConfigKeyRule> RegistryConfigKeys() { return kKeys; }

}  // namespace varve
