// What the builders of indexes take while they work.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "cached/content/sha256.h"
#include "cached/tree/layer_index_builder.h"
#include "cached/tree/merge.h"
#include "tests/support/allocation_meter.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

// Just behind a doubling of everything that doubles: what takes most memory for its size.
constexpr std::size_t kEntries = 135'000;
constexpr std::size_t kNameBytes = 10;  // "entry" and five digits

// The most that is allocated at once while `work` runs, for each entry.
template <class Work>
double BytesAnEntry(Work work) {
  const std::size_t before = AllocatedBytes();
  ResetPeak();
  work();
  return static_cast<double>(PeakAllocatedBytes() - before) / kEntries;
}

class MemoryTest : public testing::Test {
 protected:
  // A layer of kEntries of one type; a file has a chunk of its own if `chunks` is set.
  enum class Chunks { kNone, kOneAFile };
  void BuildLayer(EntryType type, Chunks chunks) {
    LayerIndexBuilder builder{LayerLimits{}};
    Entry entry;
    entry.type = type;
    for (std::uint32_t i = 0; i < kEntries; ++i) {
      entry.path = fmt::format("entry{:05}", i);
      std::vector<FileExtent> extents;
      if (chunks == Chunks::kOneAFile) {
        Digest digest;
        StoreLittle<std::uint64_t>(digest.bytes.data(), i * 0x9e3779b97f4a7c15u);
        extents.push_back({.offset = 0, .chunk = builder.AddChunk(digest, 5), .length = 5});
        entry.size_bytes = 5;
      }
      VARVE_CHECK(builder.Add(entry, extents).ok());
    }
    const auto file = Fs::Real().Open(layer_path_, OpenMode::kCreateTruncate).value();
    VARVE_CHECK(builder.Finish(*file, diff_id_, 10240).ok());
  }
  void Merge() {
    const auto mapped = MappedFile::Open(Fs::Real(), layer_path_).value();
    const LayerIndex layer = LayerIndex::Open(mapped.bytes(), diff_id_, IndexCheck::kChecksum).value();
    const auto file = Fs::Real().Open(directory_ / "image", OpenMode::kCreateTruncate).value();
    VARVE_CHECK(MergeLayers({{layer}}, *file).ok());
  }

  TempDir directory_;
  const std::string layer_path_ = directory_ / "layer";
  const Digest diff_id_ = Sha256Of(AsBytes("layer"));
};

TEST_F(MemoryTest, ALayerOfEmptyFilesTakes110BytesAnEntryBesideItsNames) {
  EXPECT_LT(BytesAnEntry([this] { BuildLayer(EntryType::kFile, Chunks::kNone); }), 110 + kNameBytes);
}

TEST_F(MemoryTest, AChunkTakesNoMoreThan60BytesMore) {
  EXPECT_LT(BytesAnEntry([this] { BuildLayer(EntryType::kFile, Chunks::kOneAFile); }), 170 + kNameBytes);
}

TEST_F(MemoryTest, MergingALayerOfFilesTakes60BytesAnEntry) {
  BuildLayer(EntryType::kFile, Chunks::kNone);
  EXPECT_LT(BytesAnEntry([this] { Merge(); }), 60);
}

TEST_F(MemoryTest, MergingALayerOfDirectoriesTakes120BytesAnEntry) {
  BuildLayer(EntryType::kDirectory, Chunks::kNone);
  EXPECT_LT(BytesAnEntry([this] { Merge(); }), 120);
}

}  // namespace
}  // namespace varve
