#include "cached/transfer/repair.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "cached/content/sha256.h"
#include "cached/transfer/pull.h"
#include "tests/ingest/tar_support.h"
#include "tests/store/pushed_store.h"
#include "tests/transfer/fake_registry.h"

namespace varve {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kRepository = "registry.example/team/app";

std::string TarOf(const std::string& name, const std::string& content) {
  const Bytes tar = Join({HeaderBlock(name).Size(content.size()).bytes(), Padded(content),
                          HeaderBlock(name + ".small").Size(5).bytes(), Padded("small"), EndBlocks()});
  return std::string(AsText(tar));
}

// An image of two layers that was pulled, and then whatever a disk does to it.
class RepairTest : public ::testing::Test {
 protected:
  RepairTest() {
    const FakeImage image = FakeImage::Of({TarOf("low", Noise(1, 300'000)), TarOf("high", Noise(2, 300'000))});
    registry_.Publish(image);
    diff_ids_ = image.diff_ids;
    manifest_ = image.manifest_digest();
    Pull();
    registry_.ForgetAsked();
  }

  Status TryPull() {
    return [&]() -> Status {
      VARVE_RETURN_IF_ERROR(PullImage(
          *store_, installer(), registry_, *Reference::Parse(FakeRegistry::kReference), *Platform::Parse("linux/amd64"),
          {}, [](const LayerProgress&) {}, cancel_));
      return Ok();
    }();
  }
  void Pull() {
    const Status pulled = TryPull();
    ASSERT_TRUE(pulled.ok()) << pulled.error().message();
  }
  ImageInstaller& installer() {
    installer_.emplace(*store_, gate_, Clock::Real(), InstallOptions());
    return *installer_;
  }

  std::vector<Damage> Verify() {
    auto found = VerifyStore(*store_, [](const VerifyProgress&) { return Ok(); });
    EXPECT_TRUE(found.ok());
    return std::move(found).value();
  }
  // How many objects stay damaged.
  std::size_t Repair() {
    done_.clear();
    RepairHooks hooks;
    hooks.verifying = [](const VerifyProgress&) { return Ok(); };
    hooks.damaged = [](const Damage&) {};
    hooks.access = [this](const Reference& repository) -> Result<RegistryOptions> {
      EXPECT_EQ(repository.Repository(), kRepository);
      ++worlds_;
      return RegistryOptions();
    };
    hooks.fetching = [](const LayerProgress&) {};
    hooks.done = [this](const RepairedObject& object) { done_.push_back(object); };
    hooks.close_packs = [](std::span<const PackId>) {};
    hooks.alone = [](const std::function<Status()>& work) { return work(); };
    const auto left = RepairStore(*store_, installer(), registry_, hooks, cancel_);
    if (!left.ok()) {
      ADD_FAILURE() << left.error().message();
      return 0;
    }
    return *left;
  }
  void ExpectSound() {
    EXPECT_THAT(Verify(), IsEmpty());
    for (const Digest& diff_id : diff_ids_) store_.ExpectReadsWhole(diff_id);
  }

  std::string PackPath(std::uint32_t pack) { return store_.paths().packs() + "/" + PackId{pack}.FileName(); }
  static void Flip(const std::string& path, std::uint64_t offset) {
    const auto file = Fs::Real().Open(path, OpenMode::kReadWrite);
    std::array<std::byte, 1> byte;
    ASSERT_TRUE(file.ok() && (*file)->ReadAt(offset, byte).ok());
    byte[0] ^= std::byte{1};
    ASSERT_TRUE((*file)->WriteAt(offset, byte).ok());
  }
  void FlipIn(const store::Placement& placement, std::uint32_t at) {
    Flip(PackPath(placement.pack()), placement.offset_bytes() + at);
  }
  store::Placement FirstChunkOf(const Digest& diff_id) { return store_.PlacementOf(store_.ChunksOf(diff_id).front()); }

