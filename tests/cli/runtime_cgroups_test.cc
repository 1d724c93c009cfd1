#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cli/runtime/cgroups.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

// What a kernel shows of cgroups, as far as a container's are looked at.
class RuntimeCgroupsTest : public testing::Test {
 protected:
  void Write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = directory_ / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  void MakeUnified() { Write("cgroup.controllers", "cpu io memory pids\n"); }
  std::string root() const { return directory_.path(); }

 private:
  const TempDir directory_;
};

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

}  // namespace
}  // namespace varve
