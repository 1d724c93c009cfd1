#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "cli/runtime/upper.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

namespace fs = std::filesystem;

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A lower and an upper directory as overlayfs leaves them.
class RuntimeUpperTest : public testing::Test {
 protected:
  RuntimeUpperTest() {
    for (const char* name : {"lower", "upper"}) fs::create_directory(directory_ / name);
  }
  // Directories that are on both sides have the same time, as after a copy-up.
  void Directory(const std::string& path) const {
    fs::create_directories(directory_ / path);
    const std::array<timespec, 2> times = {{{.tv_sec = 5, .tv_nsec = 0}, {.tv_sec = 6, .tv_nsec = 0}}};
    ASSERT_EQ(::utimensat(AT_FDCWD, (directory_ / path).c_str(), times.data(), 0), 0);
  }
  void File(const std::string& path, const std::string& text = "x") const { std::ofstream(directory_ / path) << text; }
  void Whiteout(const std::string& path) const {
    ASSERT_EQ(::mknod((directory_ / path).c_str(), S_IFCHR, ::makedev(0, 0)), 0);
  }
  void Opaque(const std::string& path) const {
    ASSERT_EQ(::setxattr((directory_ / path).c_str(), "trusted.overlay.opaque", "y", 1, 0), 0);
  }
  UniqueFd Open(const std::string& name) const {
    return UniqueFd(::open((directory_ / name).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  std::vector<std::string> Diff() const {
    const Result<std::vector<Change>> changes = ChangesOf(Open("upper").get(), Open("lower").get());
    EXPECT_TRUE(changes.ok()) << changes.error().message();
    std::vector<std::string> lines;
    for (const Change& change : *changes)
      lines.push_back(std::string(1, static_cast<char>(change.kind)) + " " + change.path);
    return lines;
  }

  const TempDir directory_;
};

TEST_F(RuntimeUpperTest, WhatIsNewIsAddedAndItsDirectoryChanged) {
  Directory("lower/srv");
  Directory("upper/srv");
  File("upper/srv/new");
  EXPECT_THAT(Diff(), ElementsAre("C /srv", "A /srv/new"));
}

TEST_F(RuntimeUpperTest, AChangedFileAloneDoesNotChangeItsDirectory) {
  Directory("lower/srv");
  File("lower/srv/file");
  Directory("upper/srv");
  File("upper/srv/file");
  for (const char* side : {"lower/srv", "upper/srv"}) Directory(side);
  EXPECT_THAT(Diff(), ElementsAre("C /srv/file"));
}

TEST_F(RuntimeUpperTest, AWhiteoutIsADeletionOfWhatTheImageHas) {
  Directory("lower/srv");
  File("lower/srv/file");
  Directory("upper/srv");
  Whiteout("upper/srv/file");
  Whiteout("upper/srv/made_and_removed_again");
  EXPECT_THAT(Diff(), ElementsAre("C /srv", "D /srv/file"));
}

TEST_F(RuntimeUpperTest, OfAnOpaqueDirectoryWhatIsNotThereAnyMoreIsDeletedHoweverDeep) {
  fs::create_directories(directory_ / "lower/srv/sub");
  File("lower/srv/old");
  File("lower/srv/kept");
  File("lower/srv/sub/old");
  fs::create_directories(directory_ / "upper/srv/sub");
  File("upper/srv/kept");
  File("upper/srv/sub/new");
  Opaque("upper/srv");
  EXPECT_THAT(Diff(),
              ElementsAre("C /srv", "C /srv/kept", "D /srv/old", "C /srv/sub", "A /srv/sub/new", "D /srv/sub/old"));
}

TEST_F(RuntimeUpperTest, AModeMakesADirectoryChanged) {
  for (const char* side : {"lower/srv", "upper/srv"}) Directory(side);
  ASSERT_EQ(::chmod((directory_ / "upper/srv").c_str(), 0700), 0);
  EXPECT_THAT(Diff(), ElementsAre("C /srv"));
}

TEST_F(RuntimeUpperTest, WhatIsMadeForMountsIsNobodysChange) {
  Directory("lower/etc");
  for (const char* path : {"upper/etc", "upper/dev/pts", "upper/proc"}) fs::create_directories(directory_ / path);
  for (const char* path : {"upper/.dockerenv", "upper/etc/hosts", "upper/dev/console"}) File(path, "");
  fs::create_symlink("/proc/mounts", directory_ / "upper/etc/mtab");
  EXPECT_THAT(Diff(), IsEmpty());
  File("upper/etc/own", "");
  EXPECT_THAT(Diff(), ElementsAre("C /etc", "A /etc/own"));
}

TEST_F(RuntimeUpperTest, AFileThatHidesADirectoryIsAChangeOfIt) {
  fs::create_directories(directory_ / "lower/srv/sub");
  File("upper/srv");
  EXPECT_THAT(Diff(), ElementsAre("C /srv"));
}

// A container may turn a directory into a symlink while it is read.
TEST_F(RuntimeUpperTest, NoSymlinkIsFollowed) {
  fs::create_directory_symlink("/etc", directory_ / "upper/link");
  fs::create_directory_symlink("/etc", directory_ / "lower/etc");
  fs::create_directory(directory_ / "upper/etc");
  File("upper/etc/passwd");
  EXPECT_THAT(Diff(), ElementsAre("C /etc", "A /etc/passwd", "A /link"));
}

}  // namespace
}  // namespace varve
