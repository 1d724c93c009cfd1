#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cli/runtime/cgroups.h"
#include "cli/runtime/usage.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using ::testing::UnorderedElementsAre;

constexpr pid_t kNobody = 0;

// What a kernel shows of cgroups, as far as a container's are looked at.
class RuntimeCgroupsTest : public testing::Test {
 protected:
  void Write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = directory_ / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  void MakeUnified() { Write("cgroup.controllers", "cpu io memory pids\n"); }
  // What both kinds of hierarchies below say, each in its words.
  void ExpectUsage() const {
    const Usage usage = *ReadUsage("web", kNobody, root());
    EXPECT_EQ(usage.cpu_ns, 1'500'000u);
    EXPECT_EQ(usage.memory_bytes, 4096u);
    EXPECT_EQ(usage.memory_limit_bytes, 65536u);
    EXPECT_EQ(usage.read_bytes, 300u);
    EXPECT_EQ(usage.written_bytes, 30u);
    EXPECT_EQ(usage.processes, 3u);
  }
  std::string root() const { return directory_.path(); }

 private:
  const TempDir directory_;
};

TEST_F(RuntimeCgroupsTest, UsageIsReadFromOneHierarchy) {
  MakeUnified();
  Write("varve/web/cpu.stat", "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\n");
  Write("varve/web/memory.current", "8192\n");
  Write("varve/web/memory.stat", "anon 4096\nfile 4096\ninactive_file 4096\n");
  Write("varve/web/memory.max", "65536\n");
  Write("varve/web/io.stat", "8:0 rbytes=100 wbytes=10 rios=1 wios=1\n8:16 rbytes=200 wbytes=20 rios=1 wios=1\n");
  Write("varve/web/pids.current", "3\n");
  ExpectUsage();
}

TEST_F(RuntimeCgroupsTest, UsageIsReadFromAHierarchyAController) {
  Write("cpuacct/varve/web/cpuacct.usage", "1500000\n");
  Write("memory/varve/web/memory.usage_in_bytes", "8192\n");
  Write("memory/varve/web/memory.stat", "cache 4096\ninactive_file 1\ntotal_inactive_file 4096\n");
  Write("memory/varve/web/memory.limit_in_bytes", "65536\n");
  Write("blkio/varve/web/blkio.throttle.io_service_bytes_recursive",
        "8:0 Read 100\n8:0 Write 10\n8:0 Total 110\n8:16 Read 200\n8:16 Write 20\nTotal 330\n");
  Write("pids/varve/web/pids.current", "3\n");
  ExpectUsage();
}

TEST_F(RuntimeCgroupsTest, WithoutALimitTheMachinesMemoryIsIt) {
  MakeUnified();
  Write("varve/web/memory.max", "max\n");
  const std::uint64_t machine = ReadUsage("web", kNobody, root())->memory_limit_bytes;
  EXPECT_GT(machine, 1u << 20);
  Write("varve/web/memory.max", "9223372036854771712\n");
  EXPECT_EQ(ReadUsage("web", kNobody, root())->memory_limit_bytes, machine);
}

TEST_F(RuntimeCgroupsTest, AContainerWithoutCgroupsUsesNothing) {
  EXPECT_EQ(ReadUsage("web", kNobody, root()).error().code(), Code::kNotFound);
}

TEST_F(RuntimeCgroupsTest, FrozenIsWhatItsHierarchySays) {
  EXPECT_FALSE(IsFrozen("web", root()));
  Write("freezer/varve/web/freezer.state", "FROZEN\n");
  EXPECT_TRUE(IsFrozen("web", root()));
  Write("freezer/varve/web/freezer.state", "THAWED\n");
  EXPECT_FALSE(IsFrozen("web", root()));
  MakeUnified();
  Write("varve/web/cgroup.freeze", "1\n");
  EXPECT_TRUE(IsFrozen("web", root()));
  Write("varve/web/cgroup.freeze", "0\n");
  EXPECT_FALSE(IsFrozen("web", root()));
}

TEST_F(RuntimeCgroupsTest, ProcessesInCgroupsThatItMadeAreItsOwn) {
  Write("pids/varve/web/cgroup.procs", "10\n11\n");
  Write("pids/varve/web/below/it/cgroup.procs", "12\n");
  EXPECT_THAT(ProcessesIn("web", root()), UnorderedElementsAre(10, 11, 12));
  MakeUnified();
  Write("varve/web/cgroup.procs", "20\n");
  EXPECT_THAT(ProcessesIn("web", root()), UnorderedElementsAre(20));
}

}  // namespace
}  // namespace varve
