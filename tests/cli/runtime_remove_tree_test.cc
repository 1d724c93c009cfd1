#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "cached/base/fd.h"
#include "cli/runtime/remove_tree.h"
#include "cli/runtime/walk_tree.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

TEST(RuntimeRemoveTreeTest, WhatIsNotThereIsRemoved) { EXPECT_TRUE(RemoveTree("/no/such/tree").ok()); }

TEST(RuntimeRemoveTreeTest, ASymlinkIsRemovedAndItsTargetStays) {
  const TempDir directory;
  std::filesystem::create_directories(directory / "kept/inner");
  std::filesystem::create_directories(directory / "tree");
  std::filesystem::create_directory_symlink(directory / "kept", directory / "tree/link");
  ASSERT_TRUE(RemoveTree(directory / "tree").ok());
  EXPECT_FALSE(std::filesystem::exists(directory / "tree"));
  EXPECT_TRUE(std::filesystem::exists(directory / "kept/inner"));
}

TEST(RuntimeRemoveTreeTest, ADirectoryWithoutPermissionsIsRemoved) {
  const TempDir directory;
  std::filesystem::create_directories(directory / "tree/work/a");
  ASSERT_EQ(::chmod((directory / "tree/work").c_str(), 0), 0);
  EXPECT_TRUE(RemoveTree(directory / "tree").ok());
}

TEST(RuntimeRemoveTreeTest, NoDepthIsTooDeep) {
  const TempDir directory;
  ASSERT_EQ(::mkdir((directory / "tree").c_str(), 0755), 0);
  UniqueFd deepest(::open((directory / "tree").c_str(), O_RDONLY | O_DIRECTORY));
  const std::string name(200, 'd');
  for (int depth = 0; depth < 3000; ++depth) {
    ASSERT_EQ(::mkdirat(deepest.get(), name.c_str(), 0755), 0);
    ASSERT_EQ(::mkdirat(deepest.get(), "sibling", 0755), 0);
    deepest.Reset(::openat(deepest.get(), name.c_str(), O_RDONLY | O_DIRECTORY));
  }
  deepest.Reset();
  EXPECT_GT(DiskBytes(directory / "tree"), 0u) << "as far as paths reach";
  const Status removed = RemoveTree(directory / "tree");
  EXPECT_TRUE(removed.ok()) << removed.error().message();
  EXPECT_FALSE(std::filesystem::exists(directory / "tree"));
}

TEST(RuntimeDiskBytesTest, AFileWithTwoNamesIsCountedOnce) {
  constexpr std::size_t kFileBytes = 1 << 20;
  const TempDir directory;
  std::filesystem::create_directories(directory / "tree");
  std::ofstream(directory / "tree/a") << std::string(kFileBytes, 'x');
  ASSERT_EQ(::link((directory / "tree/a").c_str(), (directory / "tree/b").c_str()), 0);
  EXPECT_GE(DiskBytes(directory / "tree"), kFileBytes);
  EXPECT_LT(DiskBytes(directory / "tree"), 2 * kFileBytes);
  EXPECT_EQ(DiskBytes(directory / "none"), 0u);
}

TEST(RuntimeRemoveTreeTest, NamesLikeOurOwnAreRemovedToo) {
  const TempDir directory;
  std::filesystem::create_directories(directory / "tree/.varve-removed-0/x/y");
  std::filesystem::create_directories(directory / "tree/a/b/c");
  ASSERT_TRUE(RemoveTree(directory / "tree").ok());
  EXPECT_FALSE(std::filesystem::exists(directory / "tree"));
}

}  // namespace
}  // namespace varve
