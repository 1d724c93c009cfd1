#include "cached/tree/layer_index_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "cached/content/sha256.h"
#include "tests/tree/layer_builder.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const Digest kDiffId = Sha256Of(AsBytes("diff id"));

// A builder for what Layer cannot say.
class BuilderTest : public testing::Test {
 protected:
  Status Add(const TreeLine& line, std::span<const FileExtent> extents = {}) {
    return builder_.Add(EntryOf(line), extents);
  }
  std::uint32_t AddChunk(std::string_view content) {
    return builder_.AddChunk(Sha256Of(AsBytes(content)), static_cast<std::uint32_t>(content.size()));
  }
  LayerIndex Finish() {
    file_ = Written([&](File& to) { return builder_.Finish(to, kDiffId, 1234); }).value();
    return LayerIndex::Open(file_, kDiffId, IndexCheck::kFull).value();
  }
  static const fb::Inode& InodeOf(const LayerIndex& index, std::string_view name) {
    for (const fb::LayerEntry& entry : index.entries(index.inodes()[0])) {
      if (index.name(entry) == name) return index.inodes()[entry.target()];
    }
    return index.inodes()[0];
  }

  LayerIndexBuilder builder_{LayerLimits{}};
  Bytes file_;
};

TEST_F(BuilderTest, EmptyLayerIsAnImpliedRoot) {
  const LayerIndex index = Finish();
  EXPECT_EQ(index.diff_id(), kDiffId);
  EXPECT_EQ(index.tar_bytes(), 1234u);
  ASSERT_EQ(index.inodes().size(), 1u);
  EXPECT_EQ(index.inodes()[0].mode(), S_IFDIR | 0755u);
  EXPECT_EQ(index.inodes()[0].flags(), kInodeImplied);
  EXPECT_EQ(index.inodes()[0].nlink(), 2u);
}

TEST_F(BuilderTest, EqualChunksShareAnOrdinal) {
  EXPECT_EQ(AddChunk("a"), 0u);
  EXPECT_EQ(AddChunk("b"), 1u);
  EXPECT_EQ(AddChunk("a"), 0u);
  EXPECT_EQ(Finish().chunks().size(), 2u);
}

TEST_F(BuilderTest, ChunksOfShadowedContentStay) {
  const FileExtent old_content[] = {{.offset = 0, .chunk = AddChunk("old"), .length = 3}};
  ASSERT_TRUE(Add({.type = "file", .path = "a", .value = "old"}, old_content).ok());
  ASSERT_TRUE(Add({.type = "dir", .path = "a"}).ok());
  const LayerIndex index = Finish();
  EXPECT_EQ(index.chunks().size(), 1u);
  EXPECT_EQ(index.inodes().size(), 2u);
}

TEST_F(BuilderTest, OneChunkNeedsNoExtent) {
  const FileExtent extent[] = {{.offset = 0, .chunk = AddChunk("abc"), .length = 3}};
  ASSERT_TRUE(Add({.type = "file", .path = "a", .value = "abc"}, extent).ok());
  const LayerIndex index = Finish();
  const fb::Inode& file = InodeOf(index, "a");
  EXPECT_EQ(file.flags(), kInodeOneChunk);
  ASSERT_EQ(index.extent_count(file), 1u);
  EXPECT_EQ(index.extent(file, 0).length(), 3u);
  EXPECT_EQ(index.FindExtent(file, 2), 0u);
  EXPECT_EQ(index.FindExtent(file, 3), 1u);
}

TEST_F(BuilderTest, ExtentsOfSparseFilesAreFoundByOffset) {
  const FileExtent extents[] = {{.offset = 10, .chunk = AddChunk("abc"), .length = 3},
                                {.offset = 20, .chunk = AddChunk("de"), .length = 2}};
  Entry entry = EntryOf({.type = "file", .path = "a"});
  entry.size_bytes = 30;
  ASSERT_TRUE(builder_.Add(entry, extents).ok());
  const LayerIndex index = Finish();
  const fb::Inode& file = InodeOf(index, "a");
  EXPECT_EQ(index.extent_count(file), 2u);
  EXPECT_EQ(index.FindExtent(file, 0), 0u);
  EXPECT_EQ(index.FindExtent(file, 12), 0u);
  EXPECT_EQ(index.FindExtent(file, 13), 1u);
  EXPECT_EQ(index.FindExtent(file, 22), 2u);
}

TEST_F(BuilderTest, FileThatIsAllHoleHasNoExtents) {
  Entry entry = EntryOf({.type = "file", .path = "a"});
  entry.size_bytes = std::uint64_t{1} << 40;
  ASSERT_TRUE(builder_.Add(entry, {}).ok());
  const LayerIndex index = Finish();
  EXPECT_EQ(index.extent_count(InodeOf(index, "a")), 0u);
  EXPECT_EQ(InodeOf(index, "a").size(), std::uint64_t{1} << 40);
}

TEST_F(BuilderTest, InodesAreNumberedDirectoryByDirectory) {
  for (const char* path : {"z/deep/file", "b/two", "a/one", "b/one"})
    ASSERT_TRUE(Add({.type = "fifo", .path = path}).ok());
  const LayerIndex index = Finish();
  std::vector<std::string> names(index.inodes().size());
  for (const fb::Inode& inode : index.inodes()) {
    if (!S_ISDIR(inode.mode())) continue;
    for (const fb::LayerEntry& entry : index.entries(inode)) names[entry.target()] = index.name(entry);
  }
  EXPECT_THAT(names, ElementsAre("", "a", "b", "z", "one", "one", "two", "deep", "file"));
}

