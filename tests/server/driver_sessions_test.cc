#include "cached/server/driver_sessions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include <future>

#include "cached/base/fd.h"
#include "cached/client/mounts_client.h"
#include "tests/server/served_node.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// A driver that serves whatever it is told to, and has users for some of it.
class FakeDriver final : public DriverCommands {
 public:
  std::vector<ChainId> Serving() override {
    MutexLock lock(mutex_);
    return serving_;
  }
  std::vector<ChainId> Release(std::span<const ChainId> images) override {
    MutexLock lock(mutex_);
    std::vector<ChainId> released;
    std::ranges::copy_if(images, std::back_inserter(released),
                         [&](const ChainId& image) { return std::ranges::count(used_, image) == 0; });
    return released;
  }
  void ClosePacks(std::span<const std::uint32_t> packs) override {
    MutexLock lock(mutex_);
    closed_.insert(closed_.end(), packs.begin(), packs.end());
  }

  void Serve(const ChainId& image) {
    MutexLock lock(mutex_);
    serving_.push_back(image);
  }
  void Use(const ChainId& image) {
    MutexLock lock(mutex_);
    used_.push_back(image);
  }
  std::vector<std::uint32_t> closed() {
    MutexLock lock(mutex_);
    return closed_;
  }

 private:
  Mutex mutex_;
  std::vector<ChainId> serving_ GUARDED_BY(mutex_);
  std::vector<ChainId> used_ GUARDED_BY(mutex_);
  std::vector<std::uint32_t> closed_ GUARDED_BY(mutex_);
};

class DriverSessionsTest : public testing::Test {
 protected:
  ~DriverSessionsTest() override { attendance_.reset(); }

