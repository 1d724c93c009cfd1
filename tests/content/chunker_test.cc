#include "cached/content/chunker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace varve {
namespace {

constexpr ChunkerOptions kSmall = {.min_bytes = 256, .average_bytes = 1024, .max_bytes = 4096};

// The standard fixes every output of mt19937_64, so these are the same bytes everywhere.
Bytes Random(std::size_t size, std::uint64_t seed = 1) {
  std::mt19937_64 random(seed);
  Bytes bytes(size);
  std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<std::byte>(random()); });
  return bytes;
}

std::vector<ByteSpan> Chunks(const ChunkerOptions& options, ByteSpan content) {
  const Chunker chunker = *Chunker::Create(options);
  std::vector<ByteSpan> chunks;
  for (; !content.empty(); content = content.subspan(chunks.back().size())) {
    chunks.push_back(content.first(chunker.Cut(content)));
    if (chunks.back().empty()) break;
  }
  return chunks;
}

std::vector<std::size_t> Sizes(const ChunkerOptions& options, ByteSpan content) {
  std::vector<std::size_t> sizes;
  for (const ByteSpan chunk : Chunks(options, content)) sizes.push_back(chunk.size());
  return sizes;
}

// The definition that chunker.cc makes fast: one byte a step, one mask a position.
std::size_t ReferenceCut(const ChunkerOptions& options, ByteSpan content) {
  std::array<std::uint64_t, 256> gear{};
  std::uint64_t state = 0;
  for (std::uint64_t& entry : gear) {
    std::uint64_t z = (state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    entry = z ^ (z >> 31);
  }
  const int average_bits = std::countr_zero(options.average_bytes);
  std::uint64_t hash = 0;
  for (std::size_t at = options.min_bytes; at < std::min<std::size_t>(content.size(), options.max_bytes); ++at) {
    hash = (hash << 1) + gear[std::to_integer<std::size_t>(content[at])];
    const int bits = at < options.average_bytes ? average_bits + 2 : average_bits - 2;
    if (((hash << 1) >> (64 - bits)) == 0) return at + 1;
  }
  return std::min<std::size_t>(content.size(), options.max_bytes);
}

TEST(ChunkerTest, EveryChunkButTheLastIsWithinTheBounds) {
  const std::vector<std::size_t> sizes = Sizes(kSmall, Random(1 << 20));
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
    EXPECT_GT(sizes[i], kSmall.min_bytes);
    EXPECT_LE(sizes[i], kSmall.max_bytes);
  }
  EXPECT_LE(sizes.back(), kSmall.max_bytes);
}

TEST(ChunkerTest, ContentThatNeverMatchesIsCutAtTheMaximum) {
  const std::vector<std::size_t> sizes = Sizes(kSmall, Bytes(10000));
  EXPECT_EQ(sizes, (std::vector<std::size_t>{4096, 4096, 1808}));
}

TEST(ChunkerTest, NoContentHasNoChunk) { EXPECT_EQ(Chunker::Create({})->Cut({}), 0u); }

TEST(ChunkerTest, AFileUpToTheMinimumIsOneChunk) {
  for (const std::size_t size : {1u, 255u, 256u})
    EXPECT_EQ(Sizes(kSmall, Random(size)), std::vector<std::size_t>{size});
}

TEST(ChunkerTest, TheFastLoopCutsWhereTheDefinitionDoes) {
  for (const std::uint32_t min_bytes : {256u, 257u}) {  // both parities of the two-byte step
    ChunkerOptions options = kSmall;
    options.min_bytes = min_bytes;
    const Bytes content = Random(1 << 20, min_bytes);
    std::size_t at = 0;
    for (const std::size_t size : Sizes(options, content)) {
      ASSERT_EQ(size, ReferenceCut(options, ByteSpan(content).subspan(at))) << "at " << at;
      at += size;
    }
  }
}

TEST(ChunkerTest, EveryLengthOfContentIsCutAsTheDefinitionSays) {
  const Bytes content = Random(2200);
  const Chunker chunker = *Chunker::Create(kSmall);
  for (std::size_t size = 0; size <= content.size(); ++size) {
    const ByteSpan start = ByteSpan(content).first(size);
    ASSERT_EQ(chunker.Cut(start), ReferenceCut(kSmall, start)) << size;
  }
}

// Stores hold chunks by these cuts. If this fails, old stores stop sharing anything with new content: add options,
// never new cuts.
TEST(ChunkerTest, TheCutsOfTheDefaultSizesNeverChange) {
  std::ifstream golden(VARVE_GOLDEN_DIR "/chunker_cuts.txt");
  const std::vector<std::size_t> expected{std::istream_iterator<std::size_t>(golden), {}};
  ASSERT_GT(expected.size(), 50u);
  EXPECT_EQ(Sizes({}, Random(4 << 20)), expected);
}

TEST(ChunkerTest, AFilesCutsDoNotDependOnWhatFollowsTheLargestChunk) {
  const Bytes content = Random(100000);
  const Chunker chunker = *Chunker::Create(kSmall);
  EXPECT_EQ(chunker.Cut(content), chunker.Cut(ByteSpan(content).first(kSmall.max_bytes)));
}

TEST(ChunkerTest, AnInsertedByteChangesOnlyTheChunksBesideIt) {
  const Bytes before = Random(1 << 20);
  Bytes after = before;
  after.insert(after.begin() + (1 << 19), std::byte{42});
  std::set<std::string_view> known;
  for (const ByteSpan chunk : Chunks(kSmall, before)) known.insert(AsText(chunk));
  const std::vector<ByteSpan> chunks = Chunks(kSmall, after);
  const auto changed =
      std::count_if(chunks.begin(), chunks.end(), [&](ByteSpan chunk) { return !known.contains(AsText(chunk)); });
  EXPECT_GE(changed, 1);
  EXPECT_LE(changed, 3);
}

// A byte is a cut with probability p up to the average and q after it, so the expected size is a sum of two geometric
// series.
TEST(ChunkerTest, TheMeanIsWhatNormalizationGives) {
  const double p = std::ldexp(1.0, -12), q = std::ldexp(1.0, -8);
  const double reach_average = std::pow(1 - p, kSmall.average_bytes - kSmall.min_bytes);
  const double reach_max = std::pow(1 - q, kSmall.max_bytes - kSmall.average_bytes);
  const double expected = kSmall.min_bytes + (1 - reach_average) / p + reach_average * (1 - reach_max) / q;
  constexpr std::size_t kContentBytes = 4 << 20;
  const double mean =
      static_cast<double>(kContentBytes) / static_cast<double>(Sizes(kSmall, Random(kContentBytes)).size());
  EXPECT_NEAR(mean, expected, expected * 0.15);
}

TEST(ChunkerTest, SizesThatMakeNoSenseAreRefused) {
  EXPECT_TRUE(Chunker::Create({}).ok());
  for (const ChunkerOptions& options :
       {ChunkerOptions{32, 1024, 4096}, ChunkerOptions{2048, 1024, 4096}, ChunkerOptions{256, 1024, 512},
        ChunkerOptions{256, 1000, 4096}, ChunkerOptions{256, 1024, kChunkBytesMax + 1}}) {
    EXPECT_EQ(Chunker::Create(options).error().code(), Code::kInvalidArgument);
  }
}

}  // namespace
}  // namespace varve
