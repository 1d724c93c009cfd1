#include "cached/store/blob_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "cached/content/sha256.h"
#include "tests/support/forwarding_fs.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Counts openings, and calls back once before the next one returns.
class WatchedDisk final : public ForwardingFs {
 public:
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    ++opened;
    auto file = ForwardingFs::Open(path, mode);
    std::exchange(after_open, [] {})();
    return file;
  }
  int opened = 0;
  std::function<void()> after_open = [] {};
};

class BlobFilesTest : public ::testing::Test {
 protected:
  BlobFilesTest() {
    EXPECT_TRUE(files_.Recover([](const Digest&) { return true; }).ok());
  }

  // The blob, by way of an upload.
  Digest Push(const std::string& content) {
    const Digest digest = Sha256Of(AsBytes(content));
    const auto upload = files_.CreateUpload("test/x", "id");
    EXPECT_TRUE(upload.ok() && (*upload)->WriteAt(0, AsBytes(content)).ok() && (*upload)->Sync().ok());
    EXPECT_TRUE(files_.Publish("test/x", "id", digest).ok());
    return digest;
  }
  std::string Read(const Digest& digest) {
    const auto file = files_.Open(digest);
    if (!file.ok()) return std::string(CodeName(file.error().code()));
    std::string content((*file)->Size().value(), '\0');
    EXPECT_TRUE((*file)->ReadAt(0, std::as_writable_bytes(std::span(content))).ok());
    return content;
  }
  std::vector<std::string> Uploads() { return Fs::Real().List(paths_.uploads()).value(); }
  void SetAge(const std::string& path, std::chrono::hours age) {
    std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() - age);
  }

  const TempDir directory_;
  const RootPaths paths_{directory_.path(), directory_ / "run"};
  WatchedDisk disk_;
  BlobFiles files_{disk_, paths_};
};

TEST_F(BlobFilesTest, AnUploadBecomesTheFileOfItsBlob) {
  const Digest blob = Push("content");
  EXPECT_EQ(Read(blob), "content");
  EXPECT_THAT(files_.List().value(), ElementsAre(blob));
  EXPECT_THAT(Uploads(), IsEmpty());
}

TEST_F(BlobFilesTest, AnUploadGoesOnWhereItWasLeft) {
  ASSERT_TRUE((*files_.CreateUpload("test/x", "id"))->WriteAt(0, AsBytes("first")).ok());
  BlobFiles after_restart(disk_, paths_);
  ASSERT_TRUE(after_restart.Recover([](const Digest&) { return false; }).ok());
  EXPECT_EQ((*after_restart.OpenUpload("test/x", "id"))->Size().value(), 5u);
}

TEST_F(BlobFilesTest, AnUploadIsOneRepositorysAndHasItsIdAlone) {
  ASSERT_TRUE(files_.CreateUpload("test/x", "id").ok());
  EXPECT_EQ(files_.CreateUpload("test/x", "id").error().code(), Code::kAlreadyExists);
  EXPECT_EQ(files_.OpenUpload("test/y", "id").error().code(), Code::kNotFound);
  EXPECT_EQ(files_.RemoveUpload("test/y", "id").error().code(), Code::kNotFound);
  EXPECT_TRUE(files_.RemoveUpload("test/x", "id").ok());
  EXPECT_EQ(files_.OpenUpload("test/x", "id").error().code(), Code::kNotFound);
}

TEST_F(BlobFilesTest, AnIdThatLeadsElsewhereIsNone) {
  for (const std::string& id : {std::string(), std::string("../x"), std::string("a/b"), std::string("."),
                                std::string("a\0b", 3), std::string(65, 'a')}) {
    EXPECT_EQ(files_.CreateUpload("test/x", id).error().code(), Code::kInvalidArgument) << id;
    EXPECT_EQ(files_.OpenUpload("test/x", id).error().code(), Code::kInvalidArgument) << id;
  }
}

