#include "tests/support/fault_fs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace varve {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Unsynced = FaultFs::Unsynced;

std::string TextOf(Fs& fs, const std::string& path) {
  const Result<Bytes> bytes = ReadWholeFile(fs, path, 1 << 20);
  return bytes.ok() ? std::string(AsText(*bytes)) : std::string(CodeName(bytes.error().code()));
}

// A file of which "abcd" is synced, name and all, and "efgh" is not.
std::unique_ptr<File> HalfSynced(FaultFs& fs) {
  auto file = *fs.Open("/file", OpenMode::kCreateNew);
  EXPECT_TRUE(file->WriteAt(0, AsBytes("abcd")).ok());
  EXPECT_TRUE(file->Sync().ok());
  EXPECT_TRUE(fs.SyncDirectory("/").ok());
  EXPECT_TRUE(file->WriteAt(4, AsBytes("efgh")).ok());
  return file;
}

TEST(FaultFsTest, AKilledProcessLosesNothing) {
  FaultFs fs;
  HalfSynced(fs);
  fs.Crash(Unsynced::kKept);
  EXPECT_EQ(TextOf(fs, "/file"), "abcdefgh");
}

TEST(FaultFsTest, PowerLossDropsTearsOrZeroesWhatWasNotSynced) {
  FaultFs dropped, torn, zeroed;
  HalfSynced(dropped);
  HalfSynced(torn);
  HalfSynced(zeroed);
  dropped.Crash(Unsynced::kDropped);
  torn.Crash(Unsynced::kTorn);
  zeroed.Crash(Unsynced::kZeroed);
  EXPECT_EQ(TextOf(dropped, "/file"), "abcd");
  EXPECT_EQ(TextOf(torn, "/file"), "abcdef");
  EXPECT_EQ(TextOf(zeroed, "/file"), std::string("abcd\0\0\0\0", 8));
}

TEST(FaultFsTest, AnOverwriteInPlaceIsUndoneToo) {
  FaultFs fs;
  auto file = HalfSynced(fs);
  ASSERT_TRUE(file->Sync().ok());
  ASSERT_TRUE(file->WriteAt(1, AsBytes("XX")).ok());
  EXPECT_EQ(TextOf(fs, "/file"), "aXXdefgh");
  fs.Crash(Unsynced::kDropped);
  EXPECT_EQ(TextOf(fs, "/file"), "abcdefgh");
}

TEST(FaultFsTest, ATruncationIsUndoneUnlessItWasSynced) {
  FaultFs fs;
  auto file = HalfSynced(fs);
  ASSERT_TRUE(file->Truncate(1).ok());
  fs.Crash(Unsynced::kDropped);
  EXPECT_EQ(TextOf(fs, "/file"), "abcd");
  file = *fs.Open("/file", OpenMode::kReadWrite);
  ASSERT_TRUE(file->Truncate(2).ok());
  ASSERT_TRUE(file->Sync().ok());
  fs.Crash(Unsynced::kDropped);
  EXPECT_EQ(TextOf(fs, "/file"), "ab");
}

TEST(FaultFsTest, ASyncedFileWithoutASyncedNameIsGone) {
  FaultFs fs;
  auto file = *fs.Open("/file", OpenMode::kCreateNew);
  ASSERT_TRUE(file->Sync().ok());
  fs.Crash(Unsynced::kDropped);
  EXPECT_THAT(*fs.List("/"), IsEmpty());
}

TEST(FaultFsTest, RenamesAndRemovalsAreUndoneUnlessTheDirectoryWasSynced) {
  FaultFs fs;
  HalfSynced(fs);
  ASSERT_TRUE(fs.Rename("/file", "/moved").ok());
  fs.Crash(Unsynced::kDropped);
  EXPECT_THAT(*fs.List("/"), ElementsAre("file"));
  ASSERT_TRUE(fs.Remove("/file").ok());
  fs.Crash(Unsynced::kDropped);
  EXPECT_THAT(*fs.List("/"), ElementsAre("file"));
  ASSERT_TRUE(fs.Rename("/file", "/moved").ok());
  ASSERT_TRUE(fs.SyncDirectory("/").ok());
  fs.Crash(Unsynced::kDropped);
  EXPECT_THAT(*fs.List("/"), ElementsAre("moved"));
}

TEST(FaultFsTest, AFileThatWasOpenAtTheCrashIsOfNoUseAfterIt) {
  FaultFs fs;
  auto file = HalfSynced(fs);
  fs.Crash(Unsynced::kDropped);
  EXPECT_EQ(file->WriteAt(0, AsBytes("late")).error().code(), Code::kFailedPrecondition);
  EXPECT_EQ(TextOf(fs, "/file"), "abcd");
}

TEST(FaultFsTest, TheNthOperationFailsAndNamesThePath) {
  FaultFs fs;
  fs.FailAt(2, FaultFs::Failing::kOnce, Error(Code::kUnavailable, "no"));
  auto file = *fs.Open("/file", OpenMode::kCreateNew);
  EXPECT_EQ(file->Sync().error().message(), "/file: no");
  EXPECT_TRUE(file->Sync().ok());
  EXPECT_EQ(fs.operations(), 3u);
}

TEST(FaultFsTest, AFailingWriteLeavesItsFirstHalf) {
  FaultFs fs;
  auto file = *fs.Open("/file", OpenMode::kCreateNew);
  fs.FailAt(1, FaultFs::Failing::kFromThenOn);
  EXPECT_EQ(file->WriteAt(0, AsBytes("abcd")).error().code(), Code::kResourceExhausted);
  EXPECT_FALSE(file->Sync().ok());
  fs.Heal();
  EXPECT_EQ(TextOf(fs, "/file"), "ab");
}

TEST(FaultFsTest, DirectoriesMustBeMadeFirstAndAreListed) {
  FaultFs fs;
  EXPECT_EQ(fs.Open("/a/b/file", OpenMode::kCreateNew).error().code(), Code::kNotFound);
  ASSERT_TRUE(fs.MakeDirectories("/a/b").ok());
  ASSERT_TRUE(fs.Open("/a/b/file", OpenMode::kCreateNew).ok());
  EXPECT_THAT(*fs.List("/"), ElementsAre("a"));
  EXPECT_THAT(*fs.List("/a/b"), ElementsAre("file"));
}

}  // namespace
}  // namespace varve
