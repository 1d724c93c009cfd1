#include <fcntl.h>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "cached/base/fd.h"
#include "cached/base/fs.h"
#include "cli/runtime/user.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view kPasswd =
    "root:x:0:0:root:/root:/bin/sh\n"
    "bad line\n"
    "broken:x:abc:1::/:/bin/sh\n"
    "app:x:1000:1001:App:/home/app:/bin/sh\n"
    "app:x:2000:2000:second:/:/bin/sh\n"
    "7:x:77:78::/:/bin/sh\n"
    "last:x:3:4::/:";
constexpr std::string_view kGroup =
    "root:x:0:\n"
    "wheel:x:10:root,app\n"
    "apps:x:1001:app\n"
    "audio:x:29:other,app,third\n"
    "nearly:x:30:application\n"
    "bad:x:-5:app\n"
    "7:x:77:";

ContainerUser Resolve(std::string_view spec) {
  const auto user = ResolveUser(spec, kPasswd, kGroup);
  EXPECT_TRUE(user.ok()) << user.error().message();
  return user.ok() ? *user : ContainerUser{.uid = 99999, .gid = 99999, .groups = {}};
}

TEST(RuntimeUserTest, NobodyNamedIsRoot) {
  EXPECT_EQ(Resolve("").uid, 0u);
  EXPECT_EQ(Resolve("").gid, 0u);
  EXPECT_THAT(Resolve("").groups, ElementsAre(0, 10));
}

TEST(RuntimeUserTest, ANameIsItsFirstLineWithTheGroupsThatListIt) {
  const ContainerUser user = Resolve("app");
  EXPECT_EQ(user.uid, 1000u);
  EXPECT_EQ(user.gid, 1001u);
  EXPECT_THAT(user.groups, ElementsAre(1001, 10, 29));
}

TEST(RuntimeUserTest, ANumberWithALineIsThatUser) { EXPECT_THAT(Resolve("1000").groups, ElementsAre(1001, 10, 29)); }

TEST(RuntimeUserTest, ANumberIsNeverAName) {
  EXPECT_EQ(Resolve("7").uid, 7u);
  EXPECT_EQ(Resolve("0:7").gid, 7u);
}

TEST(RuntimeUserTest, ANumberWithoutALineHasGroupZero) {
  const ContainerUser user = Resolve("4242");
  EXPECT_EQ(user.uid, 4242u);
  EXPECT_THAT(user.groups, ElementsAre(0));
}

TEST(RuntimeUserTest, AnExplicitGroupDropsTheOthers) {
  EXPECT_THAT(Resolve("app:audio").groups, ElementsAre(29));
  EXPECT_THAT(Resolve("app:4242").groups, ElementsAre(4242));
  EXPECT_THAT(Resolve(":audio").groups, ElementsAre(29));
}

TEST(RuntimeUserTest, TheLastLineNeedsNoNewline) { EXPECT_EQ(Resolve("last").gid, 4u); }

TEST(RuntimeUserTest, UnknownNamesAreErrors) {
  EXPECT_THAT(ResolveUser("nosuch", kPasswd, kGroup).error().message(), HasSubstr("unable to find user nosuch"));
  EXPECT_THAT(ResolveUser("app:nosuch", kPasswd, kGroup).error().message(), HasSubstr("unable to find group nosuch"));
  EXPECT_EQ(ResolveUser("broken", kPasswd, kGroup).error().code(), Code::kNotFound);
}

TEST(RuntimeUserTest, NumbersOutOfRangeAreErrors) {
  EXPECT_EQ(ResolveUser("2147483648", kPasswd, kGroup).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(ResolveUser("0:99999999999999999999", kPasswd, kGroup).error().code(), Code::kInvalidArgument);
}

TEST(RuntimeUserTest, ManyGroupsStopAtTheKernelsLimit) {
  std::string groups;
  for (std::size_t gid = 1; gid <= kSupplementaryGroupsMax; ++gid) groups += fmt::format("g{}:x:{}:root\n", gid, gid);
  EXPECT_EQ(ResolveUser("root", kPasswd, groups).error().code(), Code::kResourceExhausted);
}

class RuntimeUserInsideTest : public testing::Test {
 protected:
  RuntimeUserInsideTest() {
    std::filesystem::create_directories(directory_ / "root/etc");
    root_.Reset(::open((directory_ / "root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  void Write(std::string_view path, std::string_view text) {
    ASSERT_TRUE(WriteFileAtomically(Fs::Real(), directory_ / path, AsBytes(text)).ok());
  }
  Result<ContainerUser> Resolve(std::string_view spec, const std::vector<std::string>& more_groups = {}) {
    return ResolveUserInside(root_.get(), spec, more_groups);
  }

  const TempDir directory_;
  UniqueFd root_;
};

TEST_F(RuntimeUserInsideTest, AnImageWithoutAccountsKnowsNumbersOnly) {
  EXPECT_EQ(Resolve("1000:1000")->gid, 1000u);
  EXPECT_EQ(Resolve("root").error().code(), Code::kNotFound);
}

TEST_F(RuntimeUserInsideTest, MoreGroupsAreAddedOnceByNameOrNumber) {
  Write("root/etc/group", "disk:x:6:\n");
  EXPECT_EQ(Resolve("1000:1000", {"disk", "6", "1000", "77"})->groups, (std::vector<std::uint32_t>{1000, 6, 77}));
  EXPECT_EQ(Resolve("1000:1000", {"nosuch"}).error().code(), Code::kNotFound);
}

TEST_F(RuntimeUserInsideTest, ASymlinkedPasswdDoesNotLeadOutOfTheImage) {
  Write("passwd", "outside:x:1:1::/:\n");
  std::filesystem::create_symlink("../../passwd", directory_ / "root/etc/passwd");
  EXPECT_EQ(Resolve("outside").error().code(), Code::kNotFound);
  Write("root/passwd", "inside:x:2:2::/:\n");
  EXPECT_EQ(Resolve("inside")->uid, 2u);
}

TEST_F(RuntimeUserInsideTest, AFifoIsRefusedAtOnce) {
  ASSERT_EQ(::mkfifo((directory_ / "root/etc/passwd").c_str(), 0600), 0);
  EXPECT_EQ(Resolve("root").error().code(), Code::kInvalidArgument);
}

TEST_F(RuntimeUserInsideTest, AHugeFileIsRefused) {
  Write("root/etc/passwd", "root:x:0:0::/:\n");
  std::filesystem::resize_file(directory_ / "root/etc/passwd", kAccountFileBytesMax + 1);
  EXPECT_EQ(Resolve("root").error().code(), Code::kResourceExhausted);
}

}  // namespace
}  // namespace varve
