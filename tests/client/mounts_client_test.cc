#include "cached/client/mounts_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <set>

#include "cached/base/mutex.h"
#include "tests/client/fake_daemon.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using testing::ElementsAre;

Digest DigestOfLetter(char letter) { return *Digest::FromHexText(std::string(64, letter)); }

// Knows the image "a…", with the layers "b…" and "c…".
class Answers final : public Mounts {
 public:
  Result<ImageSlots> Describe(const ChainId& chain_id) override {
    if (chain_id.digest != DigestOfLetter('a')) return Error(Code::kNotFound, "no such image");
    return ImageSlots{3, {{DigestOfLetter('b'), 1}, {DigestOfLetter('c'), 2}}};
  }
  Result<std::uint64_t> Resolve(const Digest& diff_id, std::uint32_t ordinal, const std::string& image) override {
    if (unavailable_ > 0 && unavailable_-- > 0) return Error(Code::kUnavailable, "the daemon is dying");
    if (diff_id != DigestOfLetter('b')) return Error(Code::kDataLoss, image + " is damaged");
    return std::uint64_t{ordinal} << 40;
  }
  void BeUnavailable(int times) { unavailable_ = times; }

 private:
  std::atomic<int> unavailable_ = 0;
};

// A driver of nothing but names.
class Commands final : public DriverCommands {
 public:
  std::vector<ChainId> Serving() override {
    MutexLock lock(mutex_);
    return {serving_.begin(), serving_.end()};
  }
  std::vector<ChainId> Release(std::span<const ChainId> images) override {
    MutexLock lock(mutex_);
    std::vector<ChainId> released;
    for (const ChainId& image : images) {
      if (serving_.erase(image) > 0) released.push_back(image);
    }
    return released;
  }
  void ClosePacks(std::span<const std::uint32_t> packs) override {
    MutexLock lock(mutex_);
    closed_.assign(packs.begin(), packs.end());
  }
  void Serve(char letter) {
    MutexLock lock(mutex_);
    serving_.insert(ChainId{DigestOfLetter(letter)});
  }
  std::vector<std::uint32_t> closed() {
    MutexLock lock(mutex_);
    return closed_;
  }

 private:
  Mutex mutex_;
  std::set<ChainId> serving_ GUARDED_BY(mutex_);
  std::vector<std::uint32_t> closed_ GUARDED_BY(mutex_);
};

class MountsClientTest : public testing::Test {
 protected:
  TempDir directory_;
  const std::string socket_ = directory_ / "cached.sock";
  Answers answers_;
  Commands commands_;
  std::optional<FakeDaemon> daemon_{std::in_place, socket_, answers_};
  MountsClient client_{socket_, {.resolve_timeout = std::chrono::milliseconds(300)}};
};

TEST_F(MountsClientTest, AnImageIsDescribedLowestLayerFirst) {
  const auto slots = client_.Describe(ChainId{DigestOfLetter('a')});
  ASSERT_TRUE(slots.ok());
  EXPECT_EQ(slots->slot, 3u);
  ASSERT_EQ(slots->layers.size(), 2u);
  EXPECT_EQ(slots->layers[0].diff_id, DigestOfLetter('b'));
  EXPECT_EQ(slots->layers[1].slot, 2u);
}

TEST_F(MountsClientTest, ErrorsKeepTheirCodeAndText) {
  const auto unknown = client_.Describe(ChainId{DigestOfLetter('f')});
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().code(), Code::kNotFound);
  EXPECT_EQ(unknown.error().message(), "no such image");
  const auto damaged = client_.Resolve(DigestOfLetter('c'), 5, "img");
  ASSERT_FALSE(damaged.ok());
  EXPECT_EQ(damaged.error().code(), Code::kDataLoss);
  EXPECT_EQ(damaged.error().message(), "img is damaged");
}

TEST_F(MountsClientTest, AChunkIsResolvedToItsWord) {
  EXPECT_EQ(*client_.Resolve(DigestOfLetter('b'), 5, "img"), std::uint64_t{5} << 40);
}

TEST_F(MountsClientTest, WithoutADaemonAChunkIsWaitedForSoLongAndNoLonger) {
  daemon_.reset();
  const auto word = client_.Resolve(DigestOfLetter('b'), 5, "img");
  ASSERT_FALSE(word.ok());
  EXPECT_EQ(word.error().code(), Code::kDeadlineExceeded);
}

TEST_F(MountsClientTest, ADaemonThatDiesOverAChunkIsAskedAgainAsLongAsOneThatIsAway) {
  answers_.BeUnavailable(2);
  EXPECT_EQ(*client_.Resolve(DigestOfLetter('b'), 5, "img"), std::uint64_t{5} << 40);
  answers_.BeUnavailable(1'000);
  const auto word = client_.Resolve(DigestOfLetter('b'), 5, "img");
  ASSERT_FALSE(word.ok());
  EXPECT_EQ(word.error().code(), Code::kUnavailable);
}

TEST_F(MountsClientTest, TheDaemonLearnsWhatIsServed) {
  commands_.Serve('a');
  MountsClient::Attendance attendance(client_, commands_);
  EXPECT_THAT(daemon_->AwaitServing(), ElementsAre(std::string(64, 'a')));
  commands_.Serve('b');
  attendance.Announce();
  EXPECT_THAT(daemon_->AwaitServing(), ElementsAre(std::string(64, 'a'), std::string(64, 'b')));
}

TEST_F(MountsClientTest, CommandsAreCarriedOutAndAnswered) {
  commands_.Serve('a');
  MountsClient::Attendance attendance(client_, commands_);
  const ChainId served{DigestOfLetter('a')};
  const ChainId unknown{DigestOfLetter('b')};
  EXPECT_THAT(daemon_->Release({served, unknown}), ElementsAre(served.hex()));
  daemon_->ClosePacks({4, 9});
  EXPECT_THAT(commands_.closed(), ElementsAre(4, 9));
}

TEST_F(MountsClientTest, ADaemonThatRestartedIsToldAgain) {
  commands_.Serve('a');
  MountsClient::Attendance attendance(client_, commands_);
  EXPECT_THAT(daemon_->AwaitServing(), ElementsAre(std::string(64, 'a')));
  daemon_.reset();
  daemon_.emplace(socket_, answers_);
  EXPECT_THAT(daemon_->AwaitServing(), ElementsAre(std::string(64, 'a')));
}

TEST_F(MountsClientTest, AnAttendanceEndsWithoutADaemon) {
  daemon_.reset();
  MountsClient::Attendance attendance(client_, commands_);
}

}  // namespace
}  // namespace varve
