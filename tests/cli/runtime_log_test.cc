#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "cli/runtime/container_log.h"
#include "cli/runtime/names.h"
#include "cli/runtime/time_text.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using ::testing::HasSubstr;

class RuntimeLogTest : public testing::Test {
 protected:
  RuntimeLogTest() {
    ContainerRecord record{};
    record.id = id_ = NewId();
    LockedContainer container = std::move(*room_.Create(record, [](const std::string&) { return Ok(); }));
    container->state.status = ContainerStatus::kExited;
    container->state.started = "2026-01-01T00:00:00.000000000Z";
    EXPECT_TRUE(container.SaveState().ok());
  }

  void Write(std::string_view text) { std::ofstream(room_.LogOf(id_), std::ios::app) << text; }

  Status Read(const LogOptions& options) {
    said_.clear();
    return ReadContainerLog(room_, id_, options, [&](int fd, std::string_view text) {
      said_ += (fd == STDERR_FILENO ? "E:" : "") + std::string(text);
      return Ok();
    });
  }
  std::string Said(const LogOptions& options = {}) {
    const Status read = Read(options);
    EXPECT_TRUE(read.ok()) << read.error().message();
    return said_;
  }

 private:
  const TempDir directory_;
  const ContainerRoom room_{directory_ / "containers"};
  std::string id_;
  std::string said_;
};

constexpr const char* kFour =
    "2026-01-01T00:00:01.5+00:00 stdout F one\n"
    "2026-01-01T00:00:02.5+00:00 stderr F two\n"
    "2026-01-01T00:00:03.5+00:00 stdout P thr\n"
    "2026-01-01T00:00:03.5+00:00 stdout F ee\n"
    "2026-01-01T00:00:04.5+00:00 stdout F \n";

TEST_F(RuntimeLogTest, LinesComeOnTheStreamThatTheyWereSaidOn) {
  Write(kFour);
  EXPECT_EQ(Said(), "one\nE:two\nthree\n\n");
}

TEST_F(RuntimeLogTest, ATailCountsLinesAndNotParts) {
  Write(kFour);
  EXPECT_EQ(Said({.tail_lines = 2, .since = {}}), "three\n\n");
  EXPECT_EQ(Said({.tail_lines = 100, .since = {}}), "one\nE:two\nthree\n\n");
  EXPECT_EQ(Said({.tail_lines = 0, .since = {}}), "");
}

TEST_F(RuntimeLogTest, SinceLeavesOutWhatIsOlder) {
  Write(kFour);
  EXPECT_EQ(Said({.tail_lines = {}, .since = *ParseTime("2026-01-01T00:00:03Z")}), "three\n\n");
}

TEST_F(RuntimeLogTest, UntilLeavesOutWhatIsNewer) {
  Write(kFour);
  const LogOptions until{.tail_lines = {}, .since = {}, .until = *ParseTime("2026-01-01T00:00:02.5Z")};
  EXPECT_EQ(Said(until), "one\nE:two\n");
  EXPECT_EQ(Said({.tail_lines = 1, .since = {}, .until = until.until}), "E:two\n");
}

TEST_F(RuntimeLogTest, TimesStandAtTheBeginningOfLines) {
  Write("2026-01-01T00:00:03.5+00:00 stdout P a\n2026-01-01T00:00:03.5+00:00 stdout F b\n");
  EXPECT_EQ(Said({.times = Times::kShown, .tail_lines = {}, .since = {}}), "2026-01-01T00:00:03.5+00:00 ab\n");
}

TEST_F(RuntimeLogTest, WhatIsNoLineOfALogIsLeftOut) {
  Write(
      "nonsense\n2026-01-01T00:00:03.5+00:00 stdnone F x\n2026 stdout Q y\n2026 stdout F kept\n2026 stdout F "
      "unfinished");
  EXPECT_EQ(Said(), "kept\n");
}

TEST_F(RuntimeLogTest, AFileWithoutLinesIsNoLog) {
  Write(std::string(3 << 20, 'x'));
  EXPECT_EQ(Read({}).error().code(), Code::kDataLoss);
}

TEST_F(RuntimeLogTest, WithoutALogItSaysWhy) {
  EXPECT_THAT(Read({}).error().message(), HasSubstr("is run with --rm in the foreground"));
}

}  // namespace
}  // namespace varve
