#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "cli/runtime/volumes.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

namespace fs = std::filesystem;

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RuntimeVolumesTest : public testing::Test {
 protected:
  VolumeRoom room() const { return VolumeRoom(directory_ / "volumes"); }
  std::string seed_path() const { return directory_ / "seed"; }
  UniqueFd Seed() const {
    fs::create_directories(seed_path());
    return UniqueFd(::open(seed_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  Status Provide(const std::string& name, std::optional<int> seed) const {
    VARVE_ASSIGN_OR_RETURN(LockedVolumes volumes, room().Lock());
    return volumes.Provide({.name = name, .created = "now"}, seed);
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    const Result<std::vector<Volume>> volumes = room().List();
    EXPECT_TRUE(volumes.ok());
    for (const Volume& volume : *volumes) names.push_back(volume.name);
    return names;
  }

  const TempDir directory_;
};

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void Write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

struct stat Look(const std::string& path) {
  struct stat info{};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
  return info;
}

TEST_F(RuntimeVolumesTest, AVolumeIsMadeOnceAndRemoved) {
  ASSERT_TRUE(Provide("b1", std::nullopt).ok());
  ASSERT_TRUE(Provide("a1", std::nullopt).ok());
  Write(room().DataOf("a1") + "/kept", "x");
  ASSERT_TRUE(Provide("a1", std::nullopt).ok());
  EXPECT_EQ(Contents(room().DataOf("a1") + "/kept"), "x");
  EXPECT_THAT(Names(), ElementsAre("a1", "b1"));
  ASSERT_TRUE(room().Lock()->Remove("a1").ok());
  EXPECT_THAT(Names(), ElementsAre("b1"));
  EXPECT_EQ(room().Find("a1").error().message(), "get a1: no such volume");
}

TEST_F(RuntimeVolumesTest, ANameThatIsAPathIsRefused) {
  EXPECT_EQ(Provide("../x", std::nullopt).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(room().Find("../x").error().code(), Code::kNotFound);
  EXPECT_EQ(room().Lock()->Remove("..").error().code(), Code::kInvalidArgument);
}

TEST_F(RuntimeVolumesTest, ASeedIsCopiedWithAllThatItIs) {
  const UniqueFd seed = Seed();
  fs::create_directories(seed_path() + "/d");
  Write(seed_path() + "/d/file", "text");
  ASSERT_EQ(::link((seed_path() + "/d/file").c_str(), (seed_path() + "/link").c_str()), 0);
  ASSERT_EQ(::symlink("/etc/passwd", (seed_path() + "/symlink").c_str()), 0);
  ASSERT_EQ(::mkfifo((seed_path() + "/fifo").c_str(), 0640), 0);
  ASSERT_EQ(::lchown((seed_path() + "/symlink").c_str(), 11, 12), 0);
  ASSERT_EQ(::chown((seed_path() + "/d/file").c_str(), 11, 12), 0);
  ASSERT_EQ(::chmod((seed_path() + "/d/file").c_str(), 04751), 0);
  ASSERT_EQ(::setxattr((seed_path() + "/d/file").c_str(), "user.a", "b", 1, 0), 0);
  ASSERT_EQ(::chown(seed_path().c_str(), 13, 14), 0);
  ASSERT_EQ(::chmod(seed_path().c_str(), 01770), 0);
  const std::array<timespec, 2> old = {{{.tv_sec = 5, .tv_nsec = 0}, {.tv_sec = 6, .tv_nsec = 7}}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (seed_path() + "/d").c_str(), old.data(), 0), 0);
  ASSERT_TRUE(Provide("v1", seed.get()).ok());

  const std::string data = room().DataOf("v1");
  EXPECT_EQ(Contents(data + "/d/file"), "text");
  EXPECT_EQ(Look(data + "/d/file").st_ino, Look(data + "/link").st_ino);
  EXPECT_EQ(Look(data + "/d/file").st_mode & 07777, 04751u);
  EXPECT_EQ(Look(data + "/d/file").st_uid, 11u);
  EXPECT_EQ(Look(data + "/symlink").st_gid, 12u);
  EXPECT_EQ(fs::read_symlink(data + "/symlink"), "/etc/passwd");
  EXPECT_TRUE(S_ISFIFO(Look(data + "/fifo").st_mode));
  EXPECT_EQ(Look(data).st_mode & 07777, 01770u);
  EXPECT_EQ(Look(data).st_uid, 13u);
  EXPECT_EQ(Look(data + "/d").st_mtim.tv_nsec, 7);
  char value = 0;
  EXPECT_EQ(::getxattr((data + "/d/file").c_str(), "user.a", &value, 1), 1);
  EXPECT_EQ(value, 'b');
}

TEST_F(RuntimeVolumesTest, OnlyAnEmptyVolumeBeginsAsTheSeed) {
  const UniqueFd seed = Seed();
  Write(seed_path() + "/file", "of the image");
  for (const char* name : {"empty", "full"}) ASSERT_TRUE(Provide(name, std::nullopt).ok());
  Write(room().DataOf("full") + "/own", "x");
  for (const char* name : {"empty", "full"}) ASSERT_TRUE(Provide(name, seed.get()).ok());
  EXPECT_EQ(Contents(room().DataOf("empty") + "/file"), "of the image");
  EXPECT_FALSE(fs::exists(room().DataOf("full") + "/file"));
}

// Whenever the kill comes, the volume is there whole or not at all, and the next one is made as if nothing had been.
TEST_F(RuntimeVolumesTest, AKillWhileAVolumeIsSeededLeavesNothingHalfMade) {
  constexpr int kFiles = 200;
  const UniqueFd seed = Seed();
  for (int n = 0; n < kFiles; ++n) Write(seed_path() + "/" + std::to_string(n), "x");
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(Provide("v1", seed.get()).ok() ? 0 : 1);
  const std::string first = directory_ / "volumes/.new/_data/0";
  while (!fs::exists(first) && Names().empty()) ::sched_yield();
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  const auto files = [&] {
    return std::distance(fs::directory_iterator(room().DataOf("v1")), fs::directory_iterator());
  };
  EXPECT_TRUE(Names().empty() || files() == kFiles);
  ASSERT_TRUE(Provide("v1", seed.get()).ok());
  EXPECT_EQ(files(), kFiles);
  EXPECT_FALSE(fs::exists(directory_ / "volumes/.new"));
}

}  // namespace
}  // namespace varve
