#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/runtime/spec.h"

namespace varve {
namespace {

using Json = nlohmann::json;
using ::testing::Contains;
using ::testing::Not;

ContainerSpec Spec() {
  ContainerSpec spec;
  spec.args = {"/bin/sh", "-c", "true"};
  spec.env = {"A=b"};
  spec.cwd = "/app";
  spec.capabilities = {"CAP_CHOWN"};
  spec.user.groups = {0};
  spec.hostname = "box";
  return spec;
}
Json ConfigOf(const ContainerSpec& spec) { return Json::parse(*OciRuntimeConfig(spec, "0123")); }

TEST(RuntimeSpecTest, TheProcessOfRootHasItsCapabilities) {
  EXPECT_EQ(ConfigOf(Spec())["process"], Json::parse(R"({
    "terminal": false, "args": ["/bin/sh", "-c", "true"], "env": ["A=b"], "cwd": "/app", "noNewPrivileges": false,
    "user": {"uid": 0, "gid": 0, "additionalGids": [0]},
    "capabilities": {"bounding": ["CAP_CHOWN"], "permitted": ["CAP_CHOWN"], "effective": ["CAP_CHOWN"]}})"));
}

TEST(RuntimeSpecTest, AnyOtherUserKeepsOnlyTheBoundingSet) {
  ContainerSpec spec = Spec();
  spec.user = {.uid = 1000, .gid = 50, .groups = {50, 7}};
  const Json process = ConfigOf(spec)["process"];
  EXPECT_EQ(process["capabilities"], Json::parse(R"({"bounding": ["CAP_CHOWN"]})"));
  EXPECT_EQ(process["user"], Json::parse(R"({"uid": 1000, "gid": 50, "additionalGids": [50, 7]})"));
}

TEST(RuntimeSpecTest, RlimitsAreTouchedOnlyWhereAskedFor) {
  EXPECT_FALSE(ConfigOf(Spec())["process"].contains("rlimits"));
  ContainerSpec spec = Spec();
  spec.limits.rlimits = {{.type = "RLIMIT_NOFILE", .soft = 64, .hard = 128}};
  EXPECT_EQ(ConfigOf(spec)["process"]["rlimits"],
            Json::parse(R"([{"type": "RLIMIT_NOFILE", "soft": 64, "hard": 128}])"));
}

TEST(RuntimeSpecTest, AnInitStandsBeforeTheCommand) {
  ContainerSpec spec = Spec();
  spec.first_process = FirstProcess::kInit;
  EXPECT_EQ(ConfigOf(spec)["process"]["args"], Json({"/dev/init", "--", "/bin/sh", "-c", "true"}));
}

TEST(RuntimeSpecTest, ADeviceIsMadeAndAllowed) {
  ContainerSpec spec = Spec();
  spec.devices = {
      {.path = "/dev/x", .type = 'b', .major = 8, .minor = 1, .mode = 0640, .uid = 0, .gid = 6, .access = "r"}};
  const Json linux_part = ConfigOf(spec)["linux"];
  EXPECT_EQ(linux_part["devices"], Json::parse(R"([{"path": "/dev/x", "type": "b", "major": 8, "minor": 1,
    "fileMode": 416, "uid": 0, "gid": 6}])"));
  EXPECT_EQ(linux_part["resources"]["devices"].back(),
            Json::parse(R"({"allow": true, "type": "b", "major": 8, "minor": 1, "access": "r"})"));
}

TEST(RuntimeSpecTest, APrivilegedContainerIsHeldBackByNothing) {
  ContainerSpec spec = Spec();
  spec.privileged = Privileged::kYes;
  spec.security.system_paths = SystemPaths::kOpen;
  const Json linux_part = ConfigOf(spec)["linux"];
  EXPECT_FALSE(linux_part.contains("maskedPaths") || linux_part.contains("readonlyPaths") ||
               linux_part.contains("seccomp"));
  EXPECT_EQ(linux_part["resources"]["devices"], Json::parse(R"([{"allow": true, "access": "rwm"}])"));
}

TEST(RuntimeSpecTest, TheSeccompProfileIsWrittenAsResolved) {
  ContainerSpec spec = Spec();
  spec.security.seccomp = R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []})";
  EXPECT_EQ(ConfigOf(spec)["linux"]["seccomp"], Json::parse(spec.security.seccomp));
}

