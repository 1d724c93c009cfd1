#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "cached/base/check.h"
#include "tests/support/temp_dir.h"
#include "tests/tree/overlay_case.h"

// The kernel's overlayfs as oracle: every layer of a case becomes a directory in overlayfs's own form (whiteout:
// character device 0:0; opaque: an xattr), the directories are mounted on each other, and what the kernel shows must be
// what MergeLayers says. It does not say whether the tar was read right: that is what the cases' expected trees are
// for.
namespace varve {
namespace {

// Writes one layer as overlayfs wants it. `lower` are the directories of the layers below, topmost first.
class LayerDirectory {
 public:
  LayerDirectory(const LayerIndex& layer, std::string root, const std::vector<std::string>& lower)
      : layer_(layer), root_(std::move(root)), lower_(lower), first_names_(layer.inodes().size()) {}

  void Write() {
    VARVE_CHECK(::mkdir(root_.c_str(), 0755) == 0);
    WriteChildren(layer_.inodes()[0], "");
    SetAttributes(layer_.inodes()[0], "");
  }

 private:
  void WriteChildren(const fb::Inode& directory, const std::string& prefix) {
    for (const fb::LayerEntry& entry : layer_.entries(directory)) {
      const std::string path = prefix + "/" + std::string(layer_.name(entry));
      const auto kind = static_cast<LayerEntryKind>(entry.kind());
      VARVE_CHECK(kind != LayerEntryKind::kLowerLink);
      if (kind == LayerEntryKind::kWhiteout) {
        VARVE_CHECK(::mknod((root_ + path).c_str(), S_IFCHR, makedev(0, 0)) == 0);
      } else if (std::string& first = first_names_[entry.target()]; first.empty()) {
        first = path;
        WriteInode(layer_.inodes()[entry.target()], path);
      } else {
        VARVE_CHECK(::link((root_ + first).c_str(), (root_ + path).c_str()) == 0);
      }
    }
  }

  void WriteInode(const fb::Inode& inode, const std::string& path) {
    const std::string file = root_ + path;
    if (S_ISDIR(inode.mode())) {
      VARVE_CHECK(::mkdir(file.c_str(), 0755) == 0);
      WriteChildren(inode, path);
    } else if (S_ISLNK(inode.mode())) {
      VARVE_CHECK(::symlink(std::string(layer_.symlink_target(inode)).c_str(), file.c_str()) == 0);
    } else if (S_ISREG(inode.mode())) {
      std::ofstream stream(file);
      for (std::size_t i = 0; i < layer_.extent_count(inode); ++i) {
        stream << ContentOf(DigestOf(layer_.chunks()[layer_.extent(inode, i).chunk()].sha256()));
      }
    } else {
      VARVE_CHECK(::mknod(file.c_str(), inode.mode(), inode.device()) == 0);
    }
    SetAttributes(inode, path);
  }

  void SetAttributes(const fb::Inode& inode, const std::string& path) {
    const std::string file = root_ + path;
    if ((inode.flags() & kInodeOpaque) != 0)
      VARVE_CHECK(::lsetxattr(file.c_str(), "trusted.overlay.opaque", "y", 1, 0) == 0);
    struct stat from{};
    from.st_mode = inode.mode();
    from.st_uid = inode.uid();
    from.st_gid = inode.gid();
    from.st_mtim.tv_sec = inode.mtime_seconds();
    // overlayfs shows the upper directory's attributes, so extractors copy them up for a directory that the tar only
    // implies.
    if ((inode.flags() & kInodeImplied) != 0) CopyLower(path, from);
    VARVE_CHECK(::lchown(file.c_str(), from.st_uid, from.st_gid) == 0);
    if (!S_ISLNK(from.st_mode)) VARVE_CHECK(::chmod(file.c_str(), from.st_mode & 07777) == 0);
    for (const fb::Xattr& xattr : layer_.xattrs(inode)) {
      const std::string_view value = layer_.xattr_value(xattr);
      VARVE_CHECK(
          ::lsetxattr(file.c_str(), std::string(layer_.xattr_name(xattr)).c_str(), value.data(), value.size(), 0) == 0);
    }
    const timespec times[2] = {from.st_mtim, from.st_mtim};
    VARVE_CHECK(::utimensat(AT_FDCWD, file.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0);
  }

  void CopyLower(const std::string& path, struct stat& into) const {
    for (const std::string& lower : lower_) {
      struct stat found{};
      if (::lstat((lower + path).c_str(), &found) != 0) continue;
      if (S_ISDIR(found.st_mode)) into = found;
      return;
    }
  }

  const LayerIndex& layer_;
  const std::string root_;
  const std::vector<std::string>& lower_;
  std::vector<std::string> first_names_;  // by ordinal
};

// Reads a mounted tree back into lines. Link counts are left out: overlayfs shows those of the lower file system.
class MountedTree {
 public:
  explicit MountedTree(std::string root) : root_(std::move(root)) {}

