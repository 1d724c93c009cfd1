#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "cli/runtime/devices.h"
#include "cli/runtime/rlimits.h"
#include "cli/runtime/security.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Result<Security> Resolve(std::vector<std::string> options, Privileged privileged = Privileged::kNo) {
  return ResolveSecurity({.privileged = privileged, .options = std::move(options), .devices = {}, .groups = {}}, {});
}

TEST(RuntimeSecurityTest, WithoutAWordAContainerIsConfined) {
  const Security security = *Resolve({});
  EXPECT_THAT(security.seccomp, HasSubstr("SCMP_ACT_ERRNO"));
  EXPECT_EQ(security.system_paths, SystemPaths::kProtected);
  EXPECT_EQ(security.privileges, Privileges::kGainable);
}

TEST(RuntimeSecurityTest, APrivilegedOneIsNotUnlessAProfileIsNamed) {
  EXPECT_THAT(Resolve({}, Privileged::kYes)->seccomp, IsEmpty());
  EXPECT_EQ(Resolve({}, Privileged::kYes)->system_paths, SystemPaths::kOpen);
  EXPECT_THAT(Resolve({"seccomp=builtin"}, Privileged::kYes)->seccomp, Not(IsEmpty()));
}

TEST(RuntimeSecurityTest, OptionsAreTakenWithEitherSeparator) {
  for (const char* option : {"no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"})
    EXPECT_EQ(Resolve({option})->privileges, Privileges::kNotGainable) << option;
  EXPECT_EQ(Resolve({"no-new-privileges=false"})->privileges, Privileges::kGainable);
  for (const char* option : {"seccomp=unconfined", "seccomp:unconfined"})
    EXPECT_THAT(Resolve({option})->seccomp, IsEmpty()) << option;
  EXPECT_EQ(Resolve({"systempaths=unconfined"})->system_paths, SystemPaths::kOpen);
  EXPECT_TRUE(Resolve({"label=disable", "apparmor=unconfined"}).ok()) << "that is so anyway";
}

TEST(RuntimeSecurityTest, UnknownOptionsAreRefused) {
  for (const char* option : {"", "seccomp", "seccomp=", "no-new-privileges=maybe", "apparmor=mine", "what=ever"})
    EXPECT_THAT(Resolve({option}).error().message(), HasSubstr("invalid --security-opt")) << option;
}

TEST(RuntimeDevicesTest, ADeviceKeepsItsPathUnlessAnotherIsGiven) {
  const Device null = ParseDevice("/dev/null")->front();
  EXPECT_EQ(null.path, "/dev/null");
  EXPECT_EQ(null.type, 'c');
  EXPECT_EQ(null.major, 1u);
  EXPECT_EQ(null.minor, 3u);
  EXPECT_EQ(null.access, "rwm");
  EXPECT_EQ(ParseDevice("/dev/null:/dev/nothing:r")->front().path, "/dev/nothing");
  EXPECT_EQ(ParseDevice("/dev/null:/dev/nothing:r")->front().access, "r");
  EXPECT_EQ(ParseDevice("/dev/null:rw")->front().access, "rw");
  EXPECT_EQ(ParseDevice("/dev/null:rw")->front().path, "/dev/null");
}

TEST(RuntimeDevicesTest, WhatIsNoDeviceIsRefused) {
  for (const char* spec : {"", "null", "/dev/null:x:y:z", "/dev/null:/a:q"})
    EXPECT_THAT(ParseDevice(spec).error().message(), HasSubstr("invalid device specification")) << spec;
  for (const char* spec : {"/etc/passwd", "/no/such/device", "/etc"})
    EXPECT_THAT(ParseDevice(spec).error().message(), HasSubstr("not a device node")) << spec;
}

TEST(RuntimeDevicesTest, ThoseOfTheMachineAreWithoutTerminalsOfOthers) {
  std::vector<std::string> paths;
  const std::vector<Device> devices = *HostDevices();
  for (const Device& device : devices) paths.push_back(device.path);
  EXPECT_THAT(paths, testing::Contains("/dev/null"));
  EXPECT_THAT(paths, Not(testing::Contains(testing::StartsWith("/dev/pts/"))));
}

TEST(RuntimeUlimitsTest, ASoftLimitAloneIsTheHardOneToo) {
  EXPECT_THAT(*ParseUlimits({"core=0", "nofile=16:32", "nofile=8"}),
              ElementsAre(Rlimit{"RLIMIT_CORE", 0, 0}, Rlimit{"RLIMIT_NOFILE", 8, 8}));
}

TEST(RuntimeUlimitsTest, WhatIsNotOneIsRefused) {
  EXPECT_THAT(ParseUlimits({"files=1"}).error().message(), HasSubstr("invalid ulimit type: files"));
  for (const char* ulimit : {"nofile", "nofile=", "nofile=x", "nofile=1:", "nofile=1:2:3", "nofile=-2"})
    EXPECT_THAT(ParseUlimits({ulimit}).error().message(), HasSubstr("invalid ulimit argument")) << ulimit;
  EXPECT_THAT(ParseUlimits({"nofile=2:1"}).error().message(), HasSubstr("less than or equal to hard limit: 2 > 1"));
}

TEST(RuntimeUlimitsTest, MoreThanOurHardLimitIsRefusedWhereWeMayNotRaiseIt) {
  struct rlimit ours{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &ours), 0);
  const bool may_raise = ::prctl(PR_CAPBSET_READ, CAP_SYS_RESOURCE) == 1;
  EXPECT_TRUE(ParseUlimits({"nofile=" + std::to_string(ours.rlim_max)}).ok());
  EXPECT_EQ(ParseUlimits({"nofile=1:" + std::to_string(ours.rlim_max + 1)}).ok(), may_raise);
}

}  // namespace
}  // namespace varve
