#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "tests/fuse/served.h"
#include "tests/support/temp_dir.h"
#include "tests/tree/overlay_case.h"

// What tests/tree/overlay_cases_test.cc says of indexes, said of what the kernel would be told: each case's image is
// walked through a FUSE session, every answer of one request compared with that of the others.
namespace varve {
namespace {

// So small that a directory of a few entries takes more than one reply.
constexpr std::uint32_t kListingBytes = 400;
constexpr std::uint32_t kReplyBytesMax = 64 << 10;

std::string_view TypeOf(std::uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return "dir";
    case S_IFLNK:
      return "symlink";
    case S_IFCHR:
      return "char";
    case S_IFBLK:
      return "block";
    case S_IFIFO:
      return "fifo";
    default:
      return "file";
  }
}

// Reads the tree below a node back into lines.
class ServedTree {
 public:
  explicit ServedTree(FakeKernel& kernel) : kernel_(kernel) {}

  std::vector<std::string> Strings(std::uint64_t root) {
    const TreeLine line = Line(root, *kernel_.GetAttributes(root), ".");
    if (line.ToString() != "dir .") lines_.emplace_back(root, line);
    List(root, kernel_.GetAttributes(root)->nlink, "");
    std::ranges::sort(lines_, {}, [](const auto& found) { return found.second.path; });
    std::map<std::uint64_t, std::string> first;
    std::vector<TreeLine> named;
    for (auto& [node, found] : lines_) {
      const auto [known, is_new] = first.emplace(node, found.path);
      if (!is_new) found = {.type = "hardlink", .path = found.path, .value = known->second};
      named.push_back(found);
    }
    return ToStrings(named);
  }

 private:
  void List(std::uint64_t directory, std::uint32_t nlink, const std::string& prefix) {
    std::uint32_t subdirectories = 0;
    for (const FakeKernel::Listed& listed : kernel_.List(directory, kListingBytes)) {
      if (listed.name == "." || listed.name == "..") continue;
      const std::string path = prefix + listed.name;
      const FakeKernel::Found found = kernel_.LookUp(directory, listed.name);
      EXPECT_EQ(found.entry.nodeid, listed.node) << path;
      EXPECT_TRUE(Same(found.entry.attr, listed.attributes)) << path;
      EXPECT_TRUE(Same(found.entry.attr, *kernel_.GetAttributes(listed.node))) << path;
      lines_.emplace_back(listed.node, Line(listed.node, listed.attributes, path));
      if (!S_ISDIR(listed.attributes.mode)) continue;
      ++subdirectories;
      List(listed.node, listed.attributes.nlink, path + "/");
    }
    EXPECT_EQ(nlink, 2 + subdirectories) << prefix;
  }

  static bool Same(const fuse_attr& one, const fuse_attr& other) { return std::memcmp(&one, &other, sizeof(one)) == 0; }

  TreeLine Line(std::uint64_t node, const fuse_attr& attributes, std::string path) {
    TreeLine line{.type = std::string(TypeOf(attributes.mode)),
                  .path = std::move(path),
                  .mode = attributes.mode & 07777,
                  .uid = attributes.uid,
                  .gid = attributes.gid,
                  .mtime = static_cast<std::int64_t>(attributes.mtime)};
    if (!S_ISDIR(attributes.mode)) line.nlink = attributes.nlink;
    if (S_ISREG(attributes.mode)) line.value = kernel_.Read(node, 0, kReplyBytesMax).payload;
    if (S_ISLNK(attributes.mode)) line.value = kernel_.Call(FUSE_READLINK, node, {}).payload;
    if (S_ISREG(attributes.mode) || S_ISLNK(attributes.mode)) {
      EXPECT_EQ(line.value.size(), attributes.size) << line.path;
    }
    if (S_ISCHR(attributes.mode) || S_ISBLK(attributes.mode)) line.value = DeviceText(attributes.rdev);
    const std::string names = kernel_.ListXattr(node, kReplyBytesMax).payload;
    for (std::size_t at = 0; at < names.size(); at = names.find('\0', at) + 1) {
      const std::string name = names.c_str() + at;
      const FakeKernel::Reply value = kernel_.GetXattr(node, name, kReplyBytesMax);
      EXPECT_EQ(value.error, 0) << name;
      line.xattrs.emplace(name, value.payload);
    }
    return line;
  }

  FakeKernel& kernel_;
  std::vector<std::pair<std::uint64_t, TreeLine>> lines_;
};

std::vector<OverlayCase> CasesThatGiveATree() {
  auto cases = OverlayCase::All();
  std::erase_if(cases, [](const OverlayCase& one) { return !one.error.empty(); });
  return cases;
}

class ServedOverlayCasesTest : public testing::TestWithParam<OverlayCase> {};

TEST_P(ServedOverlayCasesTest, TheKernelIsShownTheExpectedTree) {
  TempDir directory;
  TinyStore store(directory.path());
  std::vector<Digest> layers;
  for (const Layer& layer : GetParam().layers) {
    TinyStore::Layer made(store);
    for (const TreeLine& line : layer.lines()) {
      made.Add(EntryOf(line), line.type == "file" ? std::string_view(line.value) : std::string_view());
    }
    layers.push_back(made.Publish());
  }
  Served served(store);
  const std::uint64_t root = served.Mount(store.AddImage(layers));
  EXPECT_THAT(ServedTree(served.kernel).Strings(root), testing::ElementsAreArray(GetParam().expected));
}

INSTANTIATE_TEST_SUITE_P(Cases, ServedOverlayCasesTest, testing::ValuesIn(CasesThatGiveATree()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace varve