TEST_F(BlobFilesTest, AHotBlobIsOpenedOnce) {
  const Digest blob = Push("content");
  disk_.opened = 0;
  EXPECT_EQ(Read(blob), "content");
  EXPECT_EQ(Read(blob), "content");
  EXPECT_EQ(disk_.opened, 1);
}

TEST_F(BlobFilesTest, OnlySoManyFilesStayOpenThoseThatWereReadLast) {
  constexpr int kOpen = 256;
  std::vector<Digest> blobs;
  for (int i = 0; i <= kOpen; ++i) blobs.push_back(Push(std::to_string(i)));
  for (const Digest& blob : blobs) Read(blob);
  disk_.opened = 0;
  Read(blobs.back());
  EXPECT_EQ(disk_.opened, 0);
  Read(blobs.front());
  EXPECT_EQ(disk_.opened, 1);
}

TEST_F(BlobFilesTest, AnOpenFileStaysReadableAfterItsRemovalAndTheNextOpeningMisses) {
  const Digest blob = Push("content");
  const auto file = files_.Open(blob).value();
  ASSERT_TRUE(files_.Remove(blob).ok());
  EXPECT_EQ(file->Size().value(), 7u);
  EXPECT_EQ(files_.Open(blob).error().code(), Code::kNotFound);
}

TEST_F(BlobFilesTest, AFileThatIsRemovedWhileItIsOpenedIsNotKeptOpen) {
  const Digest blob = Push("content");
  disk_.after_open = [&] { EXPECT_TRUE(files_.Remove(blob).ok()); };
  ASSERT_TRUE(files_.Open(blob).ok());
  EXPECT_EQ(files_.Open(blob).error().code(), Code::kNotFound);
}

TEST_F(BlobFilesTest, WhatIsPublishedAnewIsWhatIsReadFromThenOn) {
  const Digest blob = Push("content");
  ASSERT_TRUE(
      (*Fs::Real().Open(paths_.blobs() + "/" + blob.hex(), OpenMode::kReadWrite))->WriteAt(0, AsBytes("K")).ok());
  EXPECT_EQ(Read(blob), "Kontent");
  Push("content");
  EXPECT_EQ(Read(blob), "content");
}

TEST_F(BlobFilesTest, ASmallBlobIsWrittenWhole) {
  const Digest blob = Sha256Of(AsBytes("manifest"));
  ASSERT_TRUE(files_.Write(blob, AsBytes("manifest")).ok());
  EXPECT_EQ(Read(blob), "manifest");
  EXPECT_THAT(Fs::Real().List(paths_.blobs()).value(), ElementsAre(blob.hex()));
}

TEST_F(BlobFilesTest, AStartRemovesWhatIsNotKnownAndHalfWritten) {
  const Digest kept = Push("kept");
  const Digest gone = Push("gone");
  ASSERT_TRUE(Fs::Real().Open(paths_.blobs() + "/" + kept.hex() + ".1.new", OpenMode::kCreateNew).ok());
  ASSERT_TRUE(files_.Recover([&](const Digest& digest) { return digest != gone; }).ok());
  EXPECT_THAT(Fs::Real().List(paths_.blobs()).value(), ElementsAre(kept.hex()));
}

TEST_F(BlobFilesTest, UploadsThatNobodyWritesToAreGivenUp) {
  ASSERT_TRUE(files_.CreateUpload("test/x", "old").ok() && files_.CreateUpload("test/x", "young").ok());
  const std::string prefix = paths_.uploads() + "/" + Sha256Of(AsBytes("test/x")).hex() + ".";
  SetAge(prefix + "old", kUploadAgeMax + std::chrono::hours(1));
  SetAge(prefix + "young", kUploadAgeMax - std::chrono::hours(1));
  ASSERT_TRUE(files_.Recover([](const Digest&) { return true; }).ok());
  EXPECT_EQ(files_.OpenUpload("test/x", "old").error().code(), Code::kNotFound);
  EXPECT_TRUE(files_.OpenUpload("test/x", "young").ok());
}

}  // namespace
}  // namespace varve