  // From here on varve-fuse lives, as far as anybody can see.
  void StartDriver() {
    lives_ = UniqueFd(::open(node_.store.paths().lock("fuse").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    ASSERT_EQ(::flock(lives_.get(), LOCK_EX), 0);
  }
  void Attend() {
    StartDriver();
    attendance_ = std::make_unique<MountsClient::Attendance>(mounts_, driver_);
    while (!node_.driver.attended()) std::this_thread::yield();
  }
  ChainId Install(const std::string& name) {
    return ChainIdOf(node_.Install(name, {{"file", Noise(++images_, 50'000)}}).diff_ids);
  }
  std::vector<ChainId> Pinned() { return node_.driver.Pinned().value(); }
  std::vector<ChainId> ReleaseUnused(const std::vector<ChainId>& candidates) {
    const auto kept = node_.driver.ReleaseUnused(candidates);
    EXPECT_TRUE(kept.ok()) << kept.error().message();
    return kept.ok() ? *kept : std::vector<ChainId>();
  }

  ServedNode node_;
  FakeDriver driver_;
  MountsClient mounts_{node_.socket, {.describe_timeout = std::chrono::seconds(30)}};
  UniqueFd lives_;
  std::unique_ptr<MountsClient::Attendance> attendance_;
  unsigned images_ = 0;
};

TEST_F(DriverSessionsTest, AnImageIsDescribedWithASlotForEachOfItsParts) {
  const ChainId first = Install("first:1");
  const auto slots = mounts_.Describe(first);
  ASSERT_TRUE(slots.ok()) << slots.error().message();
  ASSERT_EQ(slots->layers.size(), 1u);
  EXPECT_NE(slots->slot, slots->layers[0].slot);
  EXPECT_EQ(mounts_.Describe(first)->slot, slots->slot);
  EXPECT_NE(mounts_.Describe(Install("second:1"))->slot, slots->slot);
}

TEST_F(DriverSessionsTest, WhatIsNotStoredIsNotFoundAndNotPinned) {
  const ChainId absent{Digest{}};
  const auto slots = mounts_.Describe(absent);
  EXPECT_EQ(slots.error().code(), Code::kNotFound);
  EXPECT_THAT(slots.error().message(), testing::HasSubstr(absent.hex()));
  EXPECT_THAT(Pinned(), IsEmpty());
}

TEST_F(DriverSessionsTest, AChunkIsResolvedToWhereItLies) {
  const FakeImage image = node_.Install("mine:1", {{"file", Noise(1, 50'000)}});
  const Digest chunk = node_.store.ChunksOf(image.diff_ids[0])[0];
  const auto word = mounts_.Resolve(image.diff_ids[0], 0, "image");
  ASSERT_TRUE(word.ok()) << word.error().message();
  EXPECT_EQ(Locator::Unpack(*word).offset_bytes, node_.store.PlacementOf(chunk).offset_bytes());
  EXPECT_EQ(mounts_.Resolve(image.diff_ids[0], 999, "image").error().code(), Code::kInvalidArgument);
}

TEST_F(DriverSessionsTest, WhatIsDescribedIsPinnedUntilTheDriverGivesItUp) {
  const ChainId used = Install("used:1");
  const ChainId unused = Install("unused:1");
  Attend();
  for (const ChainId& image : {used, unused}) ASSERT_TRUE(mounts_.Describe(image).ok());
  driver_.Use(used);
  EXPECT_THAT(ReleaseUnused({used, unused}), ElementsAre(used));
  EXPECT_THAT(Pinned(), ElementsAre(used));
  EXPECT_THAT(node_.PruneAll().deleted, testing::SizeIs(1));
  EXPECT_TRUE(mounts_.Describe(used).ok());
}

TEST_F(DriverSessionsTest, WhatADriverServesWhenItComesIsPinned) {
  const ChainId image = Install("mine:1");
  driver_.Serve(image);
  Attend();
  while (Pinned().empty()) std::this_thread::yield();
  EXPECT_THAT(Pinned(), ElementsAre(image));
}

TEST_F(DriverSessionsTest, OnlyCandidatesAreAskedFor) {
  const ChainId first = Install("first:1");
  const ChainId second = Install("second:1");
  Attend();
  for (const ChainId& image : {first, second}) ASSERT_TRUE(mounts_.Describe(image).ok());
  EXPECT_THAT(ReleaseUnused({first}), ElementsAre(second));
}

TEST_F(DriverSessionsTest, PacksAreClosedBeforeTheCallReturns) {
  Attend();
  node_.driver.ClosePacks(std::vector{PackId{3}, PackId{5}});
  EXPECT_THAT(driver_.closed(), ElementsAre(3u, 5u));
}

TEST_F(DriverSessionsTest, WithoutADriverEveryPinIsVoid) {
  const ChainId image = Install("mine:1");
  ASSERT_TRUE(mounts_.Describe(image).ok());
  EXPECT_THAT(ReleaseUnused({image}), IsEmpty());
  EXPECT_THAT(Pinned(), IsEmpty());
}

TEST_F(DriverSessionsTest, WhileADriverLivesAndDoesNotAttendEveryPinStays) {
  const ChainId image = Install("mine:1");
  ASSERT_TRUE(mounts_.Describe(image).ok());
  StartDriver();
  EXPECT_THAT(ReleaseUnused({image}), ElementsAre(image));
}

// Not after a time-out: the end of its stream is answer enough.
TEST_F(DriverSessionsTest, ADriverThatGoesAwayWhileItIsAskedKeepsEveryPin) {
  const ChainId image = Install("mine:1");
  StartDriver();
  ASSERT_TRUE(mounts_.Describe(image).ok());
  const auto stub = v1::Mounts::NewStub(ConnectUnix(node_.socket));
  grpc::ClientContext context;
  const auto stream = stub->Attend(&context);
  while (!node_.driver.attended()) std::this_thread::yield();
  auto kept = std::async(std::launch::async, [&] { return ReleaseUnused({image}); });
  v1::DriverCommand command;
  ASSERT_TRUE(stream->Read(&command));
  EXPECT_THAT(command.release().chain_ids(), ElementsAre(image.hex()));
  context.TryCancel();
  EXPECT_THAT(kept.get(), ElementsAre(image));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(DriverSessionsTest, AnAnswerToNoQuestionIsDropped) {
  const ChainId image = Install("mine:1");
  StartDriver();
  ASSERT_TRUE(mounts_.Describe(image).ok());
  const auto stub = v1::Mounts::NewStub(ConnectUnix(node_.socket));
  grpc::ClientContext context;
  const auto stream = stub->Attend(&context);
  while (!node_.driver.attended()) std::this_thread::yield();
  v1::DriverEvent stray;
  stray.mutable_released()->set_request(99);
  stray.mutable_released()->add_chain_ids(image.hex());
  ASSERT_TRUE(stream->Write(stray));
  auto kept = std::async(std::launch::async, [&] { return ReleaseUnused({image}); });
  v1::DriverCommand command;
  ASSERT_TRUE(stream->Read(&command));
  v1::DriverEvent answer;
  answer.mutable_released()->set_request(command.release().request());
  ASSERT_TRUE(stream->Write(answer));
  EXPECT_THAT(kept.get(), ElementsAre(image));
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(DriverSessionsTest, ADriverThatIsReplacedWhileItIsAskedKeepsEveryPin) {
  const ChainId image = Install("mine:1");
  StartDriver();
  ASSERT_TRUE(mounts_.Describe(image).ok());
  const auto stub = v1::Mounts::NewStub(ConnectUnix(node_.socket));
  grpc::ClientContext context;
  const auto stream = stub->Attend(&context);
  while (!node_.driver.attended()) std::this_thread::yield();
  auto kept = std::async(std::launch::async, [&] { return ReleaseUnused({image}); });
  v1::DriverCommand command;
  ASSERT_TRUE(stream->Read(&command));
  const auto asked = std::chrono::steady_clock::now();
  const MountsClient::Attendance successor(mounts_, driver_);
  EXPECT_THAT(kept.get(), ElementsAre(image));
  EXPECT_LT(std::chrono::steady_clock::now() - asked, std::chrono::seconds(4)) << "waited for the one that is gone";
  context.TryCancel();
  stream->Finish();
}

// Commands are written by threads that know nothing of the stream's end.
TEST_F(DriverSessionsTest, DriversMayComeAndGoWhileCommandsAreSent) {
  std::atomic<bool> done = false;
  auto sending = std::async(std::launch::async, [&] {
    while (!done) node_.driver.ClosePacks(std::vector{PackId{1}});
  });
  for (int i = 0; i < 50; ++i) {
    const MountsClient::Attendance attendance(mounts_, driver_);
    while (!node_.driver.attended()) std::this_thread::yield();
  }
  done = true;
  sending.get();
}

}  // namespace
}  // namespace varve
