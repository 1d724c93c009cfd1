// What would a store keep of these trees: by whole files, by fixed blocks, by content-defined chunks of each size? The
// numbers behind docs/design/chunking.md. usage: varve_chunk_sizes DIR...       cuts every regular file below each DIR
// (a hard-linked file once), on one core

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "cached/base/fs.h"
#include "cached/content/chunker.h"
#include "cached/content/codec.h"
#include "cached/content/sha256.h"

namespace varve {
namespace {

constexpr std::uint64_t kFileBytesMax = 4ULL << 30;
constexpr int kZstdLevel = 3;
constexpr std::uint32_t kAveragesKib[] = {8, 16, 32, 64, 128};
constexpr std::size_t kFixedBytes = 64 << 10;

// The length of the first piece of a content.
using Cutter = std::function<std::size_t(ByteSpan)>;

class Stopwatch {
 public:
  template <class F>
  auto Time(F function) {
    const auto start = std::chrono::steady_clock::now();
    auto value = function();
    spent_ += std::chrono::steady_clock::now() - start;
    return value;
  }
  double MbPerSecond(std::uint64_t bytes) const {
    return static_cast<double>(bytes) / 1e6 / std::chrono::duration<double>(spent_).count();
  }

 private:
  std::chrono::nanoseconds spent_{1};
};

std::vector<std::string> FilesBelow(int count, char** directories) {
  std::vector<std::string> files;
  std::set<std::pair<dev_t, ino_t>> seen;
  for (int i = 0; i < count; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directories[i])) {
      struct stat info{};
      if (::lstat(entry.path().c_str(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_size == 0) continue;
      if (seen.emplace(info.st_dev, info.st_ino).second) files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

// What one way to cut keeps. Counters are bytes but for the two chunk counts.
class Measurement {
 public:
  explicit Measurement(Cutter cutter) : cutter_(std::move(cutter)), compressor_(kZstdLevel) {}

  void Add(ByteSpan content) {
    raw_ += content.size();
    const std::vector<ByteSpan> chunks = cutting_.Time([&] { return Cut(content); });
    const std::vector<Digest> digests = hashing_.Time([&] { return Hash(chunks); });
    chunks_ += chunks.size();
    for (std::size_t i = 0; i < chunks.size(); ++i) {
      if (seen_.insert(digests[i]).second) Keep(chunks[i]);
    }
  }

  void Print(std::string_view name) const {
    const auto mb = [](std::uint64_t bytes) { return static_cast<double>(bytes) / 1e6; };
    fmt::print("{:>12} {:>9.1f} {:>9.1f} {:>9.1f} {:>9} {:>9} {:>9} {:>8.0f} {:>8.0f} {:>8.0f}\n", name, mb(raw_),
               mb(unique_), mb(stored_), chunks_, seen_.size(), unique_ / std::max<std::uint64_t>(1, seen_.size()),
               cutting_.MbPerSecond(raw_), hashing_.MbPerSecond(raw_), compressing_.MbPerSecond(unique_));
  }

 private:
  std::vector<ByteSpan> Cut(ByteSpan content) const {
    std::vector<ByteSpan> chunks;
    for (; !content.empty(); content = content.subspan(chunks.back().size()))
      chunks.push_back(content.first(cutter_(content)));
    return chunks;
  }
  static std::vector<Digest> Hash(const std::vector<ByteSpan>& chunks) {
    std::vector<Digest> digests(chunks.size());
    std::transform(chunks.begin(), chunks.end(), digests.begin(), Sha256Of);
    return digests;
  }
  void Keep(ByteSpan chunk) {
    Bytes coded;
    const Codec codec = compressing_.Time([&] { return compressor_.Compress(chunk, coded); });
    unique_ += chunk.size();
    stored_ += codec == Codec::kRaw ? chunk.size() : coded.size();
  }

  const Cutter cutter_;
  Compressor compressor_;
  Stopwatch cutting_, hashing_, compressing_;
  std::unordered_set<Digest> seen_;
  std::uint64_t raw_ = 0, unique_ = 0, stored_ = 0, chunks_ = 0;
};

Status Measure(const std::vector<std::string>& files, std::string_view name, Cutter cutter) {
  Measurement measurement(std::move(cutter));
  for (const std::string& file : files) {
    VARVE_ASSIGN_OR_RETURN(const Bytes content, ReadWholeFile(Fs::Real(), file, kFileBytesMax));
    measurement.Add(content);
  }
  measurement.Print(name);
  return Ok();
}

Status MeasureAll(const std::vector<std::string>& files) {
  VARVE_RETURN_IF_ERROR(Measure(files, "files", [](ByteSpan content) { return content.size(); }));
  VARVE_RETURN_IF_ERROR(
      Measure(files, "fixed 64", [](ByteSpan content) { return std::min(content.size(), kFixedBytes); }));
  for (const std::uint32_t kib : kAveragesKib) {
    const ChunkerOptions sizes = {
        .min_bytes = kib << 8, .average_bytes = kib << 10, .max_bytes = std::min(kib << 12, kChunkBytesMax)};
    VARVE_ASSIGN_OR_RETURN(const Chunker chunker, Chunker::Create(sizes));
    const std::string name = fmt::format("{}/{}/{}", sizes.min_bytes >> 10, kib, sizes.max_bytes >> 10);
    VARVE_RETURN_IF_ERROR(Measure(files, name, [&](ByteSpan content) { return chunker.Cut(content); }));
  }
  return Ok();
}

}  // namespace
}  // namespace varve

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: varve_chunk_sizes DIR...\n");
    return 2;
  }
  const std::vector<std::string> files = varve::FilesBelow(argc - 1, argv + 1);
  fmt::print("{} files; sizes in KiB, contents in MB, speeds in MB/s of one core\n", files.size());
  fmt::print("{:>12} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>8} {:>8} {:>8}\n", "cut into", "raw", "unique", "zstd-3",
             "chunks", "unique", "mean B", "cut", "SHA-256", "zstd-3");
  if (const varve::Status status = varve::MeasureAll(files); !status.ok()) {
    fmt::print(stderr, "varve_chunk_sizes: {}\n", status.error().message());
    return 1;
  }
}
