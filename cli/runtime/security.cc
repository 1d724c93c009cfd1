#include "cli/runtime/security.h"

#include <fmt/core.h>

#include <algorithm>

#include "cli/runtime/seccomp.h"

namespace varve {

Result<Security> ResolveSecurity(const SecurityOptions& options, const std::vector<std::string>& capabilities) {
  constexpr const char* kUnconfined = "unconfined";
  constexpr const char* kBuiltin = "builtin";
  const bool privileged = options.privileged == Privileged::kYes;
  Security security;
  if (privileged) security.system_paths = SystemPaths::kOpen;
  std::string profile = privileged ? kUnconfined : kBuiltin;
  for (const std::string& option : options.options) {
    const std::size_t separator = std::min(option.find_first_of("=:"), option.size());
    const std::string key = option.substr(0, separator);
    const std::string value = option.substr(std::min(separator + 1, option.size()));
    if (key == "no-new-privileges" && (separator == option.size() || value == "true" || value == "false")) {
      security.privileges = value == "false" ? Privileges::kGainable : Privileges::kNotGainable;
    } else if (key == "seccomp" && !value.empty()) {
      profile = value;
    } else if (key == "systempaths" && value == kUnconfined) {
      security.system_paths = SystemPaths::kOpen;
    } else if (key != "label" && !(key == "apparmor" && value == kUnconfined)) {
      return Error(Code::kInvalidArgument,
                   fmt::format("invalid --security-opt: \"{}\" (known: no-new-privileges, seccomp=PROFILE|unconfined, "
                               "systempaths=unconfined)",
                               option));
    }
  }
  if (profile == kUnconfined) return security;
  const SeccompTarget target = SeccompTargetHere(capabilities);
  VARVE_ASSIGN_OR_RETURN(security.seccomp,
                         profile == kBuiltin ? LoadDefaultSeccompProfile(target) : LoadSeccompProfile(profile, target));
  return security;
}

}  // namespace varve