  std::vector<std::string> Strings() {
    const TreeLine root = Line("", ".");
    if (root.ToString() != "dir .") lines_.push_back(root);
    List("");
    std::ranges::sort(lines_, {}, &TreeLine::path);
    std::map<std::pair<dev_t, ino_t>, std::string> first;
    for (TreeLine& line : lines_) {
      struct stat info{};
      VARVE_CHECK(::lstat((root_ + "/" + line.path).c_str(), &info) == 0);
      const auto [known, is_new] = first.emplace(std::pair(info.st_dev, info.st_ino), line.path);
      if (!is_new) line = {.type = "hardlink", .path = line.path, .value = known->second};
    }
    return ToStrings(lines_);
  }

 private:
  void List(const std::string& prefix) {
    for (const auto& entry : std::filesystem::directory_iterator(root_ + prefix)) {
      const std::string path = prefix + "/" + entry.path().filename().string();
      // A whiteout in a directory that only one layer has is listed, as overlayfs does not merge there, but is not
      // there.
      struct stat info{};
      if (::lstat((root_ + path).c_str(), &info) != 0 && errno == ENOENT) continue;
      lines_.push_back(Line(path, path.substr(1)));
      if (lines_.back().type == "dir") List(path);
    }
  }

  TreeLine Line(const std::string& path, std::string shown) const {
    const std::string file = root_ + path;
    struct stat info{};
    VARVE_CHECK(::lstat(file.c_str(), &info) == 0);
    TreeLine line{.path = std::move(shown),
                  .mode = info.st_mode & 07777,
                  .uid = info.st_uid,
                  .gid = info.st_gid,
                  .mtime = info.st_mtim.tv_sec};
    switch (info.st_mode & S_IFMT) {
      case S_IFDIR:
        line.type = "dir";
        break;
      case S_IFLNK:
        line.type = "symlink";
        line.value = std::filesystem::read_symlink(file).string();
        break;
      case S_IFCHR:
        line.type = "char";
        break;
      case S_IFBLK:
        line.type = "block";
        break;
      case S_IFIFO:
        line.type = "fifo";
        break;
      default: {
        line.type = "file";
        std::ifstream stream(file);
        line.value.assign(std::istreambuf_iterator<char>(stream), {});
      }
    }
    if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode))
      line.value = fmt::format("{}:{}", major(info.st_rdev), minor(info.st_rdev));
    char names[4096];
    const ssize_t size = ::llistxattr(file.c_str(), names, sizeof(names));
    for (const char* name = names; name < names + size; name += std::string_view(name).size() + 1) {
      char value[256];
      const ssize_t length = ::lgetxattr(file.c_str(), name, value, sizeof(value));
      VARVE_CHECK(length >= 0);
      line.xattrs.emplace(name, std::string(value, static_cast<std::size_t>(length)));
    }
    return line;
  }

  const std::string root_;
  std::vector<TreeLine> lines_;
};

std::vector<OverlayCase> OracleCases() {
  auto cases = OverlayCase::All();
  std::erase_if(cases, [](const OverlayCase& one) { return !one.no_oracle.empty() || !one.error.empty(); });
  return cases;
}

class OverlayOracleTest : public testing::TestWithParam<OverlayCase> {
 protected:
  // Mounts in a namespace of this process, on a tmpfs of the test: both end with it.
  void SetUp() override {
    if (::geteuid() != 0 || ::unshare(CLONE_NEWNS) != 0)
      GTEST_SKIP() << "the overlayfs oracle needs root and mount namespaces";
    VARVE_CHECK(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
    VARVE_CHECK(::mount("tmpfs", directory_.path().c_str(), "tmpfs", 0, "mode=0755") == 0);
  }
  void TearDown() override {
    ::umount2((directory_ / "merged").c_str(), MNT_DETACH);
    ::umount2(directory_.path().c_str(), MNT_DETACH);
  }

  // Mounts `layers`, lowest first.
  std::string Mount(const std::vector<LayerIndex>& layers) {
    // Without an upper directory overlayfs asks for two lower ones.
    std::vector<std::string> lower = {directory_ / "empty"};
    VARVE_CHECK(::mkdir(lower[0].c_str(), 0755) == 0);
    const timespec epoch[2] = {};
    VARVE_CHECK(::utimensat(AT_FDCWD, lower[0].c_str(), epoch, 0) == 0);
    for (const LayerIndex& layer : layers) {
      const std::string root = directory_ / fmt::format("layer{}", lower.size());
      LayerDirectory(layer, root, lower).Write();
      lower.insert(lower.begin(), root);
    }
    const std::string merged = directory_ / "merged";
    VARVE_CHECK(::mkdir(merged.c_str(), 0755) == 0);
    const std::string options =
        fmt::format("lowerdir={},index=off,metacopy=off,redirect_dir=off", fmt::join(lower, ":"));
    EXPECT_EQ(::mount("overlay", merged.c_str(), "overlay", MS_RDONLY, options.c_str()), 0) << std::strerror(errno);
    return merged;
  }

 private:
  TempDir directory_;
};

TEST_P(OverlayOracleTest, MergeGivesWhatTheKernelShows) {
  const BuiltImage image = BuildImage(GetParam().layers).value();
  std::vector<TreeLine> ours = image.Lines();
  for (TreeLine& line : ours) line.nlink = 1;
  EXPECT_THAT(ToStrings(ours), testing::ElementsAreArray(MountedTree(Mount(image.indexes)).Strings()));
}

INSTANTIATE_TEST_SUITE_P(Cases, OverlayOracleTest, testing::ValuesIn(OracleCases()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace varve
