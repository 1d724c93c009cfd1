#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>
#include <utility>

#include "cached/content/sha256.h"
#include "tests/ingest/tar_support.h"
#include "tests/server/served_node.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

class ImagesServiceTest : public testing::Test {
 protected:
  static v1::PullRequest Request() {
    v1::PullRequest request;
    request.set_reference(std::string(FakeRegistry::kReference));
    request.set_platform("linux/amd64");
    return request;
  }
  Status Pull() {
    events_.clear();
    return node_.client.Pull(Request(), [&](const v1::PullEvent& event) { events_.push_back(event); });
  }
  // Sends `bytes` for whatever blob is asked for.
  Status Load(const FakeImage& image, const std::string& bytes) {
    v1::LoadRequest::Start start;
    start.set_reference("mine:1");
    start.set_manifest(image.manifest);
    start.set_config(image.config);
    return node_.client.Load(
        start, [&](const std::string&, const DaemonClient::Send& send) { return send(AsBytes(bytes)); },
        [&](const v1::PullEvent& event) { events_.push_back(event); });
  }
  Result<v1::ImageDetail> Inspect(const std::string& image) {
    return node_.client.InspectImage(image, DaemonClient::Purpose::kLook);
  }
  bool IsDescribed(const std::string& chain_id) {
    v1::DescribeRequest request;
    request.set_chain_id(chain_id);
    v1::DescribeReply reply;
    return node_.driver.Describe(nullptr, &request, &reply).ok();
  }
  std::vector<std::string> Names() {
    std::vector<std::string> names;
    const auto listed = node_.client.ListImages();
    EXPECT_TRUE(listed.ok());
    for (const auto& image : listed->images()) names.push_back(image.repository() + ":" + image.tag());
    return names;
  }

  ServedNode node_;
  std::vector<v1::PullEvent> events_;
  const FakeImage image_ = FakeImage::Of({TarOf({{"one", Noise(1, 100'000)}}), TarOf({{"two", Noise(2, 1'000)}})});
};

TEST_F(ImagesServiceTest, APullTellsOfEachLayerAndEndsWithWhatItBrought) {
  node_.registry.Publish(image_);
  const Status pulled = Pull();
  ASSERT_TRUE(pulled.ok()) << pulled.error().message();
  ASSERT_THAT(events_, testing::Not(IsEmpty()));
  EXPECT_EQ(events_.back().done().manifest_digest(), image_.manifest_digest().ToString());
  EXPECT_FALSE(events_.back().done().up_to_date());
  std::map<std::string, v1::PullEvent::Layer> last;
  for (const v1::PullEvent& event : events_) {
    for (const auto& layer : event.layers()) last[layer.digest()] = layer;
  }
  ASSERT_THAT(last, SizeIs(2));
  for (const auto& [digest, layer] : last) {
    EXPECT_EQ(layer.state(), v1::PullEvent::Layer::DONE) << digest;
    EXPECT_EQ(layer.done_bytes(), layer.total_bytes()) << digest;
  }
  EXPECT_THAT(Names(), testing::ElementsAre("registry.example/team/app:1"));
  EXPECT_THAT(node_.stored, testing::ElementsAre(image_.manifest_digest()));
  ASSERT_TRUE(Pull().ok());
  EXPECT_TRUE(events_.back().done().up_to_date());
}

