#include "cached/content/codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

namespace varve {
namespace {

constexpr int kZstdLevel = 3;

Bytes Random(std::size_t size) {
  std::mt19937_64 random(7);
  Bytes bytes(size);
  std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<std::byte>(random()); });
  return bytes;
}

Bytes Text(std::size_t size) {
  std::string text;
  for (int i = 0; text.size() < size; ++i) text += "line " + std::to_string(i) + " of a file that compresses\n";
  return ToBytes(text.substr(0, size));
}

Bytes Compressed(ByteSpan raw) {
  Bytes out;
  EXPECT_EQ(Compressor(kZstdLevel).Compress(raw, out), Codec::kZstd);
  return out;
}

TEST(CodecTest, WhatWasCompressedComesBack) {
  Compressor compressor(kZstdLevel);
  for (const std::size_t size : {64u, 4096u, 262144u}) {
    const Bytes raw = Text(size);
    Bytes stored;
    ASSERT_EQ(compressor.Compress(raw, stored), Codec::kZstd);
    EXPECT_LT(stored.size(), size);
    Bytes back(size);
    ASSERT_TRUE(Decompress(Codec::kZstd, stored, back).ok());
    EXPECT_EQ(back, raw);
  }
}

TEST(CodecTest, WhatDoesNotShrinkIsKeptRawAndOutIsLeftAlone) {
  for (const std::size_t size : {0u, 1u, 65536u}) {
    Bytes out = ToBytes("untouched");
    EXPECT_EQ(Compressor(kZstdLevel).Compress(Random(size), out), Codec::kRaw);
    EXPECT_EQ(AsText(out), "untouched");
  }
}

TEST(CodecTest, RawBytesComeBackAsTheyAre) {
  const Bytes raw = Random(1000);
  Bytes back(1000);
  ASSERT_TRUE(Decompress(Codec::kRaw, raw, back).ok());
  EXPECT_EQ(back, raw);
}

TEST(CodecTest, AnotherLengthThanTheKnownOneIsDataLoss) {
  const Bytes raw = Text(10000);
  const Bytes stored = Compressed(raw);
  for (const std::size_t size : {0u, 9999u, 10001u}) {
    Bytes back(size);
    EXPECT_EQ(Decompress(Codec::kZstd, stored, back).error().code(), Code::kDataLoss) << size;
    EXPECT_EQ(Decompress(Codec::kRaw, raw, back).error().code(), Code::kDataLoss) << size;
  }
}

TEST(CodecTest, ACutFrameIsDataLoss) {
  const Bytes raw = Text(10000);
  const Bytes stored = Compressed(raw);
  Bytes back(raw.size());
  for (std::size_t size = 0; size < stored.size(); ++size) {
    EXPECT_EQ(Decompress(Codec::kZstd, ByteSpan(stored).first(size), back).error().code(), Code::kDataLoss) << size;
  }
}

TEST(CodecTest, AFlippedByteNeverWritesBeyondTheKnownLength) {
  constexpr std::size_t kGuard = 64;
  const Bytes raw = Text(10000);
  Bytes stored = Compressed(raw);
  for (std::byte& byte : stored) {
    byte ^= std::byte{0xff};
    Bytes back(raw.size() + kGuard, std::byte{0x5a});
    Decompress(Codec::kZstd, stored, std::span(back).first(raw.size()))
        .IgnoreError("zstd may not notice; the frame's checksum does");
    EXPECT_TRUE(std::all_of(back.end() - kGuard, back.end(), [](std::byte b) { return b == std::byte{0x5a}; }));
    byte ^= std::byte{0xff};
  }
}

TEST(CodecTest, AnUnknownCodecIsDataLoss) {
  Bytes back(3);
  EXPECT_EQ(Decompress(static_cast<Codec>(9), AsBytes("abc"), back).error().code(), Code::kDataLoss);
}

}  // namespace
}  // namespace varve
