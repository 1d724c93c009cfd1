// The question of ingest for each chunk: is it here already?

#include <benchmark/benchmark.h>

#include "benchmarks/micro/content.h"
#include "cached/content/sha256.h"
#include "cached/store/database.h"
#include "cached/store/placement.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

constexpr std::uint32_t kPlacements = 200'000;
constexpr std::size_t kBatch = 64;

Digest DigestNumber(std::uint32_t number) { return Sha256Of(std::as_bytes(std::span(&number, 1))); }

// A batch of lookups in a store of a dozen images; argument: every how many-th chunk is there (1: all; 0: none).
void BM_FindPlacements(benchmark::State& state) {
  const TempDir directory;
  const auto database = *Database::Open(directory.path() + "/db");
  for (std::uint32_t i = 0; i < kPlacements;) {
    Database::Batch batch;
    for (const std::uint32_t end = i + 10'000; i < end; ++i) {
      const PackLocation location{PackId{1}, i * 128, 128};
      batch.Put(Column::kChunk, KeyOf(DigestNumber(i)), ToPlacement(location, 100, false).SerializeAsString());
    }
    VARVE_CHECK(database->Write(batch).ok());
  }
  VARVE_CHECK(database->Compact().ok());
  const std::uint32_t first = state.range(0) != 0 ? 0 : kPlacements;
  std::uint32_t next = 0;
  for (auto _ : state) {
    state.PauseTiming();
    std::vector<Digest> digests;
    for (std::size_t i = 0; i < kBatch; ++i) digests.push_back(DigestNumber(first + (next += 7919) % kPlacements));
    std::vector<std::string_view> keys;
    for (const Digest& digest : digests) keys.push_back(KeyOf(digest));
    state.ResumeTiming();
    benchmark::DoNotOptimize(database->MultiGet(Column::kChunk, keys));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBatch));
}
BENCHMARK(BM_FindPlacements)->ArgName("there")->Arg(1)->Arg(0);

}  // namespace
}  // namespace varve
