#include "cached/base/bytes.h"

#include <gtest/gtest.h>

#include <limits>

namespace varve {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

Bytes Varint(std::uint64_t value) {
  Bytes bytes;
  ByteWriter(bytes).Varint(value);
  return bytes;
}

TEST(BytesTest, IntegersAreLittleEndian) {
  Bytes bytes;
  ByteWriter(bytes).Fixed<std::uint32_t>(0x01020304);
  EXPECT_EQ(ToHex(bytes), "04030201");
}

TEST(BytesTest, WhatIsWrittenIsRead) {
  Bytes bytes;
  ByteWriter writer(bytes);
  writer.Fixed<std::uint16_t>(65535);
  writer.Varint(300);
  writer.Raw(AsBytes("end"));
  ByteReader reader(bytes);
  EXPECT_EQ(*reader.Fixed<std::uint16_t>(), 65535);
  EXPECT_EQ(*reader.Varint(), 300u);
  EXPECT_EQ(AsText(*reader.Raw(3)), "end");
  EXPECT_EQ(reader.remaining(), 0u);
}

TEST(BytesTest, VarintsKeepTheirValueAtEveryLength) {
  for (const std::uint64_t value :
       {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128}, std::uint64_t{1} << 35, kMax}) {
    const Bytes bytes = Varint(value);
    EXPECT_EQ(*ByteReader(bytes).Varint(), value);
  }
  EXPECT_EQ(Varint(127).size(), 1u);
  EXPECT_EQ(Varint(kMax).size(), 10u);
}

TEST(BytesTest, AVarintBeyond64BitsIsDataLoss) {
  const Bytes bytes = *FromHex("ffffffffffffffffff02");
  EXPECT_EQ(ByteReader(bytes).Varint().error().code(), Code::kDataLoss);
}

TEST(BytesTest, AVarintThatNeverEndsIsDataLoss) {
  const Bytes bytes(20, std::byte{0x80});
  EXPECT_EQ(ByteReader(bytes).Varint().error().code(), Code::kDataLoss);
}

TEST(BytesTest, ReadingPastTheEndIsDataLossAndConsumesNothing) {
  const Bytes bytes = *FromHex("0102");
  ByteReader reader(bytes);
  EXPECT_EQ(reader.Fixed<std::uint32_t>().error().code(), Code::kDataLoss);
  EXPECT_EQ(reader.Raw(std::numeric_limits<std::size_t>::max()).error().code(), Code::kDataLoss);
  EXPECT_EQ(*reader.Fixed<std::uint16_t>(), 0x0201);
}

TEST(BytesTest, ACutVarintIsDataLoss) {
  const Bytes bytes = *FromHex("8080");
  EXPECT_EQ(ByteReader(bytes).Varint().error().code(), Code::kDataLoss);
}

TEST(BytesTest, HexGoesThereAndBack) {
  EXPECT_EQ(ToHex(AsBytes("\x01\xfe")), "01fe");
  EXPECT_EQ(ToHex(*FromHex("01FE")), "01fe");
}

TEST(BytesTest, OtherTextIsNotHex) {
  EXPECT_EQ(FromHex("abc").error().code(), Code::kInvalidArgument);
  EXPECT_EQ(FromHex("0g").error().code(), Code::kInvalidArgument);
  EXPECT_EQ(FromHex(" 1").error().code(), Code::kInvalidArgument);
}

TEST(BytesTest, Base64IsPaddedAndReadWithOrWithout) {
  // RFC 4648, section 10.
  for (const auto& [bytes, text] :
       {std::pair("", ""), std::pair("f", "Zg=="), std::pair("fo", "Zm8="), std::pair("foo", "Zm9v"),
        std::pair("foob", "Zm9vYg=="), std::pair("\xff\xfe", "//4=")}) {
    EXPECT_EQ(ToBase64(bytes), text);
    EXPECT_EQ(FromBase64(text).value(), bytes);
  }
  EXPECT_EQ(FromBase64("Zg").value(), "f");
  EXPECT_EQ(FromBase64("Zm\r\n9v\n").value(), "foo");
  EXPECT_EQ(FromBase64("Zm 9v").error().code(), Code::kInvalidArgument);
  EXPECT_EQ(FromBase64("Zg==Zg").error().code(), Code::kInvalidArgument);
}

TEST(BytesTest, SizesAreWrittenAsDockerWritesThem) {
  EXPECT_EQ(HumanSize(0), "0 B");
  EXPECT_EQ(HumanSize(999), "999 B");
  EXPECT_EQ(HumanSize(1000), "1 kB");
  EXPECT_EQ(HumanSize(117'034'512), "117 MB");
  EXPECT_EQ(HumanSize(1'234'500'000), "1.234 GB");
}

}  // namespace
}  // namespace varve
