#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cached/base/result.h"

namespace varve {

inline constexpr std::uint64_t kAccountFileBytesMax = 16 << 20;  // /etc/passwd and /etc/group, each
inline constexpr std::size_t kSupplementaryGroupsMax = 65536;    // the kernel's NGROUPS_MAX

// Who a container's process is. `groups` are its supplementary groups and start with `gid`: a process outside its own
// primary group would pass checks that deny that group (CVE-2022-36109).
struct ContainerUser {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;
};

// Resolves "", "USER" or "USER:GROUP", each a name or a number, by docker's rules (GetExecUser of
// github.com/moby/sys/user):
//  - the first matching line wins; "" is uid 0; a number needs no line, and its group is then 0;
//  - a GROUP replaces the user's own and drops the supplementary groups, which otherwise come from `group` by the
//  user's name.
// `passwd` and `group` are the texts of the image's files, empty where absent. Malformed lines are skipped.
// kNotFound for a name that is not there, kInvalidArgument for a number above 2^31 - 1.
Result<ContainerUser> ResolveUser(std::string_view spec, std::string_view passwd, std::string_view group);

// The same against /etc/passwd and /etc/group below `root`, never outside it, with `more_groups` (names or numbers)
// beside the groups that the user has. kResourceExhausted if one is above
// kAccountFileBytesMax.
Result<ContainerUser> ResolveUserInside(int root, std::string_view spec,
                                        const std::vector<std::string>& more_groups = {});

}  // namespace varve