TEST_F(ImagesServiceTest, AFailedPullHasItsCodeAndNamesTheImage) {
  const Status pulled = Pull();
  EXPECT_EQ(pulled.error().code(), Code::kNotFound);
  EXPECT_THAT(pulled.error().message(), StartsWith("pull registry.example/team/app:1: "));
  node_.registry.Publish(image_);
  node_.registry["blobs/" + image_.blob(0)].body[50'000] ^= 1;
  EXPECT_EQ(Pull().error().code(), Code::kDataLoss);
  EXPECT_THAT(Names(), IsEmpty());
}

TEST_F(ImagesServiceTest, AMessageThatIsTooLongForAReplyKeepsItsBeginningAndItsEnd) {
  std::string path;
  for (int depth = 0; depth < 2000; ++depth) path += "dd/";
  const std::string records = PaxRecord("path", path + "file");
  node_.registry.Publish(FakeImage::Of(
      {std::string(AsText(Join({PaxHeader(records), HeaderBlock("short").Size(0).bytes(), EndBlocks()})))}));
  const Status pulled = Pull();
  ASSERT_FALSE(pulled.ok());
  EXPECT_THAT(pulled.error().message(), AllOf(StartsWith("pull registry.example/team/app:1: layer sha256:"),
                                              HasSubstr(" [...] "), HasSubstr("4096")));
}

TEST_F(ImagesServiceTest, AClientThatGoesAwayEndsItsPull) {
  node_.registry.Publish(image_);
  std::latch fetching(1);
  std::latch ended(1);
  node_.registry["blobs/" + image_.blob(0)].before_end = [&](const CancelToken& cancel) {
    fetching.count_down();
    while (!cancel.cancelled()) std::this_thread::yield();
    ended.count_down();
    return cancel.Check();
  };
  const auto stub = v1::Images::NewStub(ConnectUnix(node_.socket));
  grpc::ClientContext context;
  const auto reader = stub->Pull(&context, Request());
  fetching.wait();
  context.TryCancel();
  ended.wait();
  v1::PullEvent event;
  while (reader->Read(&event)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  node_.server->Shutdown();  // waits for the pull
  EXPECT_THAT(node_.catalog.List().value(), IsEmpty());
}

TEST_F(ImagesServiceTest, WhoeverWaitsForTheLayerOfAClientThatGoesAwayFetchesIt) {
  node_.registry.Publish(image_);
  std::latch fetching(1);
  std::atomic<int> fetches = 0;
  node_.registry["blobs/" + image_.blob(0)].before_end = [&](const CancelToken& cancel) {
    if (fetches++ != 0) return Ok();
    fetching.count_down();
    while (!cancel.cancelled()) std::this_thread::yield();
    return cancel.Check();
  };
  const auto stub = v1::Images::NewStub(ConnectUnix(node_.socket));
  grpc::ClientContext context;
  const auto first = stub->Pull(&context, Request());
  fetching.wait();
  std::latch begun(1);
  auto second = std::async(std::launch::async, [&] {
    return node_.client.Pull(Request(), [&, told = false](const v1::PullEvent&) mutable {
      if (!std::exchange(told, true)) begun.count_down();
    });
  });
  begun.wait();
  context.TryCancel();
  const Status pulled = second.get();
  EXPECT_TRUE(pulled.ok()) << pulled.error().message();
  EXPECT_EQ(fetches, 2);
  v1::PullEvent event;
  while (first->Read(&event)) {
  }
  EXPECT_EQ(first->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(ImagesServiceTest, WhatAClientSendsIsLoadedAndOnlyWhatIsMissingIsAskedFor) {
  const FakeImage image = FakeImage::Of({TarOf({{"one", "1"}})});
  const Status loaded = Load(image, image.layers[0]);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message();
  EXPECT_THAT(Names(), testing::ElementsAre("mine:1"));
  ASSERT_TRUE(Load(image, "nobody asks for this").ok());
  EXPECT_TRUE(events_.back().done().up_to_date());
}

TEST_F(ImagesServiceTest, OtherBytesThanPromisedAreNotLoaded) {
  const FakeImage image = FakeImage::Of({TarOf({{"one", "1"}})});
  const Status loaded = Load(image, TarOf({{"one", "2"}}));
  EXPECT_EQ(loaded.error().code(), Code::kDataLoss);
  EXPECT_THAT(loaded.error().message(), HasSubstr(image.blob(0)));
  EXPECT_THAT(Names(), IsEmpty());
}

TEST_F(ImagesServiceTest, LayersAreGivenBackAsTheTarsThatTheyWere) {
  node_.registry.Publish(image_);
  ASSERT_TRUE(Pull().ok());
  const std::vector<std::string> asked = {image_.diff_ids[1].ToString(), image_.diff_ids[0].ToString(),
                                          image_.diff_ids[1].ToString()};
  std::vector<std::string> tars(asked.size());
  const Status read = node_.client.ReadLayers(asked, [&](std::size_t layer, ByteSpan piece) -> Status {
    tars.at(layer) += AsText(piece);
    return Ok();
  });
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_THAT(tars, testing::ElementsAre(image_.layers[1], image_.layers[0], image_.layers[1]));
}

TEST_F(ImagesServiceTest, ALayerThatIsNotStoredIsNamedBeforeTheFirstPiece) {
  node_.registry.Publish(image_);
  ASSERT_TRUE(Pull().ok());
  const std::string unknown = Sha256Of({}).ToString();
  const Status read =
      node_.client.ReadLayers({image_.diff_ids[0].ToString(), unknown}, [](std::size_t, ByteSpan) -> Status {
        ADD_FAILURE() << "a piece";
        return Ok();
      });
  EXPECT_EQ(read.error().code(), Code::kNotFound);
  EXPECT_THAT(read.error().message(), HasSubstr(unknown));
}

TEST_F(ImagesServiceTest, WhoeverTakesThePiecesMayStopAnytime) {
  node_.registry.Publish(image_);
  ASSERT_TRUE(Pull().ok());
  const Status read = node_.client.ReadLayers({image_.diff_ids[0].ToString()}, [](std::size_t, ByteSpan) -> Status {
    return Error(Code::kResourceExhausted, "no space left");
  });
  EXPECT_EQ(read.error().message(), "no space left");
}

TEST_F(ImagesServiceTest, AnImageIsShownWithAllItsNamesAndAsOfALayer) {
  node_.registry.Publish(image_);
  ASSERT_TRUE(Pull().ok());
  ASSERT_TRUE(node_.client.TagImage(std::string(FakeRegistry::kReference), "mine").ok());
  const auto whole = Inspect("mine");
  ASSERT_TRUE(whole.ok()) << whole.error().message();
  EXPECT_EQ(whole->manifest(), image_.manifest);
  EXPECT_EQ(whole->chain_id(), ChainIdOf(image_.diff_ids).hex());
  EXPECT_THAT(whole->tags(), testing::UnorderedElementsAre("mine:latest", "registry.example/team/app:1"));
  const auto lowest = Inspect("mine@layer:1");
  ASSERT_TRUE(lowest.ok()) << lowest.error().message();
  EXPECT_EQ(lowest->chain_id(), image_.diff_ids[0].hex());
  EXPECT_EQ(Inspect("mine@layer:3").error().code(), Code::kNotFound);
  EXPECT_EQ(Inspect("mine@layer:0").error().code(), Code::kInvalidArgument);
}

// rmi and prune between the moment that `run` asks for an image and the moment that varve-fuse asks for it.
TEST_F(ImagesServiceTest, AnImageThatACommandIsAboutToUseOutlivesItsRemoval) {
  for (const char* name : {"mine:1", "mine:1@layer:1"}) {
    const FakeImage image = node_.Install("mine:1", {{"one", Noise(1, 100'000)}});
    const auto used = node_.client.InspectImage(name, DaemonClient::Purpose::kUse);
    ASSERT_TRUE(used.ok()) << used.error().message();
    v1::RemoveImageRequest removal;
    removal.set_image("mine:1");
    ASSERT_TRUE(node_.client.RemoveImage(removal).ok());
    node_.PruneAll();
    EXPECT_TRUE(IsDescribed(used->chain_id())) << name;
    node_.store.ExpectReadsWhole(image.diff_ids[0]);
    ASSERT_TRUE(node_.client.EndLease(*used).ok());
    node_.PruneAll();
    EXPECT_FALSE(IsDescribed(used->chain_id())) << name;
    EXPECT_FALSE(node_.store->FindLayer(image.diff_ids[0]).value()) << name;
  }
}

TEST_F(ImagesServiceTest, ALeaseWhoseCommandWasKilledEndsByItself) {
  node_.Install("mine:1", {{"one", "1"}});
  const auto used = node_.client.InspectImage("mine:1", DaemonClient::Purpose::kUse);
  ASSERT_TRUE(used.ok()) << used.error().message();
  node_.clock.Advance(UseLeases::kTermMax - std::chrono::seconds(1));
  EXPECT_THAT(node_.PruneAll().deleted, IsEmpty());
  node_.clock.Advance(std::chrono::seconds(1));
  EXPECT_THAT(node_.PruneAll().deleted, SizeIs(1));
}

TEST_F(ImagesServiceTest, LookingAtAnImageDoesNotKeepIt) {
  node_.Install("mine:1", {{"one", "1"}});
  EXPECT_EQ(Inspect("mine:1")->lease(), 0u);
  EXPECT_THAT(node_.PruneAll().deleted, SizeIs(1));
}

TEST_F(ImagesServiceTest, LeasesAreBoundedAndTheOldestEnds) {
  node_.Install("mine:1", {{"one", "1"}});
  ASSERT_TRUE(node_.client.InspectImage("mine:1", DaemonClient::Purpose::kUse).ok());
  for (std::size_t i = 1; i < UseLeases::kLeasesMax; ++i)
    node_.leases.Grant(std::make_unique<LeaseTable::Session>(node_.store->leases()));
  EXPECT_THAT(node_.PruneAll().deleted, IsEmpty());
  node_.leases.Grant(std::make_unique<LeaseTable::Session>(node_.store->leases()));
  EXPECT_THAT(node_.PruneAll().deleted, SizeIs(1));
}

TEST(DaemonClientTest, ADaemonThatIsNotThereIsToldFromAnErrorOfADaemon) {
  const TempDir directory;
  const auto status = DaemonClient(directory / "cached.sock").SystemStatus();
  EXPECT_EQ(status.error().code(), Code::kUnavailable);
  EXPECT_THAT(status.error().message(), HasSubstr("varve-cached has ended or does not answer"));
}

}  // namespace
}  // namespace varve
