#include <fmt/core.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "cached/base/fs.h"
#include "cached/oci/platform.h"
#include "cli/runtime/seccomp.h"

// docker's profile (moby/profiles, seccomp/default.json) allows by name what programs need and refuses the rest. Some
// rules depend on what the container may do anyway: mount(2) is refused, unless the container has CAP_SYS_ADMIN, and
// the kernel then decides. Such a rule says
//
//   {"names": ["mount", …], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}}
//
// and holds if the target has all capabilities of "includes" and none of "excludes", is of an architecture of
// "includes", if it names any, and of none of "excludes", and has at least the kernel "minKernel" of "includes", and
// less than that of "excludes". What holds is the runtime-spec's form, which runc takes; names that its libseccomp does
// not know are passed over there.
//
// The default profile is the distribution's file, which is kept up to date with its kernels. It descends from docker's,
// but lets every container make namespaces and mounts (unshare, clone, mount, setns, …), so that podman can run in
// podman: the kernel then asks for capabilities in the user namespace at hand, which anybody can make. Most holes in
// kernels that containers broke out by were reached that way, so these rules are docker's: without CAP_SYS_ADMIN
// unshare(2) and its like are refused, clone(2) may make processes and threads but no namespaces, and clone3(2), whose
// flags a filter cannot see, is said not to exist, which makes C libraries use clone(2).

