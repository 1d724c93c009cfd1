#include "cached/tree/image_index.h"

#include <dirent.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/tree/corruption.h"
#include "tests/tree/layer_builder.h"
#include "tests/tree/read_everything.h"

namespace varve {
namespace {

using testing::HasSubstr;

class ImageIndexTest : public testing::Test {
 protected:
  ImageIndexTest()
      : image_(BuildImage({Layer().File("a/x", "1").HardLink("a/y", "a/x").HardLink("a/z", "a/x").Symlink("b", "a"),
                           Layer().Whiteout("a/y").Dir("a/d").File("c", "22")})
                   .value()),
        table_(
            const_cast<fb::ImageIndex*>(flatbuffers::GetRoot<fb::ImageIndex>(image_.file.data() + kIndexHeaderBytes))) {
  }

  // The error of the full check after the change, or "".
  std::string ErrorAfter(const std::function<void()>& change) {
    const Bytes good = image_.file;
    change();
    FixChecksum(image_.file);
    const auto index = ImageIndex::Open(image_.file, image_.chain_id(), IndexCheck::kFull);
    const Status checked = index.ok() ? index->CheckAgainst(image_.indexes) : index.error();
    std::ranges::copy(good, image_.file.begin());
    return checked.ok() ? "" : checked.error().message();
  }
  fb::ImageInode& inode(std::uint32_t i) { return *table_->mutable_inodes()->GetMutableObject(i); }
  fb::ImageEntry& entry(std::uint32_t i) { return *table_->mutable_entries()->GetMutableObject(i); }

  // The image's inodes: 0 root, 1 a, 2 a/d, 3 a/x. Its entries: a b c, d x z.
  BuiltImage image_;
  fb::ImageIndex* const table_;
};

TEST_F(ImageIndexTest, FindsNamesAndOnlyThose) {
  const fb::ImageInode& root = image_.index.inodes()[0];
  for (const char* name : {"a", "b", "c"}) {
    const fb::ImageEntry* found = image_.index.Find(root, name);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(image_.index.name(*found), name);
  }
  for (const char* name : {"", "A", "aa", "d"}) EXPECT_EQ(image_.index.Find(root, name), nullptr) << name;
}

TEST_F(ImageIndexTest, DirentTypesAreReaddirs) {
  EXPECT_EQ(entry(0).type(), DT_DIR);
  EXPECT_EQ(entry(1).type(), DT_LNK);
  EXPECT_EQ(entry(2).type(), DT_REG);
}

TEST_F(ImageIndexTest, NoFlippedByteGetsPastTheFullCheckAndCrashes) {
  int refused = 0;
  for (std::size_t i = kIndexHeaderBytes; i < image_.file.size(); ++i) {
    for (const std::byte flip : {std::byte{1}, std::byte{0x80}, std::byte{0xff}}) {
      Bytes bad = image_.file;
      bad[i] ^= flip;
      FixChecksum(bad);
      const auto index = ImageIndex::Open(bad, image_.chain_id(), IndexCheck::kFull);
      if (index.ok()) ReadEverything(*index);
      if (!index.ok() || !index->CheckAgainst(image_.indexes).ok()) ++refused;
    }
  }
  EXPECT_GT(refused, static_cast<int>(image_.file.size()));
}

TEST_F(ImageIndexTest, OtherLayersAreRefused) {
  EXPECT_THAT(ErrorAfter([&] { table_->mutable_layers()->GetMutableObject(1)->mutable_bytes()->Mutate(0, 0); }),
              HasSubstr("another chain ID"));
}

TEST_F(ImageIndexTest, WrongParentIsRefused) {
  EXPECT_THAT(ErrorAfter([&] { inode(2).mutate_parent(0); }), HasSubstr("its parent is directory 0"));
}

TEST_F(ImageIndexTest, DirectoryBelowItselfIsRefused) {
  EXPECT_THAT(ErrorAfter([&] {
                entry(0).mutate_ordinal(2);
                inode(2).mutate_parent(0);
                entry(3).mutate_ordinal(1);
                inode(1).mutate_parent(1);
              }),
              HasSubstr("names inode 2 out of order"));
}

TEST_F(ImageIndexTest, EntriesOfLayersAreCheckedAgainstThem) {
  EXPECT_THAT(ErrorAfter([&] { entry(1).mutate_ordinal(100); }), HasSubstr("layer 1 has no inode 100"));
  EXPECT_THAT(ErrorAfter([&] { entry(1).mutate_type(DT_REG); }), HasSubstr("\"b\" has another type"));
  EXPECT_THAT(ErrorAfter([&] { entry(1).mutate_layer(3); }), HasSubstr("there is no layer 3"));
  EXPECT_THAT(ErrorAfter([&] { inode(3).mutate_size(5); }), HasSubstr("another size"));
}

TEST_F(ImageIndexTest, FileThatNeedsItsOwnInodeMustHaveIt) {
  // a/x and a/z point at the layer's inode, which has three names.
  EXPECT_THAT(ErrorAfter([&] {
                for (const std::uint32_t i : {4, 5}) {
                  entry(i).mutate_layer(1);
                  entry(i).mutate_ordinal(inode(3).ordinal());
                }
                inode(3).mutate_nlink(0);
              }),
              HasSubstr("inode 3 has no name"));
}

TEST_F(ImageIndexTest, LayerInodeWithTooFewNamesIsRefused) {
  BuiltImage image = BuildImage({Layer().File("a", "1").HardLink("b", "a").File("c", "2")}).value();
  auto* table =
      const_cast<fb::ImageIndex*>(flatbuffers::GetRoot<fb::ImageIndex>(image.file.data() + kIndexHeaderBytes));
  table->mutable_entries()->GetMutableObject(1)->mutate_ordinal(table->entries()->Get(2)->ordinal());
  EXPECT_THAT(image.index.CheckAgainst(image.indexes).error().message(), HasSubstr("inode 1 has 1 names, not 2"));
}

TEST_F(ImageIndexTest, CheckAgainstOtherLayersIsRefused) {
  EXPECT_EQ(image_.index.CheckAgainst(std::span(image_.indexes).first(1)).error().code(), Code::kDataLoss);
  std::swap(image_.indexes[0], image_.indexes[1]);
  EXPECT_EQ(image_.index.CheckAgainst(image_.indexes).error().code(), Code::kDataLoss);
}

}  // namespace
}  // namespace varve
