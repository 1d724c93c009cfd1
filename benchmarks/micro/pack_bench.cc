// What keeping and fetching one chunk costs beside hashing and compressing it.

#include <benchmark/benchmark.h>

#include <cstdint>

#include "benchmarks/micro/content.h"
#include "cached/content/sha256.h"
#include "cached/pack/pack_reader.h"
#include "cached/pack/pack_writer.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

constexpr PackId kPack{1};

// Not synced: that is the disk's cost, and the committer shares one among all that wait for it.
void BM_PackAppend(benchmark::State& state) {
  const TempDir directory;
  const Bytes chunk = Random(static_cast<std::size_t>(state.range(0)));
  const Digest digest = Sha256Of(chunk);
  PackId id = kPack;
  Result<PackWriter> writer = PackWriter::Create(Fs::Real(), directory.path(), id);
  const auto raw_length = static_cast<std::uint32_t>(chunk.size());
  for (auto _ : state) {
    if (writer->Full(raw_length)) {
      state.PauseTiming();
      VARVE_CHECK(Fs::Real().Remove(directory / id.FileName()).ok());
      id = PackId{id.number + 1};
      writer = PackWriter::Create(Fs::Real(), directory.path(), id);
      state.ResumeTiming();
    }
    VARVE_CHECK(writer->Append(FrameKind::kChunk, Codec::kRaw, chunk, raw_length, digest).ok());
  }
  SetBytes(state, chunk.size());
}
BENCHMARK(BM_PackAppend)->Arg(4 << 10)->Arg(64 << 10);

// Frames that the page cache has, in an order that no readahead guesses; header and payload are verified.
void BM_PackRead(benchmark::State& state) {
  constexpr std::uint32_t kFrames = 512;
  const TempDir directory;
  const Bytes chunk = Random(static_cast<std::size_t>(state.range(0)));
  const Digest digest = Sha256Of(chunk);
  std::vector<PackLocation> frames;
  {
    PackWriter writer = *PackWriter::Create(Fs::Real(), directory.path(), kPack);
    for (std::uint32_t i = 0; i < kFrames; ++i) {
      frames.push_back(
          *writer.Append(FrameKind::kChunk, Codec::kRaw, chunk, static_cast<std::uint32_t>(chunk.size()), digest));
    }
  }
  const PackReader reader = *PackReader::Open(Fs::Real(), directory.path(), kPack);
  std::uint32_t next = 0;
  for (auto _ : state) {
    next = (next + 211) % kFrames;
    const PackReader::Frame frame = *reader.ReadFrame(frames[next].offset_bytes, frames[next].length_bytes);
    benchmark::DoNotOptimize(DecodePayload(frame.header, frame.bytes));
  }
  SetBytes(state, chunk.size());
}
BENCHMARK(BM_PackRead)->Arg(4 << 10)->Arg(64 << 10);

}  // namespace
}  // namespace varve