TEST_F(BuilderTest, EqualXattrsShareASet) {
  for (const char* path : {"a", "b"})
    ASSERT_TRUE(Add({.type = "fifo", .path = path, .xattrs = {{"user.x", "1"}, {"user.a", "2"}}}).ok());
  ASSERT_TRUE(Add({.type = "fifo", .path = "c", .xattrs = {{"user.x", "2"}}}).ok());
  const LayerIndex index = Finish();
  EXPECT_EQ(InodeOf(index, "a").xattr_set(), InodeOf(index, "b").xattr_set());
  EXPECT_NE(InodeOf(index, "a").xattr_set(), InodeOf(index, "c").xattr_set());
  const auto xattrs = index.xattrs(InodeOf(index, "b"));
  ASSERT_EQ(xattrs.size(), 2u);
  EXPECT_EQ(index.xattr_name(xattrs[0]), "user.a");
  EXPECT_EQ(index.xattr_value(xattrs[1]), "1");
}

TEST_F(BuilderTest, OverlayXattrsAreKept) {
  ASSERT_TRUE(Add({.type = "dir", .path = "d", .xattrs = {{"trusted.overlay.opaque", "y"}}}).ok());
  const LayerIndex index = Finish();
  EXPECT_EQ(index.xattrs(InodeOf(index, "d")).size(), 1u);
  EXPECT_EQ(InodeOf(index, "d").flags(), 0u);
}

TEST_F(BuilderTest, DevicesArePackedAsTheKernelDoes) {
  ASSERT_TRUE(Add({.type = "block", .path = "b", .value = "4095:1048575"}).ok());
  ASSERT_TRUE(Add({.type = "char", .path = "c", .value = "1:3"}).ok());
  const LayerIndex index = Finish();
  EXPECT_EQ(InodeOf(index, "b").device(), 0xffffffffu);
  EXPECT_EQ(InodeOf(index, "c").device(), 0x103u);
}

TEST_F(BuilderTest, HardLinkIntoALowerLayerKeepsItsPath) {
  ASSERT_TRUE(Add({.type = "hardlink", .path = "a", .value = "./x//y"}).ok());
  const LayerIndex index = Finish();
  const fb::LayerEntry& entry = index.entries(index.inodes()[0])[0];
  EXPECT_EQ(entry.kind(), static_cast<std::uint8_t>(LayerEntryKind::kLowerLink));
  EXPECT_EQ(index.lower_link(entry.target()), "x/y");
}

TEST_F(BuilderTest, BadEntriesAreNamedAndRefused) {
  const std::vector<TreeLine> bad = {
      {.type = "file", .path = "a/../b"},
      {.type = "file", .path = std::string(256, 'n')},
      {.type = "file", .path = "."},
      {.type = "file", .path = ".wh.x/y"},
      {.type = "symlink", .path = "s", .value = ""},
      {.type = "symlink", .path = "s", .value = std::string(4096, 't')},
      {.type = "char", .path = "c", .value = "4096:0"},
      {.type = "block", .path = "c", .value = "0:1048576"},
      {.type = "hardlink", .path = "h", .value = "/"},
      {.type = "hardlink", .path = "h", .value = ""},
      {.type = "fifo", .path = "p", .xattrs = {{"", "1"}}},
      {.type = "fifo", .path = "p", .xattrs = {{"user.x", std::string((64 << 10) + 1, 'v')}}},
  };
  for (const TreeLine& line : bad) {
    const Status added = LayerIndexBuilder{LayerLimits{}}.Add(EntryOf(line), {});
    ASSERT_FALSE(added.ok()) << line.ToString();
    EXPECT_EQ(added.error().code(), Code::kInvalidArgument) << added.error().message();
    EXPECT_THAT(added.error().message(), HasSubstr("entry \"" + line.path + "\""));
  }
}

TEST_F(BuilderTest, NanosecondsAreBelowOneSecond) {
  Entry entry = EntryOf({.type = "fifo", .path = "p"});
  entry.mtime_nanoseconds = 1'000'000'000;
  EXPECT_EQ(builder_.Add(entry, {}).error().code(), Code::kInvalidArgument);
}

TEST_F(BuilderTest, EntriesAreBoundedImpliedOnesToo) {
  LayerIndexBuilder builder{LayerLimits{.entries_max = 3}};
  ASSERT_TRUE(builder.Add(EntryOf({.type = "fifo", .path = "a/b/c"}), {}).ok());
  EXPECT_EQ(builder.Add(EntryOf({.type = "fifo", .path = "d"}), {}).error().code(), Code::kResourceExhausted);
}

TEST_F(BuilderTest, ReplacedEntriesCountToo) {
  LayerIndexBuilder builder{LayerLimits{.entries_max = 2}};
  const Entry entry = EntryOf({.type = "fifo", .path = "a"});
  ASSERT_TRUE(builder.Add(entry, {}).ok());
  ASSERT_TRUE(builder.Add(entry, {}).ok());
  EXPECT_EQ(builder.Add(entry, {}).error().code(), Code::kResourceExhausted);
}

TEST_F(BuilderTest, TextIsBounded) {
  LayerIndexBuilder builder{LayerLimits{.pool_bytes_max = 10}};
  EXPECT_EQ(builder.Add(EntryOf({.type = "symlink", .path = "link", .value = "target/x"}), {}).error().code(),
            Code::kResourceExhausted);
}

TEST_F(BuilderTest, SameTarGivesTheSameBytes) {
  const Layer layer = Layer().File("b/x", "1").File("a/y", "2").HardLink("c", "b/x").Line("dir d xattr=user.x:1");
  EXPECT_EQ(layer.Build("x").value().file, layer.Build("x").value().file);
}

}  // namespace
}  // namespace varve
