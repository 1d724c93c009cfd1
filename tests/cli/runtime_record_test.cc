#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/runtime/record.h"
#include "cli/runtime/signal_names.h"
#include "cli/runtime/time_text.h"

namespace varve {
namespace {

using ::testing::HasSubstr;

TEST(RuntimeRecordTest, ARecordComesBackAsItWasWritten) {
  ContainerRecord record{.id = "id",
                         .name = "web",
                         .image = "debian",
                         .image_id = "sha256:1",
                         .chain_id = "2",
                         .created = "now",
                         .command = {"sh", "-c", "a\n\"b\""},
                         .stop_signal = "SIGINT",
                         .options = {}};
  record.options.entrypoint = "";
  record.options.env = {"A=b"};
  record.options.network.network = "none";
  record.options.at_end = AtEnd::kRemoved;
  record.options.restart = {.on_failure = true, .most_times = 3};
  const Result<ContainerRecord> read = ParseRecord(AsBytes(RecordJson(record)));
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(read->command, record.command);
  EXPECT_EQ(read->options.entrypoint, "");
  EXPECT_EQ(read->options.network.kind(), NetworkKind::kNone);
  EXPECT_EQ(read->options.at_end, AtEnd::kRemoved);
  EXPECT_EQ(read->options.restart.most_times, 3u);
  EXPECT_EQ(read->options.stop_timeout_seconds, std::nullopt);
  EXPECT_EQ(RecordJson(*read), RecordJson(record));
}

TEST(RuntimeRecordTest, AStateComesBackAsItWasWritten) {
  ContainerState state;
  state.status = ContainerStatus::kRestarting;
  state.keeper = Keeper::kConmon;
  state.process = {7, 8};
  state.boot = "b";
  state.exit_code = 9;
  state.out_of_memory = true;
  state.wish = Wish::kRestart;
  state.restarts = 2;
  const Result<ContainerState> read = ParseState(AsBytes(StateJson(state)));
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(StateJson(*read), StateJson(state));
}

TEST(RuntimeRecordTest, WhatANewerVarveWroteIsRefused) {
  const std::string json = R"({"version": 2})";
  EXPECT_EQ(ParseState(AsBytes(json)).error().code(), Code::kFailedPrecondition);
  EXPECT_EQ(ParseState(AsBytes("{}")).error().code(), Code::kDataLoss);
  EXPECT_EQ(ParseRecord(AsBytes(R"({"version": 1, "id": 5})")).error().code(), Code::kDataLoss);
}

TEST(RuntimeTimeTest, TimesAreReadInEveryZone) {
  const auto noon = *ParseTime("2026-01-31T12:00:00Z");
  EXPECT_EQ(*ParseTime("2026-01-31T14:00:00.000000000+02:00"), noon);
  EXPECT_EQ(*ParseTime("2026-01-31T12:00"), noon);
  EXPECT_EQ(*ParseTime("2026-01-31"), noon - std::chrono::hours(12));
  EXPECT_EQ(*ParseTime("2026-01-31T12:00:00.25Z"), noon + std::chrono::milliseconds(250));
  EXPECT_EQ(TimeText(noon + std::chrono::milliseconds(250)), "2026-01-31T12:00:00.250000000Z");
  for (const char* text : {"", "soon", "2026-01-31T12:00:00+2", "2026-01-31 12"})
    EXPECT_FALSE(ParseTime(text).ok()) << text;
}

TEST(RuntimeTimeTest, MomentsAreTimesSecondsOrSoLongAgo) {
  const auto noon = *ParseTime("2026-01-31T12:00:00Z");
  EXPECT_EQ(*ParseMoment("2026-01-31T12:00:00Z"), noon);
  EXPECT_EQ(*ParseMoment("1769860800"), noon);
  const auto ago = std::chrono::system_clock::now() - *ParseMoment("1h30m");
  EXPECT_GE(ago, std::chrono::minutes(90));
  EXPECT_LT(ago, std::chrono::minutes(91));
  for (const char* text : {"1y", "soon", "1h-1m", "99999999999h"}) EXPECT_FALSE(ParseMoment(text).ok()) << text;
}

TEST(RuntimeSignalTest, SignalsHaveNamesAndNumbers) {
  for (const char* text : {"TERM", "sigterm", "SIGTERM", "15"}) EXPECT_EQ(*ParseSignal(text), 15) << text;
  EXPECT_EQ(SignalName(*ParseSignal("RTMIN+3")), "SIGRTMIN+3");
  for (const char* text : {"", "0", "65", "SIGNOTHING", "-9"})
    EXPECT_THAT(ParseSignal(text).error().message(), HasSubstr("Invalid signal")) << text;
}

}  // namespace
}  // namespace varve
