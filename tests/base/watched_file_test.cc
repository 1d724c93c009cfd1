#include "cached/base/watched_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temp_dir.h"

namespace varve {
namespace {

class WatchedFileTest : public testing::Test {
 protected:
  WatchedFileTest() { Replace("before"); }
  void Replace(const std::string& text) {
    std::ofstream(directory_ / "new") << text;
    std::filesystem::rename(directory_ / "new", directory_ / "file");
  }
  void Wait() { clock_.Advance(WatchedFile::kInterval); }

  const TempDir directory_;
  ManualClock clock_;
};

TEST_F(WatchedFileTest, AChangeIsToldOnce) {
  WatchedFile file(directory_ / "file", clock_);
  Wait();
  EXPECT_FALSE(file.HasChanged());
  Replace("after");
  Wait();
  EXPECT_TRUE(file.HasChanged());
  Wait();
  EXPECT_FALSE(file.HasChanged());
}

TEST_F(WatchedFileTest, NobodyLooksTwiceInASecond) {
  WatchedFile file(directory_ / "file", clock_);
  Replace("after");
  EXPECT_FALSE(file.HasChanged());
  Wait();
  EXPECT_TRUE(file.HasChanged());
}

TEST_F(WatchedFileTest, AFileThatIsGoneHasNotChangedButWasReplaced) {
  WatchedFile file(directory_ / "file", clock_);
  std::filesystem::remove(directory_ / "file");
  Wait();
  EXPECT_FALSE(file.HasChanged());
  Wait();
  EXPECT_TRUE(file.WasReplaced());
}

TEST_F(WatchedFileTest, WhatCouldNotBeUsedIsToldAgain) {
  WatchedFile file(directory_ / "file", clock_);
  Replace("after");
  Wait();
  ASSERT_TRUE(file.HasChanged());
  file.LookAgain();
  Wait();
  EXPECT_TRUE(file.HasChanged());
  std::filesystem::remove(directory_ / "file");
  for (int time = 0; time < 2; ++time) {  // a log that cannot be made anew, because its directory is gone
    Wait();
    EXPECT_TRUE(file.WasReplaced());
    file.LookAgain();
  }
}

TEST_F(WatchedFileTest, AFileThatGrowsWasNotReplaced) {
  WatchedFile file(directory_ / "file", clock_);
  std::ofstream(directory_ / "file", std::ios::app) << "more";
  Wait();
  EXPECT_FALSE(file.WasReplaced());
}

}  // namespace
}  // namespace varve
