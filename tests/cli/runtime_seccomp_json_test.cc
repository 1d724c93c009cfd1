#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "cached/base/fs.h"
#include "cli/runtime/seccomp.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;

const SeccompTarget kTarget = {
    .architecture = "amd64", .kernel = "5.10.0-21-amd64", .capabilities = {"CAP_CHOWN", "CAP_SYS_CHROOT"}};

Json Resolved(const std::string& profile, const SeccompTarget& target = kTarget) {
  const TempDir directory;
  EXPECT_TRUE(WriteFileAtomically(Fs::Real(), directory / "profile", AsBytes(profile)).ok());
  const Result<std::string> resolved = LoadSeccompProfile(directory / "profile", target);
  return resolved.ok() ? Json::parse(*resolved) : Json(resolved.error().message());
}

// The names that a profile of these rules has rules for.
Json NamesOf(const std::string& rules, const SeccompTarget& target = kTarget) {
  const Json profile = Resolved(R"({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [)" + rules + "]}", target);
  Json names = Json::array();
  for (const Json& rule : profile["syscalls"]) names.push_back(rule["names"][0]);
  return names;
}
std::string Rule(const std::string& name, const std::string& conditions) {
  return R"({"names": [")" + name + R"("], "action": "SCMP_ACT_ALLOW", )" + conditions + "}";
}

TEST(RuntimeSeccompTest, ARuleHoldsForItsCapabilitiesOnly) {
  EXPECT_EQ(NamesOf(Rule("mount", R"("includes": {"caps": ["CAP_SYS_ADMIN"]})") + "," +
                    Rule("chroot", R"("includes": {"caps": ["CAP_SYS_CHROOT"]})") + "," +
                    Rule("both", R"("includes": {"caps": ["CAP_SYS_CHROOT", "CAP_SYS_ADMIN"]})") + "," +
                    Rule("without", R"("includes": {}, "excludes": {"caps": ["CAP_SYS_ADMIN"]})") + "," +
                    Rule("refused", R"("excludes": {"caps": ["CAP_SYS_ADMIN", "CAP_CHOWN"]})")),
            Json({"chroot", "without"}));
}

TEST(RuntimeSeccompTest, ARuleHoldsForItsArchitecturesOnly) {
  const std::string rules = Rule("arch_prctl", R"("includes": {"arches": ["amd64", "x32"]})") + "," +
                            Rule("breakpoint", R"("includes": {"arches": ["arm", "arm64"]})") + "," +
                            Rule("elsewhere", R"("excludes": {"arches": ["amd64"]})");
  EXPECT_EQ(NamesOf(rules), Json({"arch_prctl"}));
  SeccompTarget arm = kTarget;
  arm.architecture = "arm64";
  EXPECT_EQ(NamesOf(rules, arm), Json({"breakpoint", "elsewhere"}));
}

TEST(RuntimeSeccompTest, ARuleHoldsForItsKernelsOnly) {
  EXPECT_EQ(NamesOf(Rule("old", R"("includes": {"minKernel": "4.8"})") + "," +
                    Rule("same", R"("includes": {"minKernel": "5.10"})") + "," +
                    Rule("newer", R"("includes": {"minKernel": "5.11"})") + "," +
                    Rule("until", R"("excludes": {"minKernel": "4.8"})")),
            Json({"old", "same"}));
}

TEST(RuntimeSeccompTest, TheArchitecturesAreThoseOfTheMachine) {
  const std::string profile = R"({"defaultAction": "SCMP_ACT_ERRNO", "archMap": [
    {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
    {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]}]})";
  EXPECT_EQ(Resolved(profile)["architectures"], Json({"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"}));
  SeccompTarget other = kTarget;
  other.architecture = "ppc64le";
  EXPECT_FALSE(Resolved(profile, other).contains("architectures")) << "the machine's own alone";
}

