#include "cli/archive/tree_tar.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "cli/archive/extract_tar.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

namespace fs = std::filesystem;

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TreeTarTest : public testing::Test {
 protected:
  TreeTarTest() {
    for (const char* name : {"from", "to", "lower"}) fs::create_directory(directory_ / name);
  }
  UniqueFd Open(const std::string& name) const {
    return UniqueFd(::open((directory_ / name).c_str(), O_PATH | O_CLOEXEC));
  }
  void File(const std::string& path, const std::string& text) const { std::ofstream(directory_ / path) << text; }
  std::string Contents(const std::string& path) const {
    std::ifstream file(directory_ / path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static TreeTar::Sink Into(Bytes& tar) {
    return [&tar](ByteSpan piece) -> Status {
      tar.insert(tar.end(), piece.begin(), piece.end());
      return Ok();
    };
  }
  Bytes Tar(const std::string& path, const std::string& name, std::optional<TarOwner> owner = std::nullopt) const {
    Bytes tar;
    EXPECT_TRUE(WriteTree(Open(path).get(), name, owner, Into(tar)).ok());
    return tar;
  }
  Status Extract(Bytes tar, std::optional<int> root, int directory) const {
    return ExtractTar(root, directory, [&]() -> Result<Bytes> { return std::exchange(tar, {}); });
  }
  // What GNU tar lists of it.
  std::vector<std::string> Names(const Bytes& tar) const {
    File("list.tar", std::string(AsText(tar)));
    const std::string command = "tar -tf " + (directory_ / "list.tar");
    FILE* const output = ::popen(command.c_str(), "r");
    std::vector<std::string> names;
    for (std::array<char, 4096> line; std::fgets(line.data(), line.size(), output) != nullptr;)
      names.emplace_back(line.data(), std::string_view(line.data()).size() - 1);
    EXPECT_EQ(::pclose(output), 0);
    return names;
  }

  const TempDir directory_;
};

TEST_F(TreeTarTest, ATreeComesBackAsItWas) {
  fs::create_directory(directory_ / "from/d");
  File("from/d/file", std::string(1 << 20, 'x'));
  File("from/n\xc3\xa9 \xff", "bytes are names");
  ASSERT_EQ(::link((directory_ / "from/d/file").c_str(), (directory_ / "from/link").c_str()), 0);
  ASSERT_EQ(::symlink("/no/such", (directory_ / "from/symlink").c_str()), 0);
  ASSERT_EQ(::mknod((directory_ / "from/null").c_str(), S_IFCHR | 0640, ::makedev(1, 3)), 0);
  ASSERT_EQ(::mkfifo((directory_ / "from/fifo").c_str(), 0600), 0);
  ASSERT_EQ(::chown((directory_ / "from/d/file").c_str(), 3'000'000, 12), 0);
  ASSERT_EQ(::chmod((directory_ / "from/d/file").c_str(), 04711), 0);
  ASSERT_EQ(::setxattr((directory_ / "from/d/file").c_str(), "user.a", "b\0c", 3, 0), 0);
  ASSERT_TRUE(Extract(Tar("from", ""), std::nullopt, Open("to").get()).ok());

  EXPECT_EQ(Contents("to/d/file"), std::string(1 << 20, 'x'));
  EXPECT_EQ(Contents("to/n\xc3\xa9 \xff"), "bytes are names");
  EXPECT_TRUE(fs::equivalent(directory_ / "to/d/file", directory_ / "to/link"));
  EXPECT_EQ(fs::read_symlink(directory_ / "to/symlink"), "/no/such");
  struct stat info{};
  ASSERT_EQ(::lstat((directory_ / "to/d/file").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 04711u);
  EXPECT_EQ(info.st_uid, 3'000'000u);
  ASSERT_EQ(::lstat((directory_ / "to/null").c_str(), &info), 0);
  EXPECT_EQ(info.st_rdev, ::makedev(1, 3));
  EXPECT_TRUE(fs::is_fifo(directory_ / "to/fifo"));
  std::array<char, 8> value{};
  EXPECT_EQ(::getxattr((directory_ / "to/d/file").c_str(), "user.a", value.data(), value.size()), 3);
}

TEST_F(TreeTarTest, TheSameTreeGivesTheSameBytes) {
  for (const char* name : {"from/b", "from/a", "from/c"}) File(name, name);
  EXPECT_EQ(Tar("from", ""), Tar("from", ""));
  EXPECT_THAT(Names(Tar("from", "")), ElementsAre("a", "b", "c"));
}

TEST_F(TreeTarTest, WhatIsNamedStandsUnderThatName) {
  File("from/a", "x");
  EXPECT_THAT(Names(Tar("from", "other")), ElementsAre("other/", "other/a"));
  EXPECT_THAT(Names(Tar("from/a", "b")), ElementsAre("b"));
}

TEST_F(TreeTarTest, AnOwnerIsEverybodys) {
  File("from/a", "x");
  ASSERT_TRUE(Extract(Tar("from", "", TarOwner{7, 8}), std::nullopt, Open("to").get()).ok());
  struct stat info{};
  ASSERT_EQ(::stat((directory_ / "to/a").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 7u);
  EXPECT_EQ(info.st_gid, 8u);
}

// OCI image-spec, layer.md, "Whiteouts".
TEST_F(TreeTarTest, OverlayfsMarksBecomeThoseOfALayer) {
  fs::create_directories(directory_ / "lower/srv");
  fs::create_directories(directory_ / "from/srv/sub");
  File("from/srv/sub/new", "x");
  ASSERT_EQ(::mknod((directory_ / "from/srv/gone").c_str(), S_IFCHR, ::makedev(0, 0)), 0);
  ASSERT_EQ(::mknod((directory_ / "from/top").c_str(), S_IFCHR, ::makedev(0, 0)), 0);
  ASSERT_EQ(::setxattr((directory_ / "from/srv/sub").c_str(), "trusted.overlay.opaque", "y", 1, 0), 0);
  Bytes tar;
  ASSERT_TRUE(WriteLayer(Open("from").get(), Open("lower").get(), Into(tar)).ok());
  EXPECT_THAT(Names(tar),
              ElementsAre("srv/", "srv/.wh.gone", "srv/sub/", "srv/sub/.wh..wh..opq", "srv/sub/new", ".wh.top"));
  EXPECT_EQ(AsText(tar).find("trusted.overlay"), std::string_view::npos);
}

TEST_F(TreeTarTest, ANameThatWouldBeAMarkIsRefused) {
  File("from/.wh.x", "x");
  Bytes tar;
  EXPECT_THAT(WriteLayer(Open("from").get(), Open("lower").get(), Into(tar)).error().message(), HasSubstr("/.wh.x"));
}

// CVE-2018-15664 and its like: whatever symlinks the container has, they lead to its own files.
TEST_F(TreeTarTest, InARootSymlinksAreFollowedAndNoneLeadsOut) {
  for (const char* path : {"from/lib", "from/out", "to/usr/lib", "outside"}) fs::create_directories(directory_ / path);
  for (const char* path : {"from/lib/file", "from/out/file"}) File(path, "x");
  fs::create_directory_symlink("usr/lib", directory_ / "to/lib");
  fs::create_directory_symlink(directory_ / "outside", directory_ / "to/out");
  ASSERT_TRUE(Extract(Tar("from", ""), Open("to").get(), Open("to").get()).ok());
  EXPECT_EQ(Contents("to/usr/lib/file"), "x");
  EXPECT_TRUE(fs::is_empty(directory_ / "outside"));
  EXPECT_EQ(Contents("to/out/file"), "x");
}

TEST_F(TreeTarTest, WithoutARootNoSymlinkIsFollowed) {
  for (const char* path : {"from/out", "outside"}) fs::create_directories(directory_ / path);
  File("from/out/file", "x");
  fs::create_directory_symlink(directory_ / "outside", directory_ / "to/out");
  const Bytes through = Tar("from/out/file", "out/file");
  EXPECT_THAT(Extract(through, std::nullopt, Open("to").get()).error().message(), HasSubstr("symlink"));
  ASSERT_TRUE(Extract(Tar("from", ""), std::nullopt, Open("to").get()).ok());  // the directory replaces it
  EXPECT_EQ(Contents("to/out/file"), "x");
  EXPECT_TRUE(fs::is_empty(directory_ / "outside"));
}

TEST_F(TreeTarTest, AMemberThatGoesUpIsRefused) {
  File("from/a", "x");
  Bytes tar = Tar("from/a", "../up");
  EXPECT_THAT(Extract(tar, std::nullopt, Open("to").get()).error().message(), HasSubstr(".."));
  EXPECT_FALSE(fs::exists(directory_ / "up"));
}

TEST_F(TreeTarTest, ATarThatIsCutShortIsAnError) {
  File("from/a", std::string(10'000, 'x'));
  Bytes tar = Tar("from", "");
  tar.resize(tar.size() / 2);
  EXPECT_FALSE(Extract(tar, std::nullopt, Open("to").get()).ok());
}

}  // namespace
}  // namespace varve
