#include "cached/tree/merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/tree/layer_builder.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> Merge(const std::vector<Layer>& layers) { return BuildImage(layers).value().Strings(); }
std::string MergeError(const std::vector<Layer>& layers) { return BuildImage(layers).error().message(); }

// OCI image-spec layer.md, "Opaque Whiteout": a directory re-created above an opaque one must not revive what that hid.
TEST(MergeTest, OpaqueDirectoryStaysOpaqueWhenALaterLayerTouchesIt) {
  EXPECT_THAT(Merge({Layer().File("etc/old", "1"), Layer().Opaque("etc").File("etc/new", "2"), Layer().Dir("etc")}),
              ElementsAre("dir etc", "file etc/new 2"));
}

TEST(MergeTest, NoLayersGiveAnEmptyRoot) { EXPECT_THAT(Merge({}), ElementsAre()); }

TEST(MergeTest, FileWithAllItsNamesIsTheLayersOwnInode) {
  const BuiltImage image = BuildImage({Layer().File("a", "1").HardLink("b", "a"), Layer().File("c", "2")}).value();
  const auto entries = image.index.entries(image.index.inodes()[0]);
  EXPECT_EQ(image.index.inodes().size(), 1u);
  EXPECT_THAT((std::vector<int>{entries[0].layer(), entries[1].layer(), entries[2].layer()}), ElementsAre(1, 1, 2));
}

TEST(MergeTest, FileThatLostANameGetsItsOwnInode) {
  const BuiltImage image =
      BuildImage({Layer().File("a", "1").HardLink("b", "a").HardLink("c", "a"), Layer().Whiteout("b")}).value();
  ASSERT_EQ(image.index.inodes().size(), 2u);
  EXPECT_EQ(image.index.inodes()[1].nlink(), 2u);
  EXPECT_THAT(image.Strings(), ElementsAre("file a 1 nlink=2", "hardlink c a"));
}

TEST(MergeTest, ErrorNamesTheLayerAndThePath) {
  const std::string error = MergeError({Layer().Dir("d"), Layer().HardLink("d/x", "d/missing")});
  EXPECT_THAT(error, HasSubstr("layer 2 (sha256:"));
  EXPECT_THAT(error, HasSubstr("d/x: a hard link to d/missing"));
}

TEST(MergeTest, DirectoryCountsItsSubdirectories) {
  const BuiltImage image =
      BuildImage({Layer().Dir("a/b").Dir("a/c"), Layer().Whiteout("a/c").Dir("a/d").Dir("a/e")}).value();
  const fb::ImageEntry* a = image.index.Find(image.index.inodes()[0], "a");
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(image.index.inodes()[a->ordinal()].nlink(), 2u + 3u);
}

TEST(MergeTest, OneHundredThousandEntriesInTwoLayersMerge) {
  Layer lower;
  Layer upper;
  for (int i = 0; i < 100'000; ++i) {
    const std::string path = "d" + std::to_string(i % 300) + "/f" + std::to_string(i);
    lower.File(path, "");
    if (i % 2 == 0) upper.Whiteout(path);
  }
  EXPECT_EQ(Merge({lower, upper}).size(), 50'000u + 300u);
}

TEST(MergeTest, SymlinksToDeepPlacesCannotMakeATreeWithoutEnd) {
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "/d";
  Layer lower;
  Layer upper;
  for (int i = 0; i < 1100; ++i) {
    lower.Symlink("s" + std::to_string(i), "/" + std::to_string(i) + deep);
    upper.File("s" + std::to_string(i) + "/f", "");
  }
  EXPECT_EQ(BuildImage({lower, upper}).error().code(), Code::kResourceExhausted);
}

}  // namespace
}  // namespace varve