namespace varve {
namespace {

using Json = nlohmann::json;

struct Architecture {
  const char* name;        // Platform's
  const char* in_rules;    // in "arches"
  const char* in_archmap;  // libseccomp's
};
constexpr std::array<Architecture, 8> kArchitectures = {{{"amd64", "amd64", "SCMP_ARCH_X86_64"},
                                                         {"386", "x86", "SCMP_ARCH_X86"},
                                                         {"arm64", "arm64", "SCMP_ARCH_AARCH64"},
                                                         {"arm", "arm", "SCMP_ARCH_ARM"},
                                                         {"ppc64le", "ppc64le", "SCMP_ARCH_PPC64LE"},
                                                         {"s390x", "s390x", "SCMP_ARCH_S390X"},
                                                         {"mips64le", "mipsel64", "SCMP_ARCH_MIPSEL64"},
                                                         {"riscv64", "riscv64", "SCMP_ARCH_RISCV64"}}};

Architecture ArchitectureOf(const SeccompTarget& target) {
  const auto known = std::ranges::find(kArchitectures, target.architecture, &Architecture::name);
  return known == kArchitectures.end() ? Architecture{"", "", ""} : *known;
}

// Absent, null and empty are the same in these profiles.
Json Member(const Json& object, const char* name) { return object.contains(name) ? object.at(name) : Json(); }

std::vector<std::string> Words(const Json& conditions, const char* name) {
  const Json list = Member(conditions, name);
  return list.is_null() ? std::vector<std::string>() : list.get<std::vector<std::string>>();
}

std::pair<int, int> KernelVersion(const std::string& text) {
  std::pair<int, int> version;
  if (std::sscanf(text.c_str(), "%d.%d", &version.first, &version.second) < 1)
    throw Json::other_error::create(501, "not a kernel version: " + text, nullptr);
  return version;
}

bool IsAtLeast(const SeccompTarget& target, const Json& kernel) {
  return KernelVersion(target.kernel) >= KernelVersion(kernel.get<std::string>());
}

bool Holds(const Json& rule, const SeccompTarget& target) {
  const auto is_given = [&](const std::string& capability) {
    return std::ranges::find(target.capabilities, capability) != target.capabilities.end();
  };
  const auto is_ours = [&](const std::string& name) { return name == ArchitectureOf(target).in_rules; };
  const Json includes = Member(rule, "includes"), excludes = Member(rule, "excludes");
  const std::vector<std::string> architectures = Words(includes, "arches");
  const Json least = Member(includes, "minKernel"), below = Member(excludes, "minKernel");
  return (architectures.empty() || std::ranges::any_of(architectures, is_ours)) &&
         std::ranges::none_of(Words(excludes, "arches"), is_ours) &&
         std::ranges::all_of(Words(includes, "caps"), is_given) &&
         std::ranges::none_of(Words(excludes, "caps"), is_given) && (least.is_null() || IsAtLeast(target, least)) &&
         (below.is_null() || !IsAtLeast(target, below));
}

// A number, or else a name such as "EPERM".
Json ErrnoOf(const Json& object, const char* number, const char* name) {
  if (const Json given = Member(object, number); !given.is_null()) return given;
  const Json wanted = Member(object, name);
  constexpr int kErrnoMax = 4095;
  for (int candidate = 1; !wanted.is_null() && candidate <= kErrnoMax; ++candidate) {
    const char* known = ::strerrorname_np(candidate);
    if (known != nullptr && wanted == known) return candidate;
  }
  if (!wanted.is_null()) throw Json::other_error::create(501, "not an errno: " + wanted.dump(), nullptr);
  return {};
}

Json RuleOf(const Json& rule) {
  Json names = Member(rule, "names");
  if (names.is_null()) names = Json::array({rule.at("name")});
  Json resolved = {{"names", names}, {"action", rule.at("action")}};
  if (const Json args = Member(rule, "args"); !args.is_null() && !args.empty()) resolved["args"] = args;
  if (const Json number = ErrnoOf(rule, "errnoRet", "errno"); !number.is_null()) resolved["errnoRet"] = number;
  return resolved;
}

Json ArchitecturesOf(const Json& profile, const SeccompTarget& target) {
  const Json mapped = Member(profile, "archMap");
  if (mapped.is_null()) return Member(profile, "architectures");
  for (const Json& entry : mapped) {
    if (entry.at("architecture") != ArchitectureOf(target).in_archmap) continue;
    Json architectures = Json::array({entry.at("architecture")});
    for (const std::string& more : Words(entry, "subArchitectures")) architectures.push_back(more);
    return architectures;
  }
  return {};  // the machine's own alone
}

Json Resolve(const Json& profile, const SeccompTarget& target) {
  Json resolved = {{"defaultAction", profile.at("defaultAction")}, {"syscalls", Json::array()}};
  if (const Json number = ErrnoOf(profile, "defaultErrnoRet", "defaultErrno"); !number.is_null())
    resolved["defaultErrnoRet"] = number;
  if (Json architectures = ArchitecturesOf(profile, target); !architectures.is_null())
    resolved["architectures"] = std::move(architectures);
  if (Json flags = Member(profile, "flags"); !flags.is_null()) resolved["flags"] = std::move(flags);
  for (const Json& rule : Member(profile, "syscalls")) {
    if (Holds(rule, target)) resolved["syscalls"].push_back(RuleOf(rule));
  }
  return resolved;
}

// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET.
constexpr std::uint64_t kNamespaceFlags = 0x7e020000;
constexpr std::array<const char*, 14> kRefused = {"fsconfig", "fsmount",       "fsopen",     "fspick",    "keyctl",
                                                  "mount",    "mount_setattr", "move_mount", "open_tree", "pivot_root",
                                                  "setns",    "umount",        "umount2",    "unshare"};

// What docker's profile says of namespaces and mounts, in a profile that may say something else.
void RefuseNamespaces(const SeccompTarget& target, Json& profile) {
  if (std::ranges::find(target.capabilities, "CAP_SYS_ADMIN") != target.capabilities.end()) return;
  std::vector<std::string> replaced(kRefused.begin(), kRefused.end());
  replaced.insert(replaced.end(), {"clone", "clone3"});
  Json rules = Json::array();
  for (Json rule : profile.at("syscalls")) {
    Json names = Json::array();
    for (const Json& name : rule.at("names")) {
      if (std::ranges::find(replaced, name.get<std::string>()) == replaced.end()) names.push_back(name);
    }
    if (names.empty()) continue;
    rule["names"] = std::move(names);
    rules.push_back(std::move(rule));
  }
  const auto refused = [](const Json& names, int number) {
    return Json{{"names", names}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", number}};
  };
  rules.push_back(refused(Json(kRefused), EPERM));
  rules.push_back(refused(Json::array({"clone3"}), ENOSYS));
  const Json no_flag = {{"index", target.architecture == "s390x" ? 1 : 0},
                        {"value", kNamespaceFlags},
                        {"valueTwo", 0},
                        {"op", "SCMP_CMP_MASKED_EQ"}};
  rules.push_back({{"names", Json::array({"clone"})}, {"action", "SCMP_ACT_ALLOW"}, {"args", Json::array({no_flag})}});
  profile["syscalls"] = std::move(rules);
}

template <class Change>
Result<std::string> Load(const std::string& path, const SeccompTarget& target, Change change) {
  VARVE_ASSIGN_OR_RETURN(const Bytes text, ReadWholeFile(Fs::Real(), path, kSeccompProfileBytesMax));
  try {
    Json profile = Resolve(Json::parse(AsText(text)), target);
    change(target, profile);
    return profile.dump();
  } catch (const Json::exception& exception) {
    return Error(Code::kInvalidArgument, fmt::format("{}: is not a seccomp profile: {}", path, exception.what()));
  }
}

}  // namespace

SeccompTarget SeccompTargetHere(std::vector<std::string> capabilities) {
  utsname names{};
  ::uname(&names);
  return {
      .architecture = Platform::Host().architecture, .kernel = names.release, .capabilities = std::move(capabilities)};
}

Result<std::string> LoadSeccompProfile(const std::string& path, const SeccompTarget& target) {
  return Load(path, target, [](const SeccompTarget&, const Json&) {});
}

Result<std::string> LoadDefaultSeccompProfile(const SeccompTarget& target) {
  Result<std::string> profile = Load(kDefaultSeccompProfile, target, RefuseNamespaces);
  if (profile.ok() || profile.error().code() != Code::kNotFound) return profile;
  return Error(Code::kNotFound,
               fmt::format("the default seccomp profile {} is missing: install it (Debian: apt-get install "
                           "golang-github-containers-common), or run without: --security-opt seccomp=unconfined",
                           kDefaultSeccompProfile));
}

}  // namespace varve
