#include "cached/base/fs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "tests/support/fault_fs.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using testing::ElementsAre;

constexpr std::uint64_t kMost = 1 << 20;

std::string TextOf(Fs& fs, const std::string& path) { return std::string(AsText(*ReadWholeFile(fs, path, kMost))); }

// Both implementations of the seam keep its contract, so that a test on the one says something about the other.
class FsContractTest : public testing::TestWithParam<bool> {
 protected:
  FsContractTest() { EXPECT_TRUE(fs().MakeDirectories(in("sub/deep")).ok()); }
  Fs& fs() { return GetParam() ? Fs::Real() : fault_fs_; }
  const std::string& directory() const { return directory_.path(); }
  std::string in(std::string_view name) const { return directory_ / name; }

 private:
  TempDir directory_;
  FaultFs fault_fs_;
};
INSTANTIATE_TEST_SUITE_P(Fs, FsContractTest, testing::Bool(),
                         [](const auto& test) { return test.param ? "Real" : "Fault"; });

TEST_P(FsContractTest, WhatIsWrittenIsRead) {
  auto file = *fs().Open(in("f"), OpenMode::kCreateNew);
  ASSERT_TRUE(file->WriteAt(0, AsBytes("abcdef")).ok());
  ASSERT_TRUE(file->WriteAt(2, AsBytes("XY")).ok());
  EXPECT_EQ(TextOf(fs(), in("f")), "abXYef");
  EXPECT_EQ(*fs().FileSize(in("f")), 6u);
}

TEST_P(FsContractTest, AHoleReadsAsZero) {
  auto file = *fs().Open(in("f"), OpenMode::kCreateNew);
  ASSERT_TRUE(file->WriteAt(2, AsBytes("c")).ok());
  EXPECT_EQ(TextOf(fs(), in("f")), std::string("\0\0c", 3));
}

TEST_P(FsContractTest, AReadStopsAtTheEndOfTheFile) {
  auto file = *fs().Open(in("f"), OpenMode::kCreateNew);
  ASSERT_TRUE(file->WriteAt(0, AsBytes("abc")).ok());
  std::array<std::byte, 8> into{};
  EXPECT_EQ(*file->ReadAt(1, into), 2u);
  EXPECT_EQ(*file->ReadAt(3, into), 0u);
  EXPECT_EQ(*file->ReadAt(99, into), 0u);
}

TEST_P(FsContractTest, AFileSaysWhenItWasModifiedAndOneThatIsAbsentIsNotFound) {
  const auto file = *fs().Open(in("f"), OpenMode::kCreateNew);
  ASSERT_TRUE(file->WriteAt(0, AsBytes("abc")).ok());
  const auto modified = *fs().ModifiedAt(in("f"));
  EXPECT_LE(modified, std::chrono::system_clock::now());
  EXPECT_GT(modified, std::chrono::system_clock::now() - std::chrono::hours(1));
  EXPECT_EQ(fs().ModifiedAt(in("absent")).error().code(), Code::kNotFound);
}

TEST_P(FsContractTest, EachModeRefusesWhatItMust) {
  EXPECT_EQ(fs().Open(in("f"), OpenMode::kRead).error().code(), Code::kNotFound);
  EXPECT_EQ(fs().Open(in("f"), OpenMode::kReadWrite).error().code(), Code::kNotFound);
  EXPECT_EQ(fs().Open(in("missing/f"), OpenMode::kCreateNew).error().code(), Code::kNotFound);
  ASSERT_TRUE(fs().Open(in("f"), OpenMode::kCreateNew).ok());
  EXPECT_EQ(fs().Open(in("f"), OpenMode::kCreateNew).error().code(), Code::kAlreadyExists);
  EXPECT_FALSE((*fs().Open(in("f"), OpenMode::kRead))->WriteAt(0, AsBytes("x")).ok());
}

TEST_P(FsContractTest, CreateTruncateEmptiesWhatIsThere) {
  ASSERT_TRUE((*fs().Open(in("f"), OpenMode::kCreateNew))->WriteAt(0, AsBytes("old")).ok());
  ASSERT_TRUE(fs().Open(in("f"), OpenMode::kCreateTruncate).ok());
  EXPECT_EQ(*fs().FileSize(in("f")), 0u);
}

TEST_P(FsContractTest, ARenameReplacesItsTarget) {
  ASSERT_TRUE((*fs().Open(in("a"), OpenMode::kCreateNew))->WriteAt(0, AsBytes("new")).ok());
  ASSERT_TRUE((*fs().Open(in("b"), OpenMode::kCreateNew))->WriteAt(0, AsBytes("old")).ok());
  ASSERT_TRUE(fs().Rename(in("a"), in("b")).ok());
  EXPECT_EQ(TextOf(fs(), in("b")), "new");
  EXPECT_EQ(fs().Rename(in("a"), in("c")).error().code(), Code::kNotFound);
  EXPECT_THAT(*fs().List(directory()), ElementsAre("b", "sub"));
}

