#include "cached/ingest/decompressor.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <isa-l/crc.h>

#include <algorithm>

#include "cached/ingest/stream_decoder.h"
#include "tests/ingest/tar_support.h"

namespace varve {
namespace {

using ::testing::HasSubstr;

struct Cut {
  std::size_t input_bytes = 256 << 10;
  std::size_t output_bytes = 1 << 20;
};

Result<std::string> Decompressed(ByteSpan compressed, DecompressOptions options = {}, Cut cut = {}) {
  MemorySource source(compressed, cut.input_bytes);
  Decompressor decompressor(source, options);
  Bytes piece(cut.output_bytes);
  std::string output;
  while (true) {
    VARVE_ASSIGN_OR_RETURN(const std::size_t size, decompressor.Read(piece));
    if (size == 0) return output;
    output += AsText(ByteSpan(piece).first(size));
  }
}

// Text that compresses, but not to nothing.
std::string Numbers(std::uint64_t count) {
  std::string text;
  for (std::uint64_t i = 0; i < count; ++i) text += fmt::format("{} ", i * i);
  return text;
}

Bytes CompressedBy(const std::string& command, const std::string& text) {
  const TempDir dir;
  const std::string file = dir.path() + "/text";
  FILE* const stream = fopen(file.c_str(), "w");
  fwrite(text.data(), 1, text.size(), stream);
  fclose(stream);
  return Shell(command + " < text", dir.path());
}

Bytes Gzip(const std::string& text) { return CompressedBy("gzip -n", text); }
Bytes Zstd(const std::string& text) { return CompressedBy("zstd -q --check", text); }
Bytes Bzip2(const std::string& text) { return CompressedBy("bzip2", text); }
Bytes Xz(const std::string& text) { return CompressedBy("xz", text); }

Bytes SkippableFrame() {
  return Join({ToBytes(std::string_view("\x5a\x2a\x4d\x18\x03\x00\x00\x00", 8)), ToBytes("abc")});
}

// A gzip member with FTEXT, FHCRC, FEXTRA, FNAME and FCOMMENT set.
Bytes GzipWithEveryHeaderField(const std::string& text) {
  const Bytes plain = Gzip(text);
  Bytes member = ToBytes(std::string_view("\x1f\x8b\x08\x1f\0\0\0\0\0\xff\x05\0extraname\0comment\0", 30));
  const std::uint32_t crc = crc32_gzip_refl(0, reinterpret_cast<const std::uint8_t*>(member.data()), member.size());
  ByteWriter(member).Fixed(static_cast<std::uint16_t>(crc & 0xffff));
  ByteWriter(member).Raw(ByteSpan(plain).subspan(10));
  return member;
}

TEST(DecompressorTest, AStreamOfNoKnownFormatPassesUnchanged) {
  const std::string text = Numbers(100'000);
  EXPECT_EQ(*Decompressed(AsBytes(text)), text);
  EXPECT_EQ(*Decompressed(AsBytes("\x1f")), "\x1f");
  EXPECT_EQ(*Decompressed({}), "");
}

TEST(DecompressorTest, EveryFormatDecompressesHoweverReadsAreCut) {
  const std::string text = Numbers(60'000);
  for (const Bytes& compressed : {Gzip(text), Zstd(text), Bzip2(text), Xz(text)}) {
    for (const Cut cut : {Cut{1, 1 << 20}, Cut{7, 4096}, Cut{65536, 65536}, Cut{1 << 20, 1}, Cut{1 << 20, 100'001}}) {
      const auto output = Decompressed(compressed, {}, cut);
      ASSERT_TRUE(output.ok()) << output.error().message();
      EXPECT_TRUE(*output == text) << cut.input_bytes << " " << cut.output_bytes;
    }
  }
}

TEST(DecompressorTest, ManyGzipMembersAreOneStream) {
  std::vector<Bytes> members;
  std::string text;
  for (std::uint64_t i = 0; i < 40; ++i) {
    members.push_back(Gzip(Numbers(i * 10)));
    text += Numbers(i * 10);
  }
  for (const std::size_t input_bytes : {1, 13, 1 << 18}) {
    EXPECT_EQ(*Decompressed(Join(members), {}, {.input_bytes = input_bytes}), text);
  }
}

TEST(DecompressorTest, ManyZstdFramesAreOneStreamAndSkippableOnesAreEmpty) {
  const Bytes stream =
      Join({SkippableFrame(), Zstd("first "), SkippableFrame(), Zstd(""), Zstd("second"), SkippableFrame()});
  for (const std::size_t input_bytes : {1, 13, 1 << 18}) {
    EXPECT_EQ(*Decompressed(stream, {}, {.input_bytes = input_bytes}), "first second");
  }
}

TEST(DecompressorTest, ManyBzip2OrXzStreamsAreOneStream) {
  for (const Bytes& stream :
       {Join({Bzip2("first "), Bzip2(""), Bzip2("second")}), Join({Xz("first "), Xz(""), Xz("second")})}) {
    for (const std::size_t input_bytes : {1, 13, 1 << 18}) {
      EXPECT_EQ(*Decompressed(stream, {}, {.input_bytes = input_bytes}), "first second");
    }
  }
}

TEST(DecompressorTest, APlainTarWhoseFirstNameLooksLikeBzip2PassesUnchanged) {
  const std::string name = "BZh9-is-how-this-file-is-called";
  EXPECT_EQ(*Decompressed(AsBytes(name)), name);
}

TEST(DecompressorTest, EveryOptionalFieldOfAGzipHeaderIsSkipped) {
  const Bytes member = GzipWithEveryHeaderField("text");
  for (const std::size_t input_bytes : {1, 2, 1 << 18}) {
    const auto output = Decompressed(Join({member, member}), {}, {.input_bytes = input_bytes});
    ASSERT_TRUE(output.ok()) << output.error().message();
    EXPECT_EQ(*output, "texttext");
  }
}

TEST(DecompressorTest, AWrongChecksumOfAGzipHeaderIsAnError) {
  Bytes member = GzipWithEveryHeaderField("text");
  member[20] ^= std::byte{1};
  EXPECT_EQ(Decompressed(member).error().code(), Code::kDataLoss);
}

TEST(DecompressorTest, ZerosBehindTheDataArePadding) {
  for (const Bytes& compressed : {Gzip("text"), Zstd("text"), Bzip2("text"), Xz("text")}) {
    EXPECT_EQ(*Decompressed(Join({compressed, Bytes(600'000)})), "text");
  }
}

TEST(DecompressorTest, GarbageBehindTheDataIsAnErrorThatSaysWhere) {
  for (const Bytes& compressed : {Gzip("text"), Zstd("text"), Bzip2("text"), Xz("text")}) {
    const auto output = Decompressed(Join({compressed, Bytes(300'000), ToBytes("x")}));
    EXPECT_EQ(output.error().code(), Code::kDataLoss);
    EXPECT_THAT(output.error().message(), HasSubstr(fmt::format("at byte {}", compressed.size() + 300'000)));
  }
}

TEST(DecompressorTest, EveryTruncationIsAnErrorThatSaysSo) {
  for (const Bytes& compressed : {Gzip(Numbers(300)), Zstd(Numbers(300)), GzipWithEveryHeaderField("text"),
                                  Bzip2(Numbers(300)), Xz(Numbers(300))}) {
    for (std::size_t size = kMagicBytes; size < compressed.size(); ++size) {
      const auto output = Decompressed(ByteSpan(compressed).first(size), {}, {.output_bytes = 4096});
      ASSERT_FALSE(output.ok()) << size << " of " << compressed.size() << " bytes";
      EXPECT_EQ(output.error().code(), Code::kDataLoss);
      EXPECT_THAT(output.error().message(), HasSubstr("truncated"));
    }
  }
}

TEST(DecompressorTest, NoFlippedBitOfTheDataGivesWrongBytes) {
  constexpr std::size_t kGzipHeaderBytes = 10;
  const std::string text = Numbers(100);
  for (const Bytes& compressed : {Gzip(text), Zstd(text), Bzip2(text), Xz(text)}) {
    for (std::size_t bit = kGzipHeaderBytes * 8; bit < compressed.size() * 8; ++bit) {
      Bytes flipped = compressed;
      flipped[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
      const auto output = Decompressed(flipped, {}, {.output_bytes = 4096});
      // The last byte of deflate data may have unused bits.
      EXPECT_TRUE(!output.ok() || *output == text) << "bit " << bit;
    }
  }
}

TEST(DecompressorTest, AFlippedBitOfTheCrcIsDataLoss) {
  Bytes compressed = Gzip("text");
  compressed[compressed.size() - 8] ^= std::byte{1};
  const auto output = Decompressed(compressed);
  EXPECT_EQ(output.error().code(), Code::kDataLoss);
  EXPECT_THAT(output.error().message(), HasSubstr("CRC32"));
}

TEST(DecompressorTest, OutputAboveTheLimitIsRefusedByName) {
  const std::string text = Numbers(10'000);
  for (const Bytes& stream : {ToBytes(text), Gzip(text), Zstd(text), Bzip2(text), Xz(text)}) {
    const auto output = Decompressed(stream, {.max_output_bytes = text.size() - 1}, {.output_bytes = 1000});
    EXPECT_EQ(output.error().code(), Code::kResourceExhausted);
    EXPECT_THAT(output.error().message(), HasSubstr(fmt::format("limit of {} bytes", text.size() - 1)));
    EXPECT_EQ(*Decompressed(stream, {.max_output_bytes = text.size()}), text);
  }
}

TEST(DecompressorTest, ABombStopsAtTheRatio) {
  const std::string zeros(64 << 20, '\0');
  for (const Bytes& bomb : {Zstd(zeros), Bzip2(zeros), Xz(zeros)}) {
    const auto output = Decompressed(bomb);
    ASSERT_FALSE(output.ok());
    EXPECT_EQ(output.error().code(), Code::kResourceExhausted);
    EXPECT_THAT(output.error().message(), HasSubstr("limit of 1100 to 1"));
  }
}

TEST(DecompressorTest, ALargeFileOfZerosInGzipIsNoBomb) {
  const auto output = Decompressed(CompressedBy("gzip -9n", std::string(64 << 20, '\0')));
  ASSERT_TRUE(output.ok()) << output.error().message();
  EXPECT_EQ(output->size(), 64u << 20);
}

TEST(DecompressorTest, AZstdWindowAboveTheLimitIsRefusedByName) {
  // A frame of one raw byte that asks for a window of 256 MiB (RFC 8878, section 3.1.1).
  const auto output = Decompressed(AsBytes(std::string_view("\x28\xb5\x2f\xfd\x00\x90\x09\x00\x00x", 10)));
  EXPECT_EQ(output.error().code(), Code::kResourceExhausted);
  EXPECT_THAT(output.error().message(), HasSubstr("128 MiB"));
}

TEST(DecompressorTest, AnXzDictionaryAboveTheLimitIsRefusedByNameAndItsStrongestPresetIsNot) {
  const auto output = Decompressed(CompressedBy("xz --lzma2=preset=0,dict=128MiB", "text"));
  ASSERT_FALSE(output.ok());
  EXPECT_EQ(output.error().code(), Code::kResourceExhausted);
  EXPECT_THAT(output.error().message(), HasSubstr("limit of 80 MiB"));
  EXPECT_EQ(*Decompressed(CompressedBy("xz -9", "text")), "text");
}

TEST(DecompressorTest, AnErrorOfTheSourcePassesThrough) {
  class Failing : public ByteSource {
   public:
    Result<std::size_t> Read(std::span<std::byte>) override { return Error(Code::kUnavailable, "connection reset"); }
  };
  Failing source;
  Decompressor decompressor(source);
  Bytes piece(10);
  EXPECT_EQ(decompressor.Read(piece).error().code(), Code::kUnavailable);
}

}  // namespace
}  // namespace varve
