#include "cached/server/images_service.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <latch>

#include "cached/client/channel.h"
#include "cached/client/daemon_client.h"
#include "cached/content/sha256.h"
#include "tests/ingest/tar_support.h"
#include "tests/store/store_fixture.h"
#include "tests/support/temp_dir.h"
#include "tests/transfer/fake_registry.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

std::string FileTar(std::string_view name, const std::string& content) {
  return std::string(AsText(Join({HeaderBlock(name).Size(content.size()).bytes(), Padded(content), EndBlocks()})));
}

// The service over a real store, on a unix socket; the registry is in memory.
class ImagesServiceTest : public testing::Test {
 protected:
  ImagesServiceTest() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("unix:" + socket_, grpc::InsecureServerCredentials());
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
  }
  ~ImagesServiceTest() override { server_->Shutdown(); }

  static v1::PullRequest Request() {
    v1::PullRequest request;
    request.set_reference(std::string(FakeRegistry::kReference));
    request.set_platform("linux/amd64");
    return request;
  }
  Status Pull() {
    events_.clear();
    return client_.Pull(Request(), [&](const v1::PullEvent& event) { events_.push_back(event); });
  }
  // Sends `bytes` for whatever blob is asked for.
  Status Load(const FakeImage& image, const std::string& bytes) {
    v1::LoadRequest::Start start;
    start.set_reference("mine:1");
    start.set_manifest(image.manifest);
    start.set_config(image.config);
    return client_.Load(
        start, [&](const std::string&, const DaemonClient::Send& send) { return send(AsBytes(bytes)); },
        [&](const v1::PullEvent& event) { events_.push_back(event); });
  }
  Result<v1::ImageDetail> Inspect(const std::string& image) {
    return client_.InspectImage(image, DaemonClient::Purpose::kLook);
  }
  std::vector<std::string> Names() {
    std::vector<std::string> names;
    const auto listed = client_.ListImages();
    EXPECT_TRUE(listed.ok());
    for (const auto& image : listed->images()) names.push_back(image.repository() + ":" + image.tag());
    return names;
  }

  const TempDir directory_;
  const std::string socket_ = directory_ / "cached.sock";
  TinyStore store_;
  ManualClock clock_;
  LayerGate gate_;
  FakeRegistry registry_;
  ImageInstaller installer_{*store_, gate_, clock_, {}};
  Catalog catalog_{*store_, clock_};
  std::vector<Digest> stored_;  // what the service said to its owner
  ImagesService service_{*store_, catalog_, installer_, registry_,
                         [this](const Digest& manifest) { stored_.push_back(manifest); }};
  std::unique_ptr<grpc::Server> server_;
  DaemonClient client_{socket_};
  std::vector<v1::PullEvent> events_;
  const FakeImage image_ = FakeImage::Of({FileTar("one", Noise(1, 100'000)), FileTar("two", Noise(2, 1'000))});
};

TEST_F(ImagesServiceTest, APullTellsOfEachLayerAndEndsWithWhatItBrought) {
  registry_.Publish(image_);
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
  EXPECT_THAT(stored_, testing::ElementsAre(image_.manifest_digest()));
  ASSERT_TRUE(Pull().ok());
  EXPECT_TRUE(events_.back().done().up_to_date());
}

TEST_F(ImagesServiceTest, AFailedPullHasItsCodeAndNamesTheImage) {
  const Status pulled = Pull();
  EXPECT_EQ(pulled.error().code(), Code::kNotFound);
  EXPECT_THAT(pulled.error().message(), StartsWith("pull registry.example/team/app:1: "));
  registry_.Publish(image_);
  registry_["blobs/" + image_.blob(0)].body[50'000] ^= 1;
  EXPECT_EQ(Pull().error().code(), Code::kDataLoss);
  EXPECT_THAT(Names(), IsEmpty());
}

TEST_F(ImagesServiceTest, AMessageThatIsTooLongForAReplyKeepsItsBeginningAndItsEnd) {
  std::string path;
  for (int depth = 0; depth < 2000; ++depth) path += "dd/";
  const std::string records = PaxRecord("path", path + "file");
  registry_.Publish(FakeImage::Of(
      {std::string(AsText(Join({PaxHeader(records), HeaderBlock("short").Size(0).bytes(), EndBlocks()})))}));
  const Status pulled = Pull();
  ASSERT_FALSE(pulled.ok());
  EXPECT_THAT(pulled.error().message(), AllOf(StartsWith("pull registry.example/team/app:1: layer sha256:"),
                                              HasSubstr(" [...] "), HasSubstr("4096")));
}

TEST_F(ImagesServiceTest, AClientThatGoesAwayEndsItsPull) {
  registry_.Publish(image_);
  std::latch fetching(1);
  std::latch ended(1);
  registry_["blobs/" + image_.blob(0)].before_end = [&](const CancelToken& cancel) {
    fetching.count_down();
    while (!cancel.cancelled()) std::this_thread::yield();
    ended.count_down();
    return cancel.Check();
  };
  const auto stub = v1::Images::NewStub(ConnectUnix(socket_));
  grpc::ClientContext context;
  const auto reader = stub->Pull(&context, Request());
  fetching.wait();
  context.TryCancel();
  ended.wait();
  v1::PullEvent event;
  while (reader->Read(&event)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  server_->Shutdown();  // waits for the pull
  EXPECT_THAT(catalog_.List().value(), IsEmpty());
}

TEST_F(ImagesServiceTest, WhatAClientSendsIsLoadedAndOnlyWhatIsMissingIsAskedFor) {
  const FakeImage image = FakeImage::Of({FileTar("one", "1")});
  const Status loaded = Load(image, image.layers[0]);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message();
  EXPECT_THAT(Names(), testing::ElementsAre("mine:1"));
  ASSERT_TRUE(Load(image, "nobody asks for this").ok());
  EXPECT_TRUE(events_.back().done().up_to_date());
}

TEST_F(ImagesServiceTest, OtherBytesThanPromisedAreNotLoaded) {
  const FakeImage image = FakeImage::Of({FileTar("one", "1")});
  const Status loaded = Load(image, FileTar("one", "2"));
  EXPECT_EQ(loaded.error().code(), Code::kDataLoss);
  EXPECT_THAT(loaded.error().message(), HasSubstr(image.blob(0)));
  EXPECT_THAT(Names(), IsEmpty());
}

TEST_F(ImagesServiceTest, AnImageIsShownWithAllItsNamesAndAsOfALayer) {
  registry_.Publish(image_);
  ASSERT_TRUE(Pull().ok());
  ASSERT_TRUE(client_.TagImage(std::string(FakeRegistry::kReference), "mine").ok());
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

TEST(DaemonClientTest, ADaemonThatIsNotThereIsToldFromAnErrorOfADaemon) {
  const TempDir directory;
  const auto status = DaemonClient(directory / "cached.sock").SystemStatus();
  EXPECT_EQ(status.error().code(), Code::kUnavailable);
  EXPECT_THAT(status.error().message(), HasSubstr("varve-cached has ended or does not answer"));
}

}  // namespace
}  // namespace varve
