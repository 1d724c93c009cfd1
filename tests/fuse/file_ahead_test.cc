#include "fuse/file_ahead.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "cached/base/bytes.h"
#include "cached/base/check.h"
#include "tests/fuse/tiny_store.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using testing::IsEmpty;

std::string ContentOf(int directory, int file) {
  return std::string(1000, static_cast<char>('a' + file)) + std::to_string(directory);
}

// A layer of directories of ten small files each, and what of it is put into the page cache.
class FileAheadTest : public testing::Test {
 protected:
  static constexpr int kDirectories = 40;
  static constexpr int kFiles = 10;

  FileAheadTest() {
    TinyStore::Layer layer(store_);
    for (int d = 0; d < kDirectories; ++d) {
      layer.Directory(NameOf(d));
      for (int f = 0; f < kFiles; ++f) layer.File(NameOf(d) + "/" + static_cast<char>('a' + f), ContentOf(d, f));
    }
    layer_ = layer.File("large", std::string(FileAhead::kFileBytesMax + 1, 'x')).File("none", "").Publish();
    image_ = store_.AddImage({layer_});
    VARVE_CHECK(images_.Add(image_).ok());
    ahead_.Start([this](NodeId file, ByteSpan content) { stored_[file] = AsText(content); });
  }

  static std::string NameOf(int directory) { return "d" + std::to_string(100 + directory); }
  // The files of a directory, by name, as the kernel knows them.
  std::vector<NodeId> FilesOf(int directory) {
    const MountedImage& image = *images_.Find(*images_.LookUpImage(image_.hex()))->image;
    const fb::ImageEntry* entry = image.index.Find(image.index.inodes()[0], NameOf(directory));
    std::vector<NodeId> files;
    for (const fb::ImageEntry& file : image.index.entries(image.index.inodes()[entry->ordinal()]))
      files.push_back(ImageRegistry::Resolve(image, file).first);
    return files;
  }
  NodeId At(int directory, int file) { return FilesOf(directory)[static_cast<std::size_t>(file)]; }
  void List(int directory) { ahead_.Listed(FilesOf(directory)); }
  // Lists that many directories, and asks for the first file of each.
  void ReadDirectories(int first, int count) {
    for (int d = first; d < first + count; ++d) {
      List(d);
      EXPECT_TRUE(ahead_.Passed(At(d, 0)));
    }
  }

  TempDir directory_;
  TinyStore store_{directory_.path()};
  ImageRegistry images_{store_.paths(), store_};
  ContentReader content_{store_.paths().packs(), 1 << 20, store_, images_};
  std::map<NodeId, std::string> stored_;  // the last member but one: the thread of the last writes it
  FileAhead ahead_{images_, content_};
  Digest layer_;
  ChainId image_;
};

TEST_F(FileAheadTest, WhatIsListedIsStoredOnceWhatIsListedIsRead) {
  ReadDirectories(0, 5);
  List(5);
  ahead_.Stop();
  for (int f = 2; f < kFiles; ++f) EXPECT_EQ(stored_[At(5, f)], ContentOf(5, f)) << f;
}

TEST_F(FileAheadTest, TheFirstFilesAreLeftToTheReader) {
  ReadDirectories(0, 5);
  List(5);
  ahead_.Stop();
  EXPECT_FALSE(stored_.contains(At(5, 0)));
  EXPECT_FALSE(stored_.contains(At(5, 1)));
}

TEST_F(FileAheadTest, ListingsThatNobodyReadsStoreNothing) {
  for (int d = 0; d < kDirectories; ++d) List(d);
  ahead_.Stop();
  EXPECT_THAT(stored_, IsEmpty());
}

TEST_F(FileAheadTest, AReaderWhoGoesOnListingOnlyIsTrustedNoMore) {
  ReadDirectories(0, 5);
  for (int d = 5; d < kDirectories; ++d) List(d);
  ahead_.Stop();
  EXPECT_FALSE(stored_.contains(At(kDirectories - 1, 5)));
}

TEST_F(FileAheadTest, FilesThatNobodyListedAreNoneOfItsBusiness) {
  EXPECT_FALSE(ahead_.Passed(At(0, 0)));
  List(1);
  EXPECT_FALSE(ahead_.Passed(At(0, 1)));
  EXPECT_TRUE(ahead_.Passed(At(1, 0)));
}

TEST_F(FileAheadTest, WhatTheReaderHasComeToIsNotStored) {
  ReadDirectories(0, 5);
  ahead_.Stop();
  stored_.clear();
  List(5);
  EXPECT_TRUE(ahead_.Passed(At(5, 6)));
  ahead_.Start([this](NodeId file, ByteSpan content) { stored_[file] = AsText(content); });
  ahead_.Stop();
  EXPECT_FALSE(stored_.contains(At(5, 7)));
  EXPECT_TRUE(stored_.contains(At(5, 8)));
}

TEST_F(FileAheadTest, DamagedFilesAreLeftToTheirReader) {
  store_.DamageFrame(store_.LocatorsOf(layer_).Get(0));  // one group holds all small files
  ReadDirectories(0, 5);
  List(5);
  ahead_.Stop();
  EXPECT_FALSE(stored_.contains(At(5, 5)));
}

TEST_F(FileAheadTest, OnlySmallFilesWithContentCount) {
  const MountedImage& image = *images_.Find(*images_.LookUpImage(image_.hex()))->image;
  const auto counts = [&](std::string_view name) {
    const auto [id, node] = ImageRegistry::Resolve(image, *image.index.Find(image.index.inodes()[0], name));
    return FileAhead::Counts(id, node);
  };
  EXPECT_FALSE(counts("large"));
  EXPECT_FALSE(counts("none"));
  EXPECT_FALSE(counts(NameOf(0)));
}

}  // namespace
}  // namespace varve
