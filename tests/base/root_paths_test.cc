#include "cached/base/root_paths.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "tests/support/temp_dir.h"

namespace varve {
namespace {

Result<RootPaths> With(const std::string& root) {
  ::setenv("VARVE_ROOT", root.c_str(), 1);  // NOLINT(concurrency-mt-unsafe): one thread
  auto paths = RootPaths::FromEnvironment();
  ::unsetenv("VARVE_ROOT");  // NOLINT(concurrency-mt-unsafe)
  return paths;
}

TEST(RootPathsTest, ARootHasOnePathHoweverItIsSpelled) {
  const TempDir directory;
  const std::string base = std::filesystem::canonical(directory.path()).string();
  std::filesystem::create_directory(base + "/root");
  std::filesystem::create_symlink("root", base + "/link");
  for (const char* spelling : {"/root", "/root/", "//root", "/link", "/link/.", "/link/../root//"})
    EXPECT_EQ(With(base + spelling)->root, base + "/root") << spelling;
}

TEST(RootPathsTest, ARootThatIsNotThereYetHasOnePathToo) {
  const TempDir directory;
  const std::string base = std::filesystem::canonical(directory.path()).string();
  EXPECT_EQ(With(base + "/a//b/")->root, base + "/a/b");
}

TEST(RootPathsTest, ARelativeRootIsRefusedByName) {
  const auto paths = With("here");
  ASSERT_FALSE(paths.ok());
  EXPECT_EQ(paths.error().message(), "VARVE_ROOT=here: it needs to be an absolute path");
}

TEST(RootPathsTest, WithoutOneTheSocketsAreOutsideOfTheRoot) {
  const auto paths = With("");
  EXPECT_EQ(paths->root, "/var/lib/varve");
  EXPECT_EQ(paths->socket("cached"), "/run/varve/cached.sock");
}

}  // namespace
}  // namespace varve
