// Inflating a layer: the one stage of a pull that cannot be split among cores.

#include <benchmark/benchmark.h>
#include <zlib.h>

#include "benchmarks/micro/content.h"
#include "cached/content/codec.h"
#include "cached/ingest/decompressor.h"

namespace varve {
namespace {

constexpr std::size_t kLayerBytes = 16 << 20;
constexpr std::size_t kReadBytes = 256 << 10;
constexpr int kGzipWindowBits = 15 + 16;

Bytes Gzip(ByteSpan raw) {
  z_stream stream{};
  VARVE_CHECK(deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindowBits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  Bytes compressed(deflateBound(&stream, raw.size()));
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(raw.data()));
  stream.avail_in = static_cast<uInt>(raw.size());
  stream.next_out = reinterpret_cast<Bytef*>(compressed.data());
  stream.avail_out = static_cast<uInt>(compressed.size());
  VARVE_CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  compressed.resize(stream.total_out);
  deflateEnd(&stream);
  return compressed;
}

Bytes Zstd(ByteSpan raw) {
  Bytes compressed;
  VARVE_CHECK(Compressor(3).Compress(raw, compressed) == Codec::kZstd);
  return compressed;
}

void Decompress(benchmark::State& state, const Bytes& compressed) {
  Bytes block(kReadBytes);
  for (auto _ : state) {
    MemorySource source(compressed, kReadBytes);
    Decompressor decompressor(source);
    std::size_t total = 0;
    while (const std::size_t size = decompressor.Read(block).value()) total += size;
    VARVE_CHECK(total == kLayerBytes);
  }
  SetBytes(state, kLayerBytes);
}

// Bytes a second are of the plain tar.
void BM_InflateGzip(benchmark::State& state) { Decompress(state, Gzip(Text(kLayerBytes))); }
BENCHMARK(BM_InflateGzip);
void BM_InflateZstd(benchmark::State& state) { Decompress(state, Zstd(Text(kLayerBytes))); }
BENCHMARK(BM_InflateZstd);

}  // namespace
}  // namespace varve
