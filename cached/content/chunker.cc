// FastCDC: where to cut a file so that an edit moves only the cuts beside it.
//
// The problem. Cut a file every 64 KiB, insert one byte at its start, and every chunk after it is new: nothing is found
// again. Cut where the content itself says so, and only the chunk that holds the edit changes:
//
//   before   |the quick br|own fox jum|ps over the lazy dog|
//   after    |the very quick br|own fox jum|ps over the lazy dog|      two of three chunks are the same bytes, the same
//   digest
//
// The choice. A gear hash rolls over the content, one shift, one table look-up and one addition a byte:
//
//   hash = (hash << 1) + kGear[byte]
//
// Bit k of it depends on the last k + 1 bytes only, so the top bits see a window of 64 bytes and the test must look at
// those: both masks below are runs of ones at the top. A cut is where (hash & mask) == 0. Three refinements come from
// the paper:
//   - nothing is tested before min_bytes (cut-point skipping), and max_bytes is always a cut;
//   - normalization: up to average_bytes the mask has two bits more than log2(average), after it two bits fewer, so
//   that sizes
//     gather around the average instead of spreading exponentially;
//   - two bytes a step (FastCDC 2020): a second table holds each entry shifted left by one, and the mask is shifted
//   alike, so that
//     one loop iteration tests two positions and the dependent chain is one addition and one shift for two bytes.
//
// The chunker starts anew at each file: tar headers (mtime, owner) never reach it, and a file up to min_bytes is one
// chunk.
//
// What was measured, and what was rejected: docs/design/chunking.md.
// Source: FastCDC, Xia et al., USENIX ATC 2016, sections 3.3 to 3.5, and "The Design of Fast Content-Defined Chunking",
// IEEE TPDS 2020, section 4. Ours differs in the masks (contiguous top bits instead of scattered ones) and in the gear
// table, which is the output of SplitMix64 from seed 0, so that anyone can make it again.

#include "cached/content/chunker.h"

#include <algorithm>
#include <array>
#include <bit>

namespace varve {
namespace {

using GearTable = std::array<std::uint64_t, 256>;

constexpr GearTable MakeGear(unsigned shift) {
  GearTable table{};
  std::uint64_t state = 0;
  for (std::uint64_t& entry : table) {
    state += 0x9e3779b97f4a7c15;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    entry = (z ^ (z >> 31)) << shift;
  }
  return table;
}

constexpr GearTable kGear = MakeGear(0);
constexpr GearTable kGearShifted = MakeGear(1);

constexpr unsigned kNormalizationBits = 2;

// `bits` ones below the top bit. The top bit stays free: the two-byte step tests the hash shifted left by one.
constexpr std::uint64_t MaskOf(unsigned bits) { return ((std::uint64_t{1} << bits) - 1) << (63 - bits); }

// The first cut in [from, to) by `mask`, or `to`. `hash` is carried from one call to the next.
std::size_t Scan(const std::byte* content, std::size_t from, std::size_t to, std::uint64_t mask, std::uint64_t& hash) {
  const std::uint64_t shifted_mask = mask << 1;
  std::size_t at = from;
  for (; at + 1 < to; at += 2) {
    hash = (hash << 2) + kGearShifted[std::to_integer<std::size_t>(content[at])];
    if ((hash & shifted_mask) == 0) {
      hash >>= 1;
      return at;
    }
    hash += kGear[std::to_integer<std::size_t>(content[at + 1])];
    if ((hash & mask) == 0) return at + 1;
  }
  if (at < to) {
    hash = (hash << 1) + kGear[std::to_integer<std::size_t>(content[at])];
    if ((hash & mask) == 0) return at;
  }
  return to;
}

}  // namespace

Result<Chunker> Chunker::Create(const ChunkerOptions& options) {
  const bool ordered = options.min_bytes >= 64 && options.min_bytes <= options.average_bytes &&
                       options.average_bytes <= options.max_bytes && options.max_bytes <= kChunkBytesMax;
  if (!ordered || !std::has_single_bit(options.average_bytes)) {
    return Error(Code::kInvalidArgument, "chunk sizes: 64 <= min <= average <= max <= 256 KiB, average a power of two");
  }
  return Chunker(options);
}

Chunker::Chunker(const ChunkerOptions& options) : options_(options) {
  const auto bits = static_cast<unsigned>(std::countr_zero(options.average_bytes));
  strict_mask_ = MaskOf(bits + kNormalizationBits);
  loose_mask_ = MaskOf(bits - kNormalizationBits);
}

std::size_t Chunker::Cut(ByteSpan content) const {
  const std::size_t end = std::min<std::size_t>(content.size(), options_.max_bytes);
  if (end <= options_.min_bytes) return end;
  const std::size_t middle = std::min<std::size_t>(end, options_.average_bytes);
  std::uint64_t hash = 0;
  std::size_t cut = Scan(content.data(), options_.min_bytes, middle, strict_mask_, hash);
  if (cut == middle) cut = Scan(content.data(), middle, end, loose_mask_, hash);
  return cut == end ? end : cut + 1;
}

}  // namespace varve