TEST(RuntimeSpecTest, ANetworkNamespaceIsMadeOrTakenButForTheHosts) {
  ContainerSpec spec = Spec();
  const Json network = {{"type", "network"}};
  EXPECT_THAT(ConfigOf(spec)["linux"]["namespaces"], Not(Contains(network)));
  spec.network = NetworkKind::kNone;
  EXPECT_THAT(ConfigOf(spec)["linux"]["namespaces"], Contains(network));
  spec.network = NetworkKind::kNamed;
  spec.network_namespace = "/here";
  EXPECT_THAT(ConfigOf(spec)["linux"]["namespaces"], Contains(Json{{"type", "network"}, {"path", "/here"}}));
  EXPECT_THAT(ConfigOf(spec)["linux"]["namespaces"], Not(Contains(Json{{"type", "time"}})));
}

TEST(RuntimeSpecTest, DevicesAreDeniedButForTheHarmlessOnes) {
  EXPECT_EQ(ConfigOf(Spec())["linux"]["resources"]["devices"], Json::parse(R"([
    {"allow": false, "access": "rwm"},
    {"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rwm"},
    {"allow": true, "type": "c", "major": 1, "minor": 5, "access": "rwm"},
    {"allow": true, "type": "c", "major": 1, "minor": 7, "access": "rwm"},
    {"allow": true, "type": "c", "major": 1, "minor": 8, "access": "rwm"},
    {"allow": true, "type": "c", "major": 1, "minor": 9, "access": "rwm"},
    {"allow": true, "type": "c", "major": 5, "minor": 0, "access": "rwm"},
    {"allow": true, "type": "c", "major": 5, "minor": 1, "access": "rwm"},
    {"allow": false, "type": "c", "major": 10, "minor": 229, "access": "rwm"}])"));
}

// In the runtime-spec's terms, which runc turns into those of cgroups v1 or v2.
TEST(RuntimeSpecTest, OnlyLimitsThatWereAskedForAreThere) {
  Json resources = ConfigOf(Spec())["linux"]["resources"];
  resources.erase("devices");
  EXPECT_EQ(resources, Json::object());
  ContainerSpec spec = Spec();
  spec.limits = {
      .memory_bytes = 64 << 20, .memory_and_swap_bytes = -1, .cpu_quota_us = 50'000, .cpuset = "0-1", .processes = 12};
  resources = ConfigOf(spec)["linux"]["resources"];
  resources.erase("devices");
  EXPECT_EQ(resources, Json::parse(R"({
    "memory": {"limit": 67108864, "swap": -1},
    "cpu": {"quota": 50000, "period": 100000, "cpus": "0-1"},
    "pids": {"limit": 12}})"));
}

TEST(RuntimeSpecTest, KernelInterfacesAreMaskedOrReadOnly) {
  const Json linux_part = ConfigOf(Spec())["linux"];
  for (const char* path : {"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
                           "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list",
                           "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware"}) {
    EXPECT_THAT(linux_part["maskedPaths"], Contains(Json(path)));
  }
  EXPECT_EQ(linux_part["readonlyPaths"],
            Json::parse(R"(["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"])"));
}

TEST(RuntimeSpecTest, MountsLabelsAndRootAreWrittenAsGiven) {
  ContainerSpec spec = Spec();
  spec.mounts = {{"/v", "bind", "/srv", {"rbind", "ro"}}};
  spec.labels = {{"a", "b"}};
  spec.root_access = RootAccess::kReadOnly;
  const Json config = ConfigOf(spec);
  EXPECT_EQ(config["mounts"],
            Json::parse(R"([{"destination": "/v", "type": "bind", "source": "/srv", "options": ["rbind", "ro"]}])"));
  EXPECT_EQ(config["annotations"], Json::parse(R"({"a": "b"})"));
  EXPECT_EQ(config["root"], Json::parse(R"({"path": "rootfs", "readonly": true})"));
  EXPECT_EQ(config["hostname"], "box");
  EXPECT_EQ(config["linux"]["cgroupsPath"], "/varve/0123");
}

TEST(RuntimeSpecTest, TextThatIsNotUtf8IsRefused) {
  ContainerSpec spec = Spec();
  spec.env = {"A=\xff"};
  EXPECT_EQ(OciRuntimeConfig(spec, "0123").error().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace varve
