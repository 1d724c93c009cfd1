// Compressing a layer on all cores, and to the same bytes each time.
//
// The tar is cut into blocks of fixed size, each becomes a gzip member or a zstd frame of its own, and those are joined
// in order: both formats say that such a sequence is the concatenation, and every reader of layers takes it (eStargz
// and zstd:chunked consist of such pieces). So threads need nothing of each other, and neither their number nor their
// order shows in the result: who pushes the same layer twice, or from two machines, pushes one blob.
//
// pigz shares the window between blocks instead, to be one member. At 1 MiB a window of 32 KiB is worth little, and it
// needs zlib: libdeflate, which takes whole blocks only, is the faster one. zstd has
// threads of its own; they would be started for each stream, where these are shared by all layers of a push.

#include "cached/ingest/layer_compressor.h"

#include <fmt/core.h>
#include <libdeflate.h>
#include <zstd.h>

#include <algorithm>
#include <charconv>
#include <memory>

namespace varve {
namespace {

constexpr std::size_t kGzipBlockBytes = 1 << 20;
constexpr std::size_t kZstdBlockBytes = 4 << 20;  // level 3 looks back 2 MiB

struct FreeCompressor {
  void operator()(libdeflate_compressor* compressor) const { libdeflate_free_compressor(compressor); }
};

Result<Bytes> ToGzip(ByteSpan block, int level) {
  const std::unique_ptr<libdeflate_compressor, FreeCompressor> compressor(libdeflate_alloc_compressor(level));
  if (compressor == nullptr) return Error(Code::kResourceExhausted, "libdeflate: out of memory");
  Bytes out(libdeflate_gzip_compress_bound(compressor.get(), block.size()));
  out.resize(libdeflate_gzip_compress(compressor.get(), block.data(), block.size(), out.data(), out.size()));
  if (out.empty()) return Error(Code::kInternal, "libdeflate: its bound was too small");
  return out;
}

Result<Bytes> ToZstd(ByteSpan block, int level) {
  Bytes out(ZSTD_compressBound(block.size()));
  const std::size_t size = ZSTD_compress(out.data(), out.size(), block.data(), block.size(), level);
  if (ZSTD_isError(size) != 0) return Error(Code::kResourceExhausted, fmt::format("zstd: {}", ZSTD_getErrorName(size)));
  out.resize(size);
  return out;
}

}  // namespace

Result<LayerCompression> LayerCompression::Parse(std::string_view text) {
  const std::string_view format = text.substr(0, text.find(':'));
  LayerCompression compression;
  int most = 12;
  if (format == "zstd") {
    compression = {LayerFormat::kZstd, 3};
    most = 19;
  }
  bool valid = format == "gzip" || format == "zstd";
  if (valid && format.size() != text.size()) {
    const std::string_view level = text.substr(format.size() + 1);
    const auto [end, error] = std::from_chars(level.data(), level.data() + level.size(), compression.level);
    valid = error == std::errc() && end == level.data() + level.size() && compression.level >= 1 &&
            compression.level <= most;
  }
  if (valid) return compression;
  return Error(Code::kInvalidArgument,
               fmt::format("compression \"{}\": give gzip, gzip:1 to gzip:12, zstd, or zstd:1 to zstd:19", text));
}

LayerCompressor::LayerCompressor(ThreadPool& pool, const LayerCompression& compression,
                                 std::function<Status(ByteSpan)> sink)
    : pool_(pool),
      compression_(compression),
      block_bytes_(compression.format == LayerFormat::kGzip ? kGzipBlockBytes : kZstdBlockBytes),
      sink_(std::move(sink)) {}

Status LayerCompressor::Write(ByteSpan bytes) {
  while (!bytes.empty()) {
    if (block_.empty()) block_.reserve(block_bytes_);
    const ByteSpan some = bytes.first(std::min(bytes.size(), block_bytes_ - block_.size()));
    block_.insert(block_.end(), some.begin(), some.end());
    bytes = bytes.subspan(some.size());
    if (block_.size() == block_bytes_) VARVE_RETURN_IF_ERROR(Dispatch());
  }
  return Ok();
}

Status LayerCompressor::Finish() {
  if (!block_.empty() || dispatched_ == 0) VARVE_RETURN_IF_ERROR(Dispatch());
  while (!in_flight_.empty()) VARVE_RETURN_IF_ERROR(Collect());
  return Ok();
}

Status LayerCompressor::Dispatch() {
  if (in_flight_.size() == kBlocksInFlight) VARVE_RETURN_IF_ERROR(Collect());
  ++dispatched_;
  in_flight_.push_back(pool_.Async([block = std::exchange(block_, {}), compression = compression_] {
    return compression.format == LayerFormat::kGzip ? ToGzip(block, compression.level)
                                                    : ToZstd(block, compression.level);
  }));
  return Ok();
}

Status LayerCompressor::Collect() {
  const auto compressed = in_flight_.front().get();
  in_flight_.pop_front();
  if (!compressed.ok()) return compressed.error();
  return sink_(*compressed);
}

}  // namespace varve
