// varve-fuse as a process, with the real kernel: what no fake can show. Needs root.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "cached/client/driver_protocol.h"
#include "tests/client/fake_daemon.h"
#include "tests/fuse/tiny_store.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

constexpr std::chrono::seconds kStartTimeout{20};

class KernelTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0 || ::access("/dev/fuse", R_OK | W_OK) != 0) GTEST_SKIP() << "needs root and /dev/fuse";
    // What a test mounts vanishes with it.
    ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr), 0);
    ASSERT_EQ(::chmod(directory_.path().c_str(), 0755), 0);
    std::filesystem::create_directory(mountpoint_);
    // Not in a child: between fork and exec, beside gRPC's threads, nothing may take memory.
    ASSERT_EQ(::setenv("VARVE_ROOT", store_.paths().root.c_str(), 1), 0);
    daemon_.emplace(store_.paths().socket("cached"), store_);
    StartDriver();
  }
  void TearDown() override {
    if (driver_ > 0) StopDriver(SIGTERM);
    ::umount2(mountpoint_.c_str(), MNT_DETACH);
  }

  void StartDriver() {
    driver_ = ::fork();
    if (driver_ == 0) {
      ::execl(VARVE_FUSE_BINARY, "varve-fuse", "--wait-seconds", "1", nullptr);
      ::_exit(127);
    }
    const auto deadline = std::chrono::steady_clock::now() + kStartTimeout;
    while (!PingDriver(socket()).ok()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "varve-fuse does not answer";
      std::this_thread::yield();
    }
  }
  int StopDriver(int signal) {
    ::kill(driver_, signal);
    int status = 0;
    ::waitpid(driver_, &status, 0);
    driver_ = -1;
    return status;
  }

  std::string socket() const { return store_.paths().socket("fuse"); }
  Status Mount(const ChainId& image) {
    VARVE_ASSIGN_OR_RETURN(const UniqueFd mount, RequestMount(socket(), image));
    if (::move_mount(mount.get(), "", AT_FDCWD, mountpoint_.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0) {
      return ErrnoError(errno, "move_mount");
    }
    return Ok();
  }
  std::string ReadFile(const std::string& path) const {
    std::ifstream in(mountpoint_ + "/" + path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::string LogText() const {
    std::ifstream in(store_.paths().log("fuse"));
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // What `check` returns when another user runs it.
  static int AsUser(uid_t uid, const std::function<bool()>& check) {
    const pid_t child = ::fork();
    if (child == 0) {
      if (::setgid(uid) != 0 || ::setuid(uid) != 0) ::_exit(99);
      ::_exit(check() ? 1 : 0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  static bool Reads(const std::string& path) {
    const UniqueFd file(::open(path.c_str(), O_RDONLY));
    char byte;
    return file.valid() && ::read(file.get(), &byte, 1) == 1;
  }

  TempDir directory_;
  TinyStore store_{directory_ / "root", 128 << 10};
  const std::string mountpoint_ = directory_ / "mnt";
  std::optional<FakeDaemon> daemon_;
  pid_t driver_ = -1;
};

TEST_F(KernelTest, ATreeReadsAsItWasWritten) {
  std::string large(3 << 20, '\0');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * i >> 11);
  TinyStore::Layer layer(store_);
  layer.File("usr/bin/tool", "#!", 0755).Symlink("bin", "usr/bin").File("large", large).HardLink("again", "large");
  for (int i = 0; i < 500; ++i) layer.File("many/" + std::to_string(i), "file " + std::to_string(i));
  ASSERT_TRUE(Mount(store_.AddImage({layer.Publish()})).ok());

  EXPECT_EQ(ReadFile("bin/tool"), "#!");
  EXPECT_EQ(ReadFile("large"), large);
  for (int i = 0; i < 500; ++i) EXPECT_EQ(ReadFile("many/" + std::to_string(i)), "file " + std::to_string(i));
  const auto entries = std::filesystem::directory_iterator(mountpoint_ + "/many");
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 500);
  struct stat one{}, other{};
  ASSERT_EQ(::lstat((mountpoint_ + "/large").c_str(), &one), 0);
  ASSERT_EQ(::lstat((mountpoint_ + "/again").c_str(), &other), 0);
  EXPECT_EQ(one.st_ino, other.st_ino);
  EXPECT_EQ(one.st_nlink, 2u);
  EXPECT_FALSE(std::filesystem::exists(mountpoint_ + "/absent"));
}

TEST_F(KernelTest, NothingCanBeWritten) {
  ASSERT_TRUE(Mount(store_.AddImage({TinyStore::Layer(store_).File("a", "x").Publish()})).ok());
  EXPECT_EQ(::open((mountpoint_ + "/a").c_str(), O_WRONLY), -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(::open((mountpoint_ + "/new").c_str(), O_WRONLY | O_CREAT, 0644), -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(::unlink((mountpoint_ + "/a").c_str()), -1);
  EXPECT_EQ(errno, EROFS);
}

TEST_F(KernelTest, PermissionsHoldForOtherUsers) {
  const Digest layer = TinyStore::Layer(store_).File("secret", "x", 0600).File("open", "x", 0644).Publish();
  ASSERT_TRUE(Mount(store_.AddImage({layer})).ok());
  EXPECT_TRUE(Reads(mountpoint_ + "/secret"));
  EXPECT_EQ(AsUser(1234, [&] { return Reads(mountpoint_ + "/open"); }), 1);
  EXPECT_EQ(AsUser(1234, [&] { return Reads(mountpoint_ + "/secret"); }), 0);
}

class OverlayTest : public KernelTest {
 protected:
  // Mounts the layer as an image, and a writable overlay over it.
  ChainId MountOverlay(const Digest& layer) {
    const ChainId image = store_.AddImage({layer});
    EXPECT_TRUE(Mount(image).ok());
    for (const std::string& path : {over_, merged_}) std::filesystem::create_directory(path);
    EXPECT_EQ(::mount("tmpfs", over_.c_str(), "tmpfs", 0, nullptr), 0);
    for (const char* name : {"/upper", "/work"}) std::filesystem::create_directory(over_ + name);
    const std::string options =
        "xino=on,index=off,metacopy=off,redirect_dir=off,nfs_export=off,lowerdir=" + mountpoint_ +
        ",upperdir=" + over_ + "/upper,workdir=" + over_ + "/work";
    EXPECT_EQ(::mount("overlay", merged_.c_str(), "overlay", 0, options.c_str()), 0) << ::strerror(errno);
    return image;
  }
  void TearDown() override {
    for (const std::string& path : {merged_, over_}) ::umount2(path.c_str(), MNT_DETACH);
    KernelTest::TearDown();
  }

  const std::string over_ = directory_ / "over";
  const std::string merged_ = directory_ / "merged";
};

TEST_F(OverlayTest, FilesAndDirectoriesShowOneDevice) {
  MountOverlay(TinyStore::Layer(store_).File("d/a", "lower").Publish());
  struct stat directory{}, file{};
  ASSERT_EQ(::stat((merged_ + "/d").c_str(), &directory), 0);
  ASSERT_EQ(::stat((merged_ + "/d/a").c_str(), &file), 0);
  EXPECT_EQ(directory.st_dev, file.st_dev);
}

TEST_F(OverlayTest, WhatIsWrittenLeavesTheImageAsItWas) {
  MountOverlay(TinyStore::Layer(store_).File("d/a", "lower").Publish());
  std::ofstream(merged_ + "/d/a") << "upper";
  EXPECT_EQ(ReadFile("d/a"), "lower");
  EXPECT_TRUE(Reads(over_ + "/upper/d/a"));
}

TEST_F(OverlayTest, AReleaseDoesNotDisturbAnOverlay) {
  const ChainId image =
      MountOverlay(TinyStore::Layer(store_).File("d/a", "x").File("d/b", "y").File("e/f", "z").Publish());
  EXPECT_TRUE(Reads(merged_ + "/d/a"));
  ASSERT_EQ(::umount2(mountpoint_.c_str(), MNT_DETACH), 0);
  EXPECT_THAT(daemon_->Release({image}), testing::IsEmpty());
  for (const char* name : {"/d/a", "/d/b", "/e/f"}) EXPECT_TRUE(Reads(merged_ + name)) << name;
}

TEST_F(KernelTest, AttributesOfFilesAreGiven) {
  Entry entry;
  entry.path = "ping";
  entry.mode = 0755;
  entry.xattrs = {{"user.colour", "red"}};
  ASSERT_TRUE(Mount(store_.AddImage({TinyStore::Layer(store_).Add(entry).Publish()})).ok());
  const std::string path = mountpoint_ + "/ping";
  char value[16];
  EXPECT_EQ(::getxattr(path.c_str(), "user.colour", value, sizeof(value)), 3);
  EXPECT_EQ(::getxattr(path.c_str(), "security.capability", value, sizeof(value)), -1);
  EXPECT_EQ(errno, ENODATA);
}

// An access ACL that gives user 1234 rw and the owning group nothing: version 2, then tag, permissions and id of each
// entry (linux/posix_acl_xattr.h).
std::string AccessAcl() {
  struct Entry {
    std::uint16_t tag, permissions;
    std::uint32_t id;
  };
  constexpr std::uint32_t kNobody = UINT32_MAX;
  const Entry entries[] = {
      {0x01, 6, kNobody}, {0x02, 6, 1234}, {0x04, 0, kNobody}, {0x10, 6, kNobody}, {0x20, 0, kNobody}};
  return std::string("\2\0\0\0", 4) + std::string(reinterpret_cast<const char*>(entries), sizeof(entries));
}
constexpr char kAccessAcl[] = "system.posix_acl_access";

class AclTest : public OverlayTest {
 protected:
  Digest LayerWithAcl() {
    Entry entry;
    entry.path = "f";
    entry.mode = 0660;
    entry.gid = 77;
    entry.size_bytes = 1;
    entry.xattrs = {{kAccessAcl, AccessAcl()}};
    return TinyStore::Layer(store_).Add(entry, "x").Publish();
  }
  static std::string Get(const std::string& path) {
    char value[256];
    const ssize_t size = ::getxattr(path.c_str(), kAccessAcl, value, sizeof(value));
    return size < 0 ? "" : std::string(value, static_cast<std::size_t>(size));
  }
};

// docs/design/fuse.md, "ACLs".
TEST_F(AclTest, AnImagesAclIsShownButTheModeDecides) {
  ASSERT_TRUE(Mount(store_.AddImage({LayerWithAcl()})).ok());
  EXPECT_EQ(Get(mountpoint_ + "/f"), AccessAcl());
  EXPECT_EQ(AsUser(1234, [&] { return Reads(mountpoint_ + "/f"); }), 0);
}

TEST_F(AclTest, AnAclThatIsCopiedUpIsEnforced) {
  MountOverlay(LayerWithAcl());
  EXPECT_EQ(AsUser(1234, [&] { return Reads(merged_ + "/f"); }), 0);
  EXPECT_GE(UniqueFd(::open((merged_ + "/f").c_str(), O_WRONLY)).get(), 0);
  EXPECT_EQ(Get(over_ + "/upper/f"), AccessAcl());
  EXPECT_EQ(AsUser(1234, [&] { return Reads(merged_ + "/f"); }), 1);
}

TEST_F(KernelTest, ASparseFileLooksToSeekLikeOneExtent) {
  Entry entry;
  entry.path = "f";
  entry.mode = 0644;
  entry.sparse = true;
  entry.size_bytes = 1 << 20;
  entry.segments = {{512 << 10, 4}};
  ASSERT_TRUE(Mount(store_.AddImage({TinyStore::Layer(store_).Add(entry, "data").Publish()})).ok());
  const UniqueFd file(::open((mountpoint_ + "/f").c_str(), O_RDONLY));
  EXPECT_EQ(::lseek(file.get(), 4096, SEEK_DATA), 4096);
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_HOLE), 1 << 20);
  EXPECT_EQ(::lseek(file.get(), 1 << 20, SEEK_DATA), -1);
  EXPECT_EQ(errno, ENXIO);
}

TEST_F(KernelTest, AnImageIsReleasedOnceItIsUnmountedAndNotBefore) {
  const ChainId image = store_.AddImage({TinyStore::Layer(store_).File("d/a", "x").Publish()});
  ASSERT_TRUE(Mount(image).ok());
  EXPECT_EQ(ReadFile("d/a"), "x");
  EXPECT_THAT(daemon_->Release({image}), testing::IsEmpty());
  EXPECT_EQ(ReadFile("d/a"), "x");

  ASSERT_EQ(::umount2(mountpoint_.c_str(), 0), 0);
  EXPECT_THAT(daemon_->Release({image}), testing::ElementsAre(image.hex()));
  ASSERT_TRUE(Mount(image).ok());
  EXPECT_EQ(ReadFile("d/a"), "x");
}

TEST_F(KernelTest, WhatIsLocalIsReadableWithoutADaemonAndWhatIsAbsentFails) {
  const std::string content(200'000, 'c');
  const Digest layer =
      TinyStore::Layer(store_).File("local", content).File("absent", std::string(30'000, 'a')).Publish();
  ASSERT_TRUE(Mount(store_.AddImage({layer})).ok());
  store_.LocatorsOf(layer).Set(2, {});
  daemon_.reset();

  EXPECT_EQ(ReadFile("local"), content);
  EXPECT_FALSE(Reads(mountpoint_ + "/absent"));
  EXPECT_EQ(errno, EIO);
  EXPECT_THAT(LogText(), testing::HasSubstr("/absent: layer " + layer.hex()));
}

TEST_F(KernelTest, WhatIsAbsentIsReadOnceTheDaemonIsBack) {
  const std::string content(30'000, 'a');
  const Digest layer = TinyStore::Layer(store_).File("absent", content).Publish();
  ASSERT_TRUE(Mount(store_.AddImage({layer})).ok());
  LocatorTable locators = store_.LocatorsOf(layer);
  const Locator right = locators.Get(0);
  locators.Set(0, {});
  store_.SetOnResolve([right](std::uint32_t) { return right.Pack(); });
  daemon_.reset();

  std::string read;
  std::thread reader([&] { read = ReadFile("absent"); });
  daemon_.emplace(store_.paths().socket("cached"), store_);
  reader.join();
  EXPECT_EQ(read, content);
}

// A file that shrinks under its mapping: the driver dies of it, says of which, and the next one serves again.
class ShrinkingFileTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped()) return;
    ASSERT_TRUE(Mount(image_).ok());
  }
  void ExpectDeath(const std::string& path, const std::string& name) {
    const Bytes right = ReadWholeFile(Fs::Real(), path, 1 << 20).value();
    ASSERT_EQ(::truncate(path.c_str(), 0), 0);
    EXPECT_FALSE(Reads(mountpoint_ + "/d/a"));
    int status = 0;
    ASSERT_EQ(::waitpid(driver_, &status, 0), driver_);
    driver_ = -1;
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS) << status;
    EXPECT_THAT(LogText(), testing::HasSubstr(name + " cannot be read any more"));

    ASSERT_TRUE(WriteFileAtomically(Fs::Real(), path, right).ok());
    ASSERT_EQ(::umount2(mountpoint_.c_str(), MNT_DETACH), 0);
    StartDriver();
    ASSERT_TRUE(Mount(image_).ok());
    EXPECT_TRUE(Reads(mountpoint_ + "/d/a"));
  }

  const Digest layer_ = TinyStore::Layer(store_).File("d/a", "x").Publish();
  const ChainId image_ = store_.AddImage({layer_});
};

TEST_F(ShrinkingFileTest, AnImageIndexThatShrinksEndsTheDriverByName) {
  ExpectDeath(store_.paths().image_index(image_.hex()), "image index " + image_.digest.ToString());
}

TEST_F(ShrinkingFileTest, ALayerIndexThatShrinksEndsTheDriverByName) {
  ExpectDeath(store_.paths().layer_index(layer_.hex()), "layer index " + layer_.ToString());
}

TEST_F(ShrinkingFileTest, ALocatorTableThatShrinksEndsTheDriverByName) {
  ExpectDeath(store_.paths().locators(layer_.hex()), "locator table of layer " + layer_.ToString());
}

TEST_F(KernelTest, TheDriverSaysWhatItServesToADaemonThatWasRestarted) {
  const ChainId image = store_.AddImage({TinyStore::Layer(store_).File("a", "x").Publish()});
  ASSERT_TRUE(Mount(image).ok());
  daemon_.reset();
  daemon_.emplace(store_.paths().socket("cached"), store_);
  EXPECT_THAT(daemon_->AwaitServing(), testing::ElementsAre(image.hex()));
}

TEST_F(KernelTest, TheMountIsSeenByNobodyWhoWasNotGivenIt) {
  ASSERT_TRUE(RequestMount(socket(), store_.AddImage({TinyStore::Layer(store_).File("a", "x").Publish()})).ok());
  std::ifstream mounts("/proc/self/mountinfo");
  const std::string text{std::istreambuf_iterator<char>(mounts), {}};
  EXPECT_THAT(text, testing::Not(testing::HasSubstr(store_.paths().rootfs())));
}

TEST_F(KernelTest, ASecondDriverOfTheRootIsRefused) {
  const pid_t second = ::fork();
  if (second == 0) {
    ::execl(VARVE_FUSE_BINARY, "varve-fuse", nullptr);
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(second, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 1);
  EXPECT_TRUE(PingDriver(socket()).ok());
}

TEST_F(KernelTest, ADriverThatIsStoppedLeavesNoSocketAndNoPidFile) {
  ASSERT_TRUE(Mount(store_.AddImage({TinyStore::Layer(store_).File("a", "x").Publish()})).ok());
  EXPECT_TRUE(std::filesystem::exists(store_.paths().pid("fuse")));
  const int status = StopDriver(SIGTERM);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_FALSE(std::filesystem::exists(store_.paths().pid("fuse")));
  EXPECT_FALSE(std::filesystem::exists(socket()));
}

TEST_F(KernelTest, AfterAKilledDriverTheNextOneServesTheSameNodes) {
  const ChainId image = store_.AddImage({TinyStore::Layer(store_).File("a", "x").File("b", "y").Publish()});
  ASSERT_TRUE(Mount(image).ok());
  struct stat before{}, after{};
  ASSERT_EQ(::stat((mountpoint_ + "/a").c_str(), &before), 0);
  StopDriver(SIGKILL);
  EXPECT_EQ(::stat((mountpoint_ + "/b").c_str(), &after), -1);  // what the kernel has cached it still shows
  EXPECT_EQ(errno, ENOTCONN);

  ASSERT_EQ(::umount2(mountpoint_.c_str(), MNT_DETACH), 0);
  StartDriver();
  ASSERT_TRUE(Mount(image).ok());
  ASSERT_EQ(::stat((mountpoint_ + "/a").c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
}

}  // namespace
}  // namespace varve
