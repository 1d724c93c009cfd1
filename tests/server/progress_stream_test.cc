#include "cached/server/progress_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cached/content/sha256.h"

namespace varve {
namespace {

constexpr std::chrono::milliseconds kNever = std::chrono::hours(1);

TEST(ProgressStreamTest, OfEachLayerTheLatestIsSentAtTheEnd) {
  std::vector<v1::PullEvent> sent;
  CancelToken cancel;
  ProgressStream stream(
      [&](const v1::PullEvent& event) {
        sent.push_back(event);
        return true;
      },
      cancel, kNever);
  const Digest a = Sha256Of(AsBytes("a"));
  stream.Report({a, LayerProgress::State::kWaiting, 0, 10});
  stream.Report({Sha256Of(AsBytes("b")), LayerProgress::State::kExists, 5, 5});
  stream.Report({a, LayerProgress::State::kDownloading, 7, 10});
  stream.Finish();
  stream.Finish();
  ASSERT_EQ(sent.size(), 1u);
  ASSERT_EQ(sent[0].layers_size(), 2);
  for (const auto& layer : sent[0].layers()) {
    if (layer.digest() != a.ToString()) continue;
    EXPECT_EQ(layer.state(), v1::PullEvent::Layer::DOWNLOADING);
    EXPECT_EQ(layer.done_bytes(), 7u);
    EXPECT_EQ(layer.total_bytes(), 10u);
  }
  EXPECT_FALSE(cancel.cancelled());
}

TEST(ProgressStreamTest, AClientThatIsGoneCancelsTheWorkEvenWithoutProgress) {
  CancelToken cancel;
  const ProgressStream stream([](const v1::PullEvent&) { return false; }, cancel, std::chrono::milliseconds(1));
  while (!cancel.cancelled()) std::this_thread::yield();  // ctest's time limit ends a stream that never notices
}

}  // namespace
}  // namespace varve
