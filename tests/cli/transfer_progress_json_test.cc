#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/documents.h"
#include "cli/transfer_progress.h"

namespace varve {
namespace {

using Json = nlohmann::json;

v1::PullEvent LayerEvent(v1::PullEvent::Layer::State state, std::uint64_t done_bytes) {
  v1::PullEvent event;
  v1::PullEvent::Layer& layer = *event.add_layers();
  layer.set_digest("sha256:ab");
  layer.set_state(state);
  layer.set_done_bytes(done_bytes);
  layer.set_total_bytes(10);
  return event;
}

// What a pull of one layer prints.
std::string ShownAs(TransferProgress::Style style) {
  TransferProgress progress(style);
  v1::PullEvent done;
  done.mutable_done()->set_reference("docker.io/library/x:1");
  done.mutable_done()->set_manifest_digest("sha256:cd");
  done.mutable_done()->set_config_digest("sha256:ef");
  ::testing::internal::CaptureStdout();
  progress.Show(LayerEvent(v1::PullEvent::Layer::DOWNLOADING, 4));
  progress.Show(LayerEvent(v1::PullEvent::Layer::DOWNLOADING, 8));
  progress.Show(LayerEvent(v1::PullEvent::Layer::DONE, 10));
  progress.Show(done);
  progress.Finish();
  return ::testing::internal::GetCapturedStdout();
}

TEST(TransferProgressTest, AsJsonEachEventIsOneLineAndTheLastIsTheResult) {
  std::vector<Json> lines;
  std::istringstream output(ShownAs(TransferProgress::Style::kJson));
  for (std::string line; std::getline(output, line);) lines.push_back(Json::parse(line));
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[1], Json({{"event", "layer"},
                            {"digest", "sha256:ab"},
                            {"state", "downloading"},
                            {"done_bytes", 8},
                            {"total_bytes", 10}}));
  EXPECT_EQ(lines[2]["state"], "done");
  EXPECT_EQ(lines[3], Json({{"event", "done"},
                            {"reference", "docker.io/library/x:1"},
                            {"manifest_digest", "sha256:cd"},
                            {"config_digest", "sha256:ef"},
                            {"up_to_date", false}}));
}

TEST(TransferProgressTest, WithoutATerminalEachStepIsAPlainLine) {
  EXPECT_EQ(ShownAs(TransferProgress::Style::kPlain),
            "ab: Downloading\nab: Pull complete\nDigest: sha256:cd\nStatus: Downloaded newer image for x:1\n");
}

TEST(TransferProgressTest, APushHasDockersWordsForItsSteps) {
  TransferProgress progress(TransferProgress::Style::kPlain, TransferProgress::Direction::kPush);
  v1::PullEvent mounted = LayerEvent(v1::PullEvent::Layer::MOUNTED, 10);
  mounted.mutable_layers(0)->set_from("library/debian");
  ::testing::internal::CaptureStdout();
  progress.Show(LayerEvent(v1::PullEvent::Layer::PUSHING, 4));
  progress.Show(LayerEvent(v1::PullEvent::Layer::DONE, 10));
  progress.Show(LayerEvent(v1::PullEvent::Layer::EXISTS, 10));
  progress.Show(mounted);
  EXPECT_EQ(::testing::internal::GetCapturedStdout(),
            "ab: Pushing\nab: Pushed\nab: Layer already exists\nab: Mounted from library/debian\n");
  EXPECT_EQ(Json::parse(PullLayerJson(mounted.layers(0)))["from"], "library/debian");
}

TEST(TransferProgressTest, ACopyHasOneWordForBothWays) {
  TransferProgress progress(TransferProgress::Style::kPlain, TransferProgress::Direction::kCopy);
  ::testing::internal::CaptureStdout();
  for (const auto state : {v1::PullEvent::Layer::DOWNLOADING, v1::PullEvent::Layer::DONE, v1::PullEvent::Layer::PUSHING,
                           v1::PullEvent::Layer::EXISTS})
    progress.Show(LayerEvent(state, 4));
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "ab: Copying\nab: Copied\nab: Copying\nab: Already exists\n");
}

TEST(TransferProgressTest, QuietSaysTheNameAlone) {
  EXPECT_EQ(ShownAs(TransferProgress::Style::kQuiet), "docker.io/library/x:1\n");
}

TEST(TransferProgressTest, AnErrorIsAnObjectOfOneLineWhateverItsMessageHolds) {
  const std::string line = ErrorJson(Error(Code::kNotFound, "No such image: \"x\"\n\xff"));
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(Json::parse(line),
            Json({{"event", "error"}, {"code", "not found"}, {"message", "No such image: \"x\"\n\ufffd"}}));
}

}  // namespace
}  // namespace varve
