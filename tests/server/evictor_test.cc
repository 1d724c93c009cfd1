#include "cached/server/evictor.h"

#include <gtest/gtest.h>
#include <sys/file.h>

#include <algorithm>

#include "cached/base/log.h"
#include "cached/store/usage.h"
#include "tests/store/store_fixture.h"

namespace varve {
namespace {

constexpr std::size_t kImageBytes = 3'000'000;
constexpr std::uint64_t kLimit = 7'500'000;  // two images, and what index and database take

class EvictorTest : public ::testing::Test {
 protected:
  EvictorTest() { EXPECT_TRUE(LogToFile(log_path_).ok()); }

  // The newest image so far.
  Digest Pull(const std::string& name) {
    layers_.push_back(store_.AddLayer({{name, Noise(static_cast<unsigned>(layers_.size()), kImageBytes)}}));
    const Digest image = store_.AddImage(name, {layers_.back()});
    clock_.Advance(std::chrono::seconds(1));
    EXPECT_TRUE(store_->CommitUse(image, clock_.Now()).ok());
    return image;
  }
  void Mount(const Digest& diff_id) {
    v1::DescribeRequest request;
    request.set_chain_id(ChainIdOf(std::vector{diff_id}).hex());
    v1::DescribeReply reply;
    EXPECT_TRUE(driver_.Describe(nullptr, &request, &reply).ok());
  }
  bool IsHere(const std::string& name) { return store_->FindRef(name).value().has_value(); }
  std::uint64_t StoredBytes() {
    const RootPaths paths = store_.paths();
    return DiskBytes(paths.packs()).value() + DiskBytes(paths.index()).value() + DiskBytes(paths.db()).value();
  }
  std::size_t LogLinesWith(const std::string& text) {
    const Bytes log = ReadWholeFile(Fs::Real(), log_path_, 1 << 20).value();
    std::size_t count = 0;
    for (std::size_t at = AsText(log).find(text); at != std::string_view::npos; at = AsText(log).find(text, at + 1))
      ++count;
    return count;
  }

  const TempDir directory_;
  const std::string log_path_ = directory_ / "log";
  ManualClock clock_;
  TinyStore store_;
  Catalog catalog_{*store_, clock_};
  DriverSessions driver_{*store_};
  UseLeases leases_{clock_};
  Pruner pruner_{*store_, catalog_, driver_, leases_};
  Evictor evictor_{*store_, pruner_, kLimit};
  std::vector<Digest> layers_;
};

TEST_F(EvictorTest, BringsTheStoreBelowItsLimitAndNamesWhatWent) {
  for (const char* name : {"a:1", "b:1", "c:1"}) Pull(name);
  ASSERT_GT(StoredBytes(), kLimit);
  ASSERT_TRUE(evictor_.Run({}).ok());
  EXPECT_LE(StoredBytes(), kLimit);
  EXPECT_FALSE(IsHere("a:1"));
  EXPECT_TRUE(IsHere("b:1"));
  EXPECT_TRUE(IsHere("c:1"));
  EXPECT_EQ(LogLinesWith("evicted image sha256:"), 1u);
  EXPECT_EQ(LogLinesWith("(a:1), last used 2023-11-14T22:13:21Z"), 1u);
}

TEST_F(EvictorTest, LeavesAStoreBelowItsLimitAlone) {
  Pull("a:1");
  Pull("b:1");
  ASSERT_TRUE(evictor_.Run({}).ok());
  EXPECT_TRUE(IsHere("a:1"));
  EXPECT_EQ(LogLinesWith("evicted"), 0u);
}

TEST_F(EvictorTest, NeverTakesWhatIsMountedOrWasJustPulledAndSaysSoOnce) {
  const UniqueFd driver_lives(::open(store_.paths().lock("fuse").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::flock(driver_lives.get(), LOCK_EX), 0);
  Pull("a:1");
  Mount(layers_[0]);
  Pull("b:1");
  Mount(layers_[1]);
  const Digest pulled = Pull("c:1");
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(evictor_.Run({pulled}).ok());
  EXPECT_TRUE(IsHere("a:1") && IsHere("b:1") && IsHere("c:1"));
  EXPECT_EQ(LogLinesWith("what is left is mounted"), 1u);
}

}  // namespace
}  // namespace varve