TEST(RuntimeSeccompTest, ErrnosAreNumbers) {
  const Json resolved = Resolved(R"({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrno": "ENOSYS", "syscalls": [
    {"name": "mount", "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "errno": "EINVAL"},
    {"name": "bpf", "action": "SCMP_ACT_ERRNO", "errno": "EINVAL"}]})");
  EXPECT_EQ(resolved["defaultErrnoRet"], 38);
  EXPECT_EQ(resolved["syscalls"][0]["errnoRet"], 1);
  EXPECT_EQ(resolved["syscalls"][1]["errnoRet"], 22);
}

TEST(RuntimeSeccompTest, TheRuntimeSpecsOwnFormStaysAsItIs) {
  const std::string profile = R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
    "flags": ["SECCOMP_FILTER_FLAG_LOG"], "syscalls": [{"names": ["personality"], "action": "SCMP_ACT_ERRNO",
    "args": [{"index": 0, "value": 8, "valueTwo": 0, "op": "SCMP_CMP_EQ"}]}]})";
  EXPECT_EQ(Resolved(profile), Json::parse(profile));
}

TEST(RuntimeSeccompTest, WhatIsNoProfileIsRefused) {
  for (
      const char* profile :
      {"", "[]", "{}", R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mount"]}]})",
       R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"action": "SCMP_ACT_ERRNO"}]})",
       R"({"defaultAction": "SCMP_ACT_ALLOW", "defaultErrno": "EWHAT"})",
       R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "a", "action": "b", "includes": {"caps": 1}}]})"}) {
    EXPECT_THAT(Resolved(profile).dump(), HasSubstr("is not a seccomp profile")) << profile;
  }
}

TEST(RuntimeSeccompTest, AProfileThatIsNotThereIsNamed) {
  EXPECT_THAT(LoadSeccompProfile("/no/such/profile.json", kTarget).error().message(),
              HasSubstr("/no/such/profile.json"));
}

// The rules of the installed default for one system call.
std::vector<Json> DefaultRulesOf(const std::string& name, const std::vector<std::string>& capabilities) {
  SeccompTarget target = kTarget;
  target.capabilities = capabilities;
  const Result<std::string> text = LoadDefaultSeccompProfile(target);
  EXPECT_TRUE(text.ok()) << text.error().message();
  const Json profile = Json::parse(text.ok() ? *text : "{}");
  std::vector<Json> rules;
  for (const Json& rule : profile["syscalls"]) {
    if (std::ranges::find(rule["names"], Json(name)) != rule["names"].end()) rules.push_back(rule);
  }
  return rules;
}

TEST(RuntimeSeccompTest, TheDefaultRefusesMountsAndNamespacesWithoutTheirCapability) {
  for (const char* name : {"mount", "unshare", "setns"}) {
    ASSERT_EQ(DefaultRulesOf(name, {}).size(), 1u) << name;
    EXPECT_EQ(DefaultRulesOf(name, {})[0]["action"], "SCMP_ACT_ERRNO") << name;
    EXPECT_EQ(DefaultRulesOf(name, {})[0]["errnoRet"], EPERM) << name;
    EXPECT_EQ(DefaultRulesOf(name, {"CAP_SYS_ADMIN"})[0]["action"], "SCMP_ACT_ALLOW") << name;
  }
}

TEST(RuntimeSeccompTest, TheDefaultLetsCloneMakeProcessesOnly) {
  ASSERT_EQ(DefaultRulesOf("clone", {}).size(), 1u);
  EXPECT_EQ(DefaultRulesOf("clone", {})[0]["args"][0]["op"], "SCMP_CMP_MASKED_EQ");
  EXPECT_EQ(DefaultRulesOf("clone3", {})[0]["errnoRet"], ENOSYS);
  EXPECT_EQ(DefaultRulesOf("fork", {})[0]["action"], "SCMP_ACT_ALLOW");
}

}  // namespace
}  // namespace varve
