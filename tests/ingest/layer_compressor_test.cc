#include "cached/ingest/layer_compressor.h"

#include <gtest/gtest.h>

#include <random>

#include "cached/ingest/decompressor.h"

namespace varve {
namespace {

// Text that compresses, more than two blocks of either format.
Bytes Text() {
  std::mt19937 random(7);
  Bytes text(9'500'000);
  for (std::byte& byte : text) byte = static_cast<std::byte>('a' + random() % 7);
  return text;
}

Bytes Compressed(ByteSpan text, const LayerCompression& compression, std::size_t threads, std::size_t piece_bytes) {
  ThreadPool pool(threads, 4);
  Bytes out;
  LayerCompressor compressor(pool, compression, [&](ByteSpan piece) -> Status {
    out.insert(out.end(), piece.begin(), piece.end());
    return Ok();
  });
  for (; !text.empty(); text = text.subspan(std::min(piece_bytes, text.size())))
    EXPECT_TRUE(compressor.Write(text.first(std::min(piece_bytes, text.size()))).ok());
  EXPECT_TRUE(compressor.Finish().ok());
  return out;
}

Bytes Decompressed(ByteSpan compressed) {
  MemorySource source(compressed);
  Decompressor decompressor(source, {});
  Bytes out;
  Bytes buffer(1 << 20);
  for (;;) {
    const auto size = decompressor.Read(buffer);
    EXPECT_TRUE(size.ok()) << size.error().message();
    if (!size.ok() || *size == 0) return out;
    out.insert(out.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(*size));
  }
}

class LayerCompressorTest : public testing::TestWithParam<const char*> {
 protected:
  const LayerCompression compression_ = LayerCompression::Parse(GetParam()).value();
};
INSTANTIATE_TEST_SUITE_P(Formats, LayerCompressorTest, testing::Values("gzip:1", "zstd:1"));

TEST_P(LayerCompressorTest, WhatComesOutIsSmallerAndReadsBack) {
  const Bytes text = Text();
  const Bytes compressed = Compressed(text, compression_, 2, 100'000);
  EXPECT_LT(compressed.size(), text.size() / 2);
  EXPECT_TRUE(Decompressed(compressed) == text);
}

TEST_P(LayerCompressorTest, NeitherThreadsNorPiecesShowInTheResult) {
  const Bytes text = Text();
  const Bytes once = Compressed(text, compression_, 1, text.size());
  EXPECT_TRUE(once == Compressed(text, compression_, 3, 77'777));
}

TEST_P(LayerCompressorTest, NothingIsAStreamThatReadsBackAsNothing) {
  const Bytes compressed = Compressed({}, compression_, 1, 1);
  EXPECT_FALSE(compressed.empty());
  EXPECT_TRUE(Decompressed(compressed).empty());
}

TEST_P(LayerCompressorTest, AnErrorOfTheSinkIsReturned) {
  ThreadPool pool(1, 1);
  LayerCompressor compressor(pool, compression_, [](ByteSpan) { return Error(Code::kCancelled, "enough"); });
  ASSERT_TRUE(compressor.Write(AsBytes("x")).ok());
  EXPECT_EQ(compressor.Finish().error().message(), "enough");
}

TEST(LayerCompressionTest, FormatAndLevelAreReadAndBounded) {
  EXPECT_EQ(LayerCompression::Parse("gzip")->level, 6);
  EXPECT_EQ(LayerCompression::Parse("gzip:12")->level, 12);
  EXPECT_EQ(LayerCompression::Parse("zstd")->level, 3);
  EXPECT_EQ(LayerCompression::Parse("zstd:19")->format, LayerFormat::kZstd);
  for (const char* text : {"", "xz", "gzip:", "gzip:0", "gzip:13", "zstd:20", "zstd:1x", "gzip:-1"})
    EXPECT_EQ(LayerCompression::Parse(text).error().code(), Code::kInvalidArgument) << text;
}

}  // namespace
}  // namespace varve
