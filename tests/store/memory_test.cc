// What the store keeps of a layer's chunks while the layer is on its way.
#include <gtest/gtest.h>

#include "cached/content/sha256.h"
#include "cached/store/store.h"
#include "tests/support/allocation_meter.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

// Just behind a doubling of what doubles.
constexpr std::uint32_t kChunks = 35'000;

class StoreMemoryTest : public testing::Test {
 protected:
  StoreMemoryTest() {
    StoreOptions options;
    options.writer.commit_every_chunks = 256;
    store_ = Store::Open(Fs::Real(), {directory_ / "root", directory_ / "run"}, options).value();
  }

  void AddChunks(ChunkWriter& writer) {
    for (std::uint32_t i = 0; i < kChunks; ++i) {
      const auto* const bytes = reinterpret_cast<const std::byte*>(&i);
      VARVE_CHECK(writer.Add(Sha256Of({bytes, sizeof(i)}), {bytes, sizeof(i)}).ok());
    }
    VARVE_CHECK(writer.Flush().ok());
  }
  // Without the memtables, which have a bound of their own.
  std::size_t Allocated() {
    VARVE_CHECK(store_->database().Compact().ok());
    return AllocatedBytes();
  }

  const TempDir directory_;
  std::unique_ptr<Store> store_;
};

// Eight bytes are its lease, eight its word in the locator table, both in vectors that double. A placement that waits
// for the layer's commit would be 200 and more.
TEST_F(StoreMemoryTest, ANewChunkOfALayerThatIsNotCommittedTakesNoMoreThan48Bytes) {
  const std::size_t before = Allocated();
  const auto writer = store_->OpenWriter();
  AddChunks(*writer);
  EXPECT_LT(static_cast<double>(Allocated() - before) / kChunks, 48);
}

}  // namespace
}  // namespace varve
