#include "cached/tree/layer_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <functional>

#include "tests/tree/corruption.h"
#include "tests/tree/layer_builder.h"
#include "tests/tree/read_everything.h"

namespace varve {
namespace {

using testing::HasSubstr;

class LayerIndexTest : public testing::Test {
 protected:
  LayerIndexTest()
      : layer_(Layer()
                   .File("a/x", "1")
                   .HardLink("a/y", "a/x")
                   .Symlink("b", "a")
                   .Line("dir d uid=1 xattr=user.a:1 xattr=user.b:2")
                   .Line("char e 1:3")
                   .HardLink("f", "lower/file")
                   .Whiteout("g")
                   .Build("x")
                   .value()),
        table_(
            const_cast<fb::LayerIndex*>(flatbuffers::GetRoot<fb::LayerIndex>(layer_.file.data() + kIndexHeaderBytes))) {
  }

  // The error of the full check after the change, or "".
  std::string ErrorAfter(const std::function<void()>& change) {
    const Bytes good = layer_.file;
    change();
    FixChecksum(layer_.file);
    const auto index = LayerIndex::Open(layer_.file, layer_.diff_id, IndexCheck::kFull);
    std::ranges::copy(good, layer_.file.begin());
    return index.ok() ? "" : index.error().message();
  }
  fb::Inode& inode(std::uint32_t i) { return *table_->mutable_inodes()->GetMutableObject(i); }
  fb::LayerEntry& entry(std::uint32_t i) { return *table_->mutable_entries()->GetMutableObject(i); }

  // The layer's inodes: 0 root, 1 a, 2 b, 3 d, 4 e, 5 a/x. Its entries: a b d e f g, x y.
  BuiltLayer layer_;
  fb::LayerIndex* const table_;
};

TEST_F(LayerIndexTest, FullCheckAcceptsWhatTheBuilderWrites) {
  EXPECT_EQ(ErrorAfter([] {}), "");
}

TEST_F(LayerIndexTest, NoFlippedByteGetsPastTheFullCheckAndCrashes) {
  int refused = 0;
  for (std::size_t i = kIndexHeaderBytes; i < layer_.file.size(); ++i) {
    for (const std::byte flip : {std::byte{1}, std::byte{0x80}, std::byte{0xff}}) {
      Bytes bad = layer_.file;
      bad[i] ^= flip;
      FixChecksum(bad);
      const auto index = LayerIndex::Open(bad, layer_.diff_id, IndexCheck::kFull);
      if (index.ok()) ReadEverything(*index);
      if (!index.ok()) ++refused;
    }
  }
  EXPECT_GT(refused, static_cast<int>(layer_.file.size()));
}

TEST_F(LayerIndexTest, NoTruncatedBodyCrashes) {
  for (std::size_t size = kIndexHeaderBytes; size < layer_.file.size(); ++size) {
    Bytes bad(layer_.file.begin(), layer_.file.begin() + static_cast<std::ptrdiff_t>(size));
    FixChecksum(bad);
    const auto index = LayerIndex::Open(bad, layer_.diff_id, IndexCheck::kFull);
    if (index.ok()) ReadEverything(*index);
  }
}

TEST_F(LayerIndexTest, DirectoryBelowItselfIsRefused) {
  // "a" moves from the root into itself.
  EXPECT_THAT(ErrorAfter([&] {
                entry(0).mutate_kind(static_cast<std::uint8_t>(LayerEntryKind::kWhiteout));
                entry(0).mutate_target(0);
                entry(6).mutate_target(1);
              }),
              HasSubstr("out of order"));
}

TEST_F(LayerIndexTest, DirectoryWithTwoParentsIsRefused) {
  EXPECT_THAT(ErrorAfter([&] { entry(6).mutate_target(3); }), HasSubstr("names inode 3 out of order"));
}

TEST_F(LayerIndexTest, InodeWithoutANameIsRefused) {
  EXPECT_THAT(ErrorAfter([&] {
                for (const std::uint32_t i : {6, 7}) {
                  entry(i).mutate_kind(static_cast<std::uint8_t>(LayerEntryKind::kWhiteout));
                  entry(i).mutate_target(0);
                }
              }),
              HasSubstr("inode 5 has no name"));
}

TEST_F(LayerIndexTest, SharedEntriesAreRefused) {
  EXPECT_THAT(ErrorAfter([&] {
                inode(3).mutate_first(6);
                inode(3).mutate_count(2);
              }),
              HasSubstr("directory 3: its entries are out of place"));
}

TEST_F(LayerIndexTest, NamesOutOfOrderAreRefused) {
  EXPECT_THAT(ErrorAfter([&] { entry(7).mutate_name(entry(6).name()); }), HasSubstr("\"x\" does not come after \"x\""));
}

TEST_F(LayerIndexTest, WrongLinkCountsAreRefused) {
  EXPECT_THAT(ErrorAfter([&] { inode(5).mutate_nlink(3); }), HasSubstr("inode 5: nlink 3, but 2 names"));
  EXPECT_THAT(ErrorAfter([&] { inode(0).mutate_nlink(2); }), HasSubstr("inode 0: nlink 2, but 4 names"));
}

TEST_F(LayerIndexTest, ContentThatIsNotItsChunksIsRefused) {
  EXPECT_THAT(ErrorAfter([&] { inode(5).mutate_size(2); }), HasSubstr("inode 5: chunk 0 has another length"));
  EXPECT_THAT(ErrorAfter([&] { inode(5).mutate_first(1); }), HasSubstr("inode 5: there is no chunk 1"));
}

TEST_F(LayerIndexTest, ImpossibleAttributesAreRefused) {
  EXPECT_THAT(ErrorAfter([&] { inode(5).mutate_mode(S_IFSOCK | 0644); }), HasSubstr("mode 140644"));
  EXPECT_THAT(ErrorAfter([&] { inode(5).mutate_mtime_nanoseconds(1'000'000'000); }), HasSubstr("nanoseconds"));
  EXPECT_THAT(ErrorAfter([&] { inode(5).mutate_xattr_set(2); }), HasSubstr("there is no xattr set 2"));
  EXPECT_THAT(ErrorAfter([&] { inode(5).mutate_device(1); }), HasSubstr("a device number"));
  EXPECT_THAT(ErrorAfter([&] { inode(5).mutate_flags(kInodeOpaque); }), HasSubstr("flags 2"));
  EXPECT_THAT(ErrorAfter([&] { inode(4).mutate_size(1); }), HasSubstr("a size"));
}

}  // namespace
}  // namespace varve
