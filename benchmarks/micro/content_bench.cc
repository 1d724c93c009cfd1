// The inner loops of ingest and of a read: cut, hash, checksum, compress, decompress.

#include <benchmark/benchmark.h>

#include "benchmarks/micro/content.h"
#include "cached/content/chunker.h"
#include "cached/content/codec.h"
#include "cached/content/sha256.h"

namespace varve {
namespace {

constexpr int kZstdLevel = 3;

// Of one large file; small files are faster, because nothing is tested before the minimum.
void BM_Chunker(benchmark::State& state) {
  const auto average_bytes = static_cast<std::uint32_t>(state.range(0)) << 10;
  const Chunker chunker = *Chunker::Create(
      {.min_bytes = average_bytes / 4, .average_bytes = average_bytes, .max_bytes = average_bytes * 4});
  const Bytes content = Random(16 << 20);
  for (auto _ : state) {
    for (ByteSpan rest = content; !rest.empty();) {
      const std::size_t size = chunker.Cut(rest);
      benchmark::DoNotOptimize(size);
      rest = rest.subspan(size);
    }
  }
  SetBytes(state, content.size());
}
BENCHMARK(BM_Chunker)->ArgName("average_kib")->Arg(16)->Arg(32)->Arg(64);

void BM_Sha256(benchmark::State& state) {
  const Bytes content = Random(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(Sha256Of(content));
  SetBytes(state, content.size());
}
BENCHMARK(BM_Sha256)->Arg(512)->Arg(4 << 10)->Arg(64 << 10);

void BM_Xxh3(benchmark::State& state) {
  const Bytes content = Random(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(Xxh3Of(content));
  SetBytes(state, content.size());
}
BENCHMARK(BM_Xxh3)->Arg(4 << 10)->Arg(64 << 10);

void BM_Compress(benchmark::State& state) {
  const Bytes raw = Text(static_cast<std::size_t>(state.range(0)));
  Compressor compressor(kZstdLevel);
  Bytes stored;
  for (auto _ : state) benchmark::DoNotOptimize(compressor.Compress(raw, stored));
  SetBytes(state, raw.size());
  state.counters["ratio"] = static_cast<double>(stored.size()) / static_cast<double>(raw.size());
}
BENCHMARK(BM_Compress)->Arg(4 << 10)->Arg(16 << 10)->Arg(64 << 10)->Arg(256 << 10);

// What a cold read of one chunk costs beside the disk.
void BM_Decompress(benchmark::State& state) {
  Bytes raw = Text(static_cast<std::size_t>(state.range(0)));
  Bytes stored;
  const Codec codec = Compressor(kZstdLevel).Compress(raw, stored);
  for (auto _ : state) VARVE_CHECK(Decompress(codec, stored, raw).ok());
  SetBytes(state, raw.size());
}
BENCHMARK(BM_Decompress)->Arg(4 << 10)->Arg(16 << 10)->Arg(64 << 10)->Arg(256 << 10);

}  // namespace
}  // namespace varve