  TinyStore store_;
  FakeRegistry registry_;
  LayerGate gate_;
  CancelToken cancel_;
  std::optional<ImageInstaller> installer_;
  std::vector<Digest> diff_ids_;
  Digest manifest_;
  std::vector<RepairedObject> done_;
  int worlds_ = 0;
};

TEST_F(RepairTest, ASoundStoreIsLeftAloneAndNobodyIsAsked) {
  const auto before = store_.Records();
  EXPECT_EQ(Repair(), 0u);
  EXPECT_THAT(done_, IsEmpty());
  EXPECT_EQ(worlds_, 0);
  EXPECT_EQ(store_.Records(), before);
}

// In the header and in the payload of a frame.
TEST_F(RepairTest, ADamagedChunkComesAgainFromItsRegistry) {
  FlipIn(FirstChunkOf(diff_ids_[0]), 5);
  FlipIn(FirstChunkOf(diff_ids_[1]), 5000);
  EXPECT_EQ(Repair(), 0u);
  EXPECT_EQ(worlds_, 1) << "of one repository the caller is asked once";
  EXPECT_THAT(done_, Contains(Field(&RepairedObject::outcome, HasSubstr(kRepository))));
  ExpectSound();
}

TEST_F(RepairTest, OnlyWhatIsDamagedIsStoredAgain) {
  const std::uint64_t bytes = store_.PackBytes();
  const Digest damaged = store_.ChunksOf(diff_ids_[0]).front();
  const store::Placement old = store_.PlacementOf(damaged);
  FlipIn(old, 64);
  EXPECT_EQ(Repair(), 0u);
  EXPECT_THAT(registry_.asked(), Each("blobs/" + diff_ids_[0].ToString()));
  const store::Placement now = store_.PlacementOf(damaged);
  EXPECT_NE(now.pack(), old.pack());
  EXPECT_LT(store_.PackBytes(), bytes + 16'000) << "beside a journal nothing is there twice";
}

TEST_F(RepairTest, ATableThatIsMappedLeadsToTheNewFrameAtOnce) {
  const auto layer = store_->index_files().OpenLayer(diff_ids_[0]);
  const auto mapped = store_->index_files().OpenLocators(*layer, LocatorTable::Access::kReadOnly);
  ASSERT_TRUE(mapped.ok());
  FlipIn(FirstChunkOf(diff_ids_[0]), 64);
  EXPECT_EQ(Repair(), 0u);
  EXPECT_EQ(mapped->Get(0), ToLocator(LocationOf(FirstChunkOf(diff_ids_[0]))));
}

TEST_F(RepairTest, ADamagedGroupBringsBackEachOfItsMembers) {
  // The last chunks of both layers are small.
  FlipIn(store_.PlacementOf(store_.ChunksOf(diff_ids_[0]).back()), 70);
  EXPECT_EQ(Repair(), 0u);
  ExpectSound();
}

TEST_F(RepairTest, RecordsComeBackEachFromWhereItCan) {
  const store::Layer layer = store_->FindLayer(diff_ids_[0]).value().value();
  const store::Image image = store_->FindImage(ChainIdOf(diff_ids_)).value().value();
  const store::Manifest manifest = store_->FindManifest(manifest_).value().value();
  for (const store::Parts& parts :
       {layer.index(), layer.recipe(), image.index(), manifest.manifest(), manifest.config()})
    FlipIn(parts.parts(0), 70);
  ASSERT_EQ(Verify().size(), 5u);
  EXPECT_EQ(Repair(), 0u);
  EXPECT_THAT(done_, Each(Field(&RepairedObject::repaired, true)));
  ExpectSound();
  const store::Manifest now = store_->FindManifest(manifest_).value().value();
  EXPECT_EQ(Sha256Of(store_->ReadParts(now.manifest()).value()), manifest_);
}

TEST_F(RepairTest, ALayerIndexWhoseFileIsWholeNeedsNoRegistry) {
  registry_.SetReachable(false);
  FlipIn(store_->FindLayer(diff_ids_[0]).value()->index().parts(0), 70);
  EXPECT_EQ(Repair(), 0u);
  ExpectSound();
}

TEST_F(RepairTest, APackThatIsGoneIsFilledAgain) {
  const std::uint32_t pack = FirstChunkOf(diff_ids_[0]).pack();
  store_.Close();
  std::filesystem::remove(PackPath(pack));
  store_.Open();
  EXPECT_EQ(Repair(), 0u);
  ExpectSound();
}

TEST_F(RepairTest, APackThatWasCutAndOneWithoutAHeaderAreMadeGood) {
  const std::uint32_t pack = FirstChunkOf(diff_ids_[0]).pack();
  store_.Close();
  std::filesystem::resize_file(PackPath(pack), std::filesystem::file_size(PackPath(pack)) / 2);
  Flip(PackPath(pack), 3);
  store_.Open();
  EXPECT_EQ(Repair(), 0u);
  ExpectSound();
}

TEST_F(RepairTest, FilesBelowIndexAreMadeAnewWithoutARegistry) {
  registry_.SetReachable(false);
  Flip(store_.paths().layer_index(diff_ids_[0].hex()), 100);
  Flip(store_.paths().image_index(ChainIdOf(diff_ids_).hex()), 100);
  Flip(store_.paths().locators(diff_ids_[0].hex()), 66);
  Flip(store_.paths().locators(diff_ids_[1].hex()), 2);
  ASSERT_EQ(Verify().size(), 4u);
  EXPECT_EQ(Repair(), 0u);
  ExpectSound();
}

TEST_F(RepairTest, WithoutTheRegistryNothingIsWorseAndTheErrorSaysWhom) {
  const auto before = store_.Records();
  FlipIn(FirstChunkOf(diff_ids_[0]), 64);
  registry_.SetReachable(false);
  EXPECT_EQ(Repair(), 1u);
  ASSERT_THAT(done_, testing::SizeIs(1));
  EXPECT_THAT(done_[0].outcome, AllOf(HasSubstr(kRepository), HasSubstr("no route")));
  EXPECT_EQ(store_.Records(), before);
  registry_.SetReachable(true);
  EXPECT_EQ(Repair(), 0u);
  ExpectSound();
}

TEST_F(RepairTest, ABlobThatIsGoneOrAnotherIsRefused) {
  const auto before = store_.Records();
  FlipIn(FirstChunkOf(diff_ids_[0]), 64);
  std::string& blob = registry_["blobs/" + diff_ids_[0].ToString()].body;
  blob[700] ^= 1;
  EXPECT_EQ(Repair(), 1u);
  EXPECT_THAT(done_.at(0).outcome, HasSubstr("mismatch"));
  registry_.Erase("blobs/" + diff_ids_[0].ToString());
  EXPECT_EQ(Repair(), 1u);
  EXPECT_THAT(done_.at(0).outcome, HasSubstr(diff_ids_[0].ToString()));
  auto now = store_.Records();
  std::erase_if(now, [&](const auto& record) { return record.first.first == Column::kChunk; });
  auto records = before;
  std::erase_if(records, [&](const auto& record) { return record.first.first == Column::kChunk; });
  EXPECT_EQ(now, records);
}

TEST_F(RepairTest, ALayerOfALayoutIsReportedWithWhatToDo) {
  const Digest layer = store_.AddLayer({{"file", Noise(9, 100'000)}});
  FlipIn(FirstChunkOf(layer), 64);
  EXPECT_EQ(Repair(), 1u);
  EXPECT_THAT(done_.at(0).outcome, AllOf(HasSubstr("no registry"), HasSubstr("varve pull oci:")));
  EXPECT_EQ(worlds_, 0);
}

TEST_F(RepairTest, ADamagedBlobOfARepositoryIsReportedWithWhatToDo) {
  ManualClock clock;
  Pusher pusher(*store_, clock);
  const Digest blob = pusher.PushBlob("test/x", "content");
  std::filesystem::resize_file(store_.paths().blobs() + "/" + blob.hex(), 3);
  EXPECT_EQ(Repair(), 1u);
  EXPECT_EQ(done_.at(0).object, "blob " + blob.ToString());
  EXPECT_THAT(done_.at(0).outcome, HasSubstr("push"));
  EXPECT_EQ(worlds_, 0);
}

TEST_F(RepairTest, ABlobOfALayoutIsFetchedFromTheRegistryThatAPullFoundItIn) {
  store::Blob blob = store_->FindBlob(diff_ids_[0]).value().value();
  blob.clear_source();
  JournaledChanges changes;
  changes.Put(Column::kBlob, KeyOf(diff_ids_[0]), blob.SerializeAsString());
  ASSERT_TRUE(store_->CommitChanges(std::move(changes)).ok());
  Pull();
  FlipIn(FirstChunkOf(diff_ids_[0]), 64);
  EXPECT_EQ(Repair(), 0u);
  ExpectSound();
}

// What the message for a layout relies on.
TEST_F(RepairTest, APullWritesAnewWhatAVerifyFoundDamaged) {
  FlipIn(FirstChunkOf(diff_ids_[0]), 64);
  FlipIn(store_->FindManifest(manifest_).value()->config().parts(0), 70);
  ASSERT_EQ(Verify().size(), 2u);
  Pull();
  EXPECT_THAT(registry_.asked(), Contains("blobs/" + diff_ids_[0].ToString()));
  for (const Digest& diff_id : diff_ids_) store_.ExpectReadsWhole(diff_id);
  registry_.ForgetAsked();
  Pull();
  EXPECT_THAT(registry_.asked(), Each(HasSubstr("manifests/"))) << "it was written anew once";
  registry_.SetReachable(false);
  EXPECT_EQ(Repair(), 0u) << "only what is left of the damage goes";
  ExpectSound();
}

TEST_F(RepairTest, AKillAfterTheRepairLosesNothingOfIt) {
  FlipIn(FirstChunkOf(diff_ids_[0]), 64);
  EXPECT_EQ(Repair(), 0u);
  const auto after = store_.AfterKill();
  EXPECT_EQ(after->Records(), store_.Records());
  for (const Digest& diff_id : diff_ids_) after->ExpectReadsWhole(diff_id);
}

}  // namespace
}  // namespace varve
