#include "cached/server/store_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cached/store/usage.h"
#include "tests/server/served_node.h"
#include "tests/store/pushed_store.h"

namespace varve {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class StoreServiceTest : public testing::Test {
 protected:
  // From the registry, so that it can be repaired.
  FakeImage Pull() {
    const FakeImage image = FakeImage::Of({TarOf({{"file", Noise(1, 200'000)}})});
    node_.registry.Publish(image);
    v1::PullRequest request;
    request.set_reference(std::string(FakeRegistry::kReference));
    request.set_platform("linux/amd64");
    const Status pulled = node_.client.Pull(request, [](const v1::PullEvent&) {});
    EXPECT_TRUE(pulled.ok()) << pulled.error().message();
    return image;
  }
  // One byte of the frame that a chunk lies in.
  void Damage(const Digest& chunk) {
    const store::Placement placement = node_.store.PlacementOf(chunk);
    std::fstream pack(node_.store.paths().packs() + "/" + PackId{placement.pack()}.FileName(),
                      std::ios::in | std::ios::out | std::ios::binary);
    const auto at = static_cast<std::streamoff>(placement.offset_bytes() + placement.frame_bytes() / 2);
    pack.seekg(at);
    const int byte = pack.get();
    pack.seekp(at);
    pack.put(static_cast<char>(byte ^ 0x40));
    EXPECT_TRUE(pack.good());
  }
  std::vector<v1::VerifyEvent> Verify() {
    std::vector<v1::VerifyEvent> events;
    const Status verified = node_.client.Verify({}, [&](const v1::VerifyEvent& event) { events.push_back(event); });
    EXPECT_TRUE(verified.ok()) << verified.error().message();
    EXPECT_TRUE(!events.empty() && events.back().finished());
    return events;
  }
  std::vector<std::string> Problems() {
    std::vector<std::string> problems;
    for (const v1::VerifyEvent& event : Verify()) {
      if (!event.problem().empty()) problems.push_back(event.problem());
    }
    return problems;
  }
  // The last event of a repair; what it asked and reported is kept.
  v1::RepairEvent Repair(const v1::RepairRequest& access) {
    v1::RepairEvent last;
    asked_.clear();
    objects_.clear();
    const Status repaired = node_.client.Repair(
        [&](const std::string& repository) {
          asked_.push_back(repository);
          return access;
        },
        [&](const v1::RepairEvent& event) {
          if (event.has_object()) objects_.push_back(event.object());
          last = event;
        });
    EXPECT_TRUE(repaired.ok()) << repaired.error().message();
    EXPECT_TRUE(last.finished());
    return last;
  }

  ServedNode node_;
  std::vector<std::string> asked_;
  std::vector<v1::RepairEvent::Object> objects_;
};

TEST_F(StoreServiceTest, UsageSaysWhatEachImageHasAloneAndWhatItShares) {
  node_.Install("one:1", {{"own", Noise(1, 100'000)}, {"shared", Noise(3, 80'000)}});
  node_.Install("two:1", {{"own", Noise(2, 50'000)}, {"shared", Noise(3, 80'000)}});
  const auto totals = node_.client.Usage({});
  ASSERT_TRUE(totals.ok()) << totals.error().message();
  EXPECT_EQ(totals->images(), 2u);
  EXPECT_EQ(totals->layers(), 2u);
  EXPECT_THAT(totals->per_image(), IsEmpty());
  EXPECT_EQ(totals->raw_bytes(), totals->layer_bytes());
  EXPECT_EQ(totals->dedup_ratio(),
            static_cast<double>(totals->raw_bytes()) / static_cast<double>(totals->stored_bytes()));
  v1::UsageRequest request;
  request.set_per_image(true);
  const auto detailed = node_.client.Usage(request);
  ASSERT_TRUE(detailed.ok()) << detailed.error().message();
  std::map<std::string, v1::UsageReply::Image> images;
  for (const auto& image : detailed->per_image()) images[image.name()] = image;
  ASSERT_THAT(images, SizeIs(2));
  EXPECT_GT(images["one:1"].exclusive_bytes(), 100'000u);
  EXPECT_LT(images["two:1"].exclusive_bytes(), 60'000u);
  EXPECT_EQ(images["one:1"].shared_bytes(), images["two:1"].shared_bytes());
  EXPECT_GT(images["one:1"].shared_bytes(), 80'000u);
}

TEST_F(StoreServiceTest, APruneGivesBackTheSpaceOfWhatHasNoNameAndWithAllOfWhatHas) {
  node_.Install("kept:1", {{"file", Noise(1, 300'000)}});
  const FakeImage unnamed = node_.Install("gone:1", {{"file", Noise(2, 2'000'000)}});
  JournaledChanges changes;
  changes.Erase(Column::kRef, "docker.io/library/gone:1");
  ASSERT_TRUE(node_.store->CommitChanges(std::move(changes)).ok());
  const auto pruned = node_.client.Prune({});
  ASSERT_TRUE(pruned.ok()) << pruned.error().message();
  EXPECT_THAT(pruned->deleted_images(), SizeIs(1));
  EXPECT_GT(pruned->reclaimed_bytes(), 1'500'000u);
  EXPECT_FALSE(node_.store->FindLayer(unnamed.diff_ids[0]).value());
  v1::PruneRequest all;
  all.set_all(true);
  EXPECT_THAT(node_.client.Prune(all)->deleted_images(), SizeIs(1));
  EXPECT_THAT(node_.client.ListImages()->images(), IsEmpty());
}

TEST_F(StoreServiceTest, OriginalsAreCountedAndThoseThatCanBeFetchedAgainAreDroppedIfAsked) {
  const TinyStore::Files files = {{"file", Noise(1, 300'000)}};
  node_.Install("kept:1", files);
  const std::string tar = TarOf(files);
  Pusher pusher(*node_.store, node_.clock);
  pusher.PushManifest("mirror/x", "manifest", {pusher.PushBlob("mirror/x", tar, "docker.io/library/x")});
  const auto before = node_.client.Usage({});
  EXPECT_EQ(before->originals(), 2u);
  EXPECT_EQ(before->original_bytes(), tar.size() + std::string("manifest").size());
  ASSERT_TRUE(node_.client.Prune({}).ok());
  EXPECT_EQ(node_.client.Usage({})->originals(), 2u);
  v1::PruneRequest drop;
  drop.set_originals(true);
  const auto pruned = node_.client.Prune(drop);
  ASSERT_TRUE(pruned.ok()) << pruned.error().message();
  EXPECT_GE(pruned->reclaimed_bytes(), 300'000u);
  EXPECT_EQ(node_.client.Usage({})->originals(), 1u);
}

TEST_F(StoreServiceTest, ASoundStoreIsVerifiedToItsLastByte) {
  Pull();
  EXPECT_THAT(Problems(), IsEmpty());
  const auto events = Verify();
  ASSERT_GE(events.size(), 2u);
  const v1::VerifyEvent& before = events[events.size() - 2];
  EXPECT_GT(before.total_bytes(), 200'000u);
  EXPECT_GE(events.back().frames(), 6u) << "chunk, recipe, index, image index, manifest, config";
  EXPECT_EQ(events.back().frames(), before.frames());
}

TEST_F(StoreServiceTest, DamageIsNamedWithWhatItBelongsTo) {
  const FakeImage image = Pull();
  Damage(node_.store.ChunksOf(image.diff_ids[0])[0]);
  EXPECT_THAT(Problems(), Contains(testing::AllOf(HasSubstr("pack 000001"), HasSubstr(image.diff_ids[0].ToString()),
                                                  HasSubstr(std::string(FakeRegistry::kReference)))));
}

TEST_F(StoreServiceTest, AVerifyWhoseClientHasGoneEnds) {
  Pull();
  const auto stub = v1::Store::NewStub(ConnectUnix(node_.socket));
  grpc::ClientContext context;
  const auto reader = stub->Verify(&context, {});
  context.TryCancel();
  v1::VerifyEvent event;
  while (reader->Read(&event)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(StoreServiceTest, ARepairAsksForAccessAndMakesGoodWhatItCanFetch) {
  const FakeImage image = Pull();
  for (const Digest& chunk : node_.store.ChunksOf(image.diff_ids[0])) Damage(chunk);
  EXPECT_EQ(Repair({}).left(), 0u);
  EXPECT_THAT(asked_, ElementsAre("registry.example/team/app"));
  ASSERT_FALSE(objects_.empty());
  for (const auto& object : objects_) EXPECT_TRUE(object.repaired()) << object.name() << ": " << object.outcome();
  node_.store.ExpectReadsWhole(image.diff_ids[0]);
  EXPECT_THAT(Problems(), IsEmpty());
}

TEST_F(StoreServiceTest, ARepairWithoutAccessSaysWhyAndLosesNothing) {
  const FakeImage image = Pull();
  Damage(node_.store.ChunksOf(image.diff_ids[0])[0]);
  const auto before = node_.store.Records();
  v1::RepairRequest trouble;
  trouble.set_trouble("the credential helper does not run");
  EXPECT_GT(Repair(trouble).left(), 0u);
  EXPECT_THAT(objects_, Contains(testing::ResultOf([](const auto& object) { return object.outcome(); },
                                                   HasSubstr("the credential helper does not run"))));
  EXPECT_EQ(node_.store.Records(), before);
  node_.registry.SetReachable(false);
  EXPECT_GT(Repair({}).left(), 0u);
  node_.registry.SetReachable(true);
  EXPECT_EQ(Repair({}).left(), 0u);
  node_.store.ExpectReadsWhole(image.diff_ids[0]);
}

TEST_F(StoreServiceTest, AFileIsExplainedDownToItsChunks) {
  const FakeImage image = node_.Install("mine:1", {{"file", Noise(1, 200'000)}});
  node_.Install("other:1", {{"same", Noise(1, 200'000)}});
  v1::ExplainRequest request;
  request.set_image("mine:1");
  request.set_path("/file");
  const auto file = node_.client.Explain(request);
  ASSERT_TRUE(file.ok()) << file.error().message();
  EXPECT_EQ(file->layer(), 1u);
  EXPECT_EQ(file->diff_id(), image.diff_ids[0].ToString());
  std::uint64_t bytes = 0;
  for (const auto& chunk : file->chunks()) {
    EXPECT_EQ(chunk.offset_bytes(), bytes);
    EXPECT_GT(chunk.pack(), 0u);
    EXPECT_THAT(chunk.images(), ElementsAre("other:1"));
    bytes += chunk.raw_bytes();
  }
  EXPECT_EQ(bytes, 200'000u);
  request.set_path("/absent");
  EXPECT_EQ(node_.client.Explain(request).error().code(), Code::kNotFound);
  request.set_image("absent:1");
  EXPECT_THAT(node_.client.Explain(request).error().message(), HasSubstr("No such image: absent:1"));
}

TEST_F(StoreServiceTest, WaysOfDeduplicationAreComparedOverSeveralImages) {
  node_.Install("one:1", {{"own", Noise(1, 100'000)}, {"shared", Noise(3, 80'000)}});
  node_.Install("two:1", {{"own", Noise(2, 50'000)}, {"shared", Noise(3, 80'000)}});
  v1::BenchDedupRequest request;
  request.add_images("one:1");
  request.add_images("two:1");
  const auto report = node_.client.BenchDedup(request);
  ASSERT_TRUE(report.ok()) << report.error().message();
  EXPECT_EQ(report->file_bytes(), 230'000u);
  EXPECT_EQ(report->fastcdc_bytes(), 230'000u);
  EXPECT_EQ(report->raw_bytes(), report->layer_bytes());
  request.add_images("absent:1");
  EXPECT_EQ(node_.client.BenchDedup(request).error().code(), Code::kNotFound);
}

}  // namespace
}  // namespace varve