TEST_P(FsContractTest, AnOpenFileOutlivesItsName) {
  auto file = *fs().Open(in("f"), OpenMode::kCreateNew);
  ASSERT_TRUE(fs().Remove(in("f")).ok());
  EXPECT_EQ(fs().FileSize(in("f")).error().code(), Code::kNotFound);
  EXPECT_TRUE(file->WriteAt(0, AsBytes("still here")).ok());
  EXPECT_EQ(*file->Size(), 10u);
}

TEST_P(FsContractTest, ErrorsNameThePath) {
  EXPECT_THAT(fs().Remove(in("gone")).error().message(), testing::StartsWith(in("gone")));
  EXPECT_THAT(fs().List(in("gone")).error().message(), testing::StartsWith(in("gone")));
  EXPECT_THAT(fs().SyncDirectory(in("gone")).error().message(), testing::StartsWith(in("gone")));
}

TEST_P(FsContractTest, AFileLargerThanAllowedIsNotRead) {
  ASSERT_TRUE((*fs().Open(in("f"), OpenMode::kCreateNew))->WriteAt(0, AsBytes("abcd")).ok());
  EXPECT_TRUE(ReadWholeFile(fs(), in("f"), 4).ok());
  EXPECT_EQ(ReadWholeFile(fs(), in("f"), 3).error().code(), Code::kResourceExhausted);
}

// Replaces a file while the n-th operation fails, then loses power. False if there was no n-th operation.
bool ReplaceWithFault(std::uint64_t nth, FaultFs::Failing failing, FaultFs::Unsynced unsynced) {
  SCOPED_TRACE(nth);
  FaultFs fs;
  EXPECT_TRUE(WriteFileAtomically(fs, "/file", AsBytes("old content")).ok());
  fs.FailAt(nth, failing);
  const Status status = WriteFileAtomically(fs, "/file", AsBytes("new"));
  const bool reached = fs.operations() >= nth;
  fs.Heal();
  fs.Crash(unsynced);
  EXPECT_NE(status.ok(), reached);
  const std::string text = TextOf(fs, "/file");
  EXPECT_TRUE(text == "new" || (!status.ok() && text == "old content")) << text;
  return reached;
}

TEST(WriteFileAtomicallyTest, NoFaultLeavesHalfAFile) {
  using Unsynced = FaultFs::Unsynced;
  for (const Unsynced unsynced : {Unsynced::kKept, Unsynced::kDropped, Unsynced::kTorn, Unsynced::kZeroed}) {
    for (const auto failing : {FaultFs::Failing::kOnce, FaultFs::Failing::kFromThenOn}) {
      std::uint64_t operations = 0;
      while (ReplaceWithFault(operations + 1, failing, unsynced)) ++operations;
      EXPECT_EQ(operations, 5u) << "open, write, sync, rename, sync the directory";
    }
  }
}

TEST(WriteFileAtomicallyTest, AFailureLeavesNoTemporaryFile) {
  FaultFs fs;
  fs.FailAt(3, FaultFs::Failing::kOnce);
  EXPECT_FALSE(WriteFileAtomically(fs, "/file", AsBytes("new")).ok());
  EXPECT_TRUE(fs.List("/")->empty());
}

TEST(MappedFileTest, ShowsTheFileEvenAfterItWasRemoved) {
  const TempDir directory;
  ASSERT_TRUE(WriteFileAtomically(Fs::Real(), directory / "f", AsBytes("mapped")).ok());
  const MappedFile file = *MappedFile::Open(Fs::Real(), directory / "f");
  ASSERT_TRUE(Fs::Real().Remove(directory / "f").ok());
  EXPECT_EQ(AsText(file.bytes()), "mapped");
}

TEST(MappedFileTest, AWriteIsSeenByEveryOtherMapping) {
  const TempDir directory;
  ASSERT_TRUE(WriteFileAtomically(Fs::Real(), directory / "f", AsBytes("mapped")).ok());
  const MappedFile reader = *MappedFile::Open(Fs::Real(), directory / "f");
  const MappedFile writer = *MappedFile::OpenWritable(Fs::Real(), directory / "f");
  writer.writable()[0] = std::byte{'M'};
  EXPECT_EQ(AsText(reader.bytes()), "Mapped");
}

TEST(MappedFileTest, MovesLeaveOneOwner) {
  const TempDir directory;
  ASSERT_TRUE(WriteFileAtomically(Fs::Real(), directory / "f", AsBytes("mapped")).ok());
  MappedFile first = *MappedFile::Open(Fs::Real(), directory / "f");
  const MappedFile second = std::move(first);
  EXPECT_EQ(AsText(second.bytes()), "mapped");
}

TEST(MappedFileTest, AnEmptyOrMissingFileIsAnErrorThatNamesIt) {
  const TempDir directory;
  ASSERT_TRUE(WriteFileAtomically(Fs::Real(), directory / "empty", {}).ok());
  EXPECT_EQ(MappedFile::Open(Fs::Real(), directory / "empty").error().code(), Code::kDataLoss);
  EXPECT_EQ(MappedFile::Open(Fs::Real(), directory / "missing").error().code(), Code::kNotFound);
}

}  // namespace
}  // namespace varve
