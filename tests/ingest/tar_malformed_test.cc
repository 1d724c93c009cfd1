// Tars that nobody should have written. Each is an error that names the entry and what is wrong with it.

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cached/ingest/pax.h"
#include "cached/ingest/tar_reader.h"
#include "tests/ingest/tar_support.h"

namespace varve {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Error ErrorOf(const std::vector<Bytes>& pieces, TarLimits limits = {}) {
  const auto entries = ReadTar(Join(pieces), limits);
  return entries.ok() ? Error(Code::kUnknown, "no error") : entries.error();
}

void ExpectRefused(const std::vector<Bytes>& pieces, Code code, std::string_view message, TarLimits limits = {}) {
  const Error error = ErrorOf(pieces, limits);
  EXPECT_EQ(error.code(), code) << error.message();
  EXPECT_THAT(error.message(), HasSubstr(std::string(message)));
}

Bytes Plain(std::string_view name) { return HeaderBlock(name).bytes(); }

TEST(TarMalformedTest, AWrongHeaderChecksumIsDataLossAtItsOffset) {
  const Error error = ErrorOf({Plain("a"), HeaderBlock("b").Break(0, 'c').bytes(), EndBlocks()});
  EXPECT_EQ(error.code(), Code::kDataLoss);
  EXPECT_EQ(error.message(), "tar entry at offset 512: the header checksum is wrong");
}

TEST(TarMalformedTest, AnErrorNamesTheEntryWithHostileBytesEscaped) {
  const Error error = ErrorOf({Plain("a"), HeaderBlock("b\x1b[31m", '2').bytes(), EndBlocks()});
  EXPECT_EQ(error.message(), R"(tar entry "b\x1b[31m" at offset 512: a link without a target)");
}

TEST(TarMalformedTest, ATarThatIsCutOffInsideAnythingIsTruncated) {
  const Bytes tar =
      Join({PaxHeader(PaxRecord("mtime", "1.5")), HeaderBlock("long", 'L').Size(600).bytes(),
            Padded(std::string(600, 'n')), HeaderBlock("file").Size(700).bytes(), Padded(std::string(700, 'c'))});
  const TarLimits limits{.component_bytes = 600};
  ASSERT_TRUE(ReadTar(tar, limits).ok());
  constexpr std::size_t kContentEnd = 512 * 5 + 512 + 700;
  for (std::size_t size = 1; size < kContentEnd; ++size) {
    const auto entries = ReadTar(ByteSpan(tar).first(size), limits);
    ASSERT_FALSE(entries.ok()) << size;
    EXPECT_THAT(entries.error().message(), ::testing::AnyOf(HasSubstr("truncated"), HasSubstr("without an entry")))
        << size;
  }
}

TEST(TarMalformedTest, PaddingThatIsMissingAtTheEndIsForgiven) {
  EXPECT_EQ(ReadTar(Join({HeaderBlock("file").Size(5).bytes(), ToBytes("hello")}))->at(0).content, "hello");
}

TEST(TarMalformedTest, AnExtendedHeaderWithoutAnEntryIsRefused) {
  ExpectRefused({PaxHeader(PaxRecord("path", "p")), EndBlocks()}, Code::kInvalidArgument, "without an entry");
}

TEST(TarMalformedTest, ALoneZeroBlockWithMoreBehindItIsRefused) {
  ExpectRefused({Plain("a"), Bytes(512), Plain("b"), EndBlocks()}, Code::kInvalidArgument, "lone zero block");
}

TEST(TarMalformedTest, NumbersThatAreNoneAreRefusedByField) {
  ExpectRefused({HeaderBlock("a").Set(100, "0000888").bytes()}, Code::kInvalidArgument, "mode: a numeric field");
  ExpectRefused({HeaderBlock("a").Set(124, "12 34567890").bytes()}, Code::kInvalidArgument, "size: a numeric field");
  ExpectRefused({HeaderBlock("a").Set(124, std::string(12, '\xff')).bytes()}, Code::kInvalidArgument, "negative size");
  ExpectRefused({HeaderBlock("a").Set(124, "\x80" + std::string(11, '\x7f')).bytes()}, Code::kInvalidArgument,
                "64 bits");
  ExpectRefused({HeaderBlock("a").Set(108, std::string(8, '\xff')).bytes()}, Code::kInvalidArgument, "uid -1");
}

TEST(TarMalformedTest, DeviceNumbersAboveThirtyTwoBitsAreRefused) {
  const std::string too_large = std::string("\x80\0\0\x01\0\0\0\0", 8);
  ExpectRefused({HeaderBlock("d", '3').Set(329, too_large).bytes()}, Code::kInvalidArgument, "device major 4294967296");
}

TEST(TarMalformedTest, TypesThatAreNoChangesetAreRefused) {
  for (const char type : {'V', 'M', 'D', 'N', '8', 'A'}) {
    ExpectRefused({HeaderBlock("a", type).bytes()}, Code::kInvalidArgument, "has no place in a layer");
  }
}

TEST(TarMalformedTest, AnEntryWithoutAPathIsRefused) { ExpectRefused({Plain("")}, Code::kInvalidArgument, "no path"); }

TEST(TarMalformedTest, EveryLimitIsNamedWhenItIsPassed) {
  const auto path = [](const std::string& p) { return PaxHeader(PaxRecord("path", p)); };
  std::string deep;
  while (deep.size() <= 4096) deep += "directory/";
  ExpectRefused({path(deep), Plain("a")}, Code::kResourceExhausted, "a path of 4100 bytes, above the limit of 4096");
  ExpectRefused({path("d/" + std::string(256, 'n')), Plain("a")}, Code::kResourceExhausted,
                "a name of 256 bytes, above the limit of 255");
  EXPECT_TRUE(ReadTar(Join({path("d/" + std::string(255, 'n') + "/x"), Plain("a")})).ok());
  ExpectRefused({PaxHeader(PaxRecord("linkpath", deep)), HeaderBlock("l", '2').bytes()}, Code::kResourceExhausted,
                "a link target of 4100 bytes");
  ExpectRefused({HeaderBlock("x", 'x').Size((1 << 20) + 1).bytes()}, Code::kResourceExhausted,
                "an extended header of 1048577");
  ExpectRefused({Plain("a"), Plain("b"), Plain("c")}, Code::kResourceExhausted, "more than 2 entries", {.entries = 2});
}

TEST(TarMalformedTest, XattrsAboveTheLimitsAreRefused) {
  const auto xattr = [](std::size_t i, std::size_t size) {
    return PaxRecord(fmt::format("SCHILY.xattr.user.{}", i), std::string(size, 'v'));
  };
  ExpectRefused({PaxHeader(xattr(1, 65537)), Plain("a")}, Code::kResourceExhausted, "xattr user.1 has 65537 bytes");
  std::string many;
  for (std::size_t i = 0; i < 17; ++i) many += xattr(i, 65000);
  ExpectRefused({PaxHeader(many), Plain("a")}, Code::kResourceExhausted, "bytes of xattrs, above the limit of 1048576",
                {.extension_bytes = 2 << 20});
  ExpectRefused({PaxHeader(PaxRecord("SCHILY.xattr.", "v")), Plain("a")}, Code::kInvalidArgument, "name is empty");
}

TEST(TarMalformedTest, PaxRecordsThatAreNoneAreRefused) {
  for (const std::string_view records : {"path=a\n", "x path=a\n", "3 \n", "99 path=a\n", "9 path=ab\n", "6 path\n",
                                         "5 =a\n", "-1 path=a\n", "18446744073709551616 a=b\n", "10 pa"}) {
    ExpectRefused({PaxHeader(records), Plain("a")}, Code::kInvalidArgument, "PAX header");
  }
  ExpectRefused({PaxHeader(PaxRecord("path", std::string_view("a\0b", 3))), Plain("a")}, Code::kInvalidArgument, "NUL");
  ExpectRefused({PaxHeader(PaxRecord("uid", "12x")), Plain("a")}, Code::kInvalidArgument,
                "uid: PAX header: not a decimal");
  ExpectRefused({PaxHeader(PaxRecord("size", "-1")), Plain("a")}, Code::kInvalidArgument,
                "size: PAX header: not a decimal");
  ExpectRefused({PaxHeader(PaxRecord("LIBARCHIVE.xattr.user.k", "!!")), Plain("a")}, Code::kInvalidArgument, "base64");
}

TEST(TarMalformedTest, PaxTimesThatAreNoneAreRefused) {
  for (const std::string_view time : {"", ".", "-", "--1", "1.-2", "1e3", "1.2.3", "+1", "9223372036854775808"}) {
    EXPECT_FALSE(ParsePaxTime(time).ok()) << time;
  }
}

TEST(TarMalformedTest, SparseMapsThatLeadOutOfTheFileOrOverlapAreRefused) {
  const auto sparse = [](std::string_view map, std::string_view size) {
    return std::vector<Bytes>{PaxHeader(PaxRecord("GNU.sparse.map", map) + PaxRecord("GNU.sparse.size", size)),
                              HeaderBlock("s").Size(8).bytes(), Padded("headtail"), EndBlocks()};
  };
  EXPECT_TRUE(ReadTar(Join(sparse("0,4,96,4", "100"))).ok());
  ExpectRefused(sparse("0,4,97,4", "100"), Code::kInvalidArgument, "leads out of a file of 100");
  ExpectRefused(sparse("0,4,3,4", "100"), Code::kInvalidArgument, "begins inside the one before it");
  ExpectRefused(sparse("50,4,0,4", "100"), Code::kInvalidArgument, "begins inside the one before it");
  ExpectRefused(sparse("0,4,18446744073709551615,4", "100"), Code::kInvalidArgument, "leads out");
  ExpectRefused(sparse("0,18446744073709551615", "100"), Code::kInvalidArgument, "leads out");
  ExpectRefused(sparse("0,4", "100"), Code::kInvalidArgument, "segments of 4 bytes, but 8 are stored");
  ExpectRefused(sparse("0,4,5", "100"), Code::kInvalidArgument, "sparse map");
  ExpectRefused(sparse("0,4,96,4", "9223372036854775808"), Code::kInvalidArgument, "above 8 EiB");
}

TEST(TarMalformedTest, SparseMapsAboveTheLimitAreRefusedInEveryFormat) {
  const TarLimits limits{.sparse_segments = 1};
  const std::string version = PaxRecord("GNU.sparse.major", "1") + PaxRecord("GNU.sparse.minor", "0");
  const auto segments = [](int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += PaxRecord("GNU.sparse.offset", "1") + PaxRecord("GNU.sparse.numbytes", "0");
    return text;
  };
  ExpectRefused({PaxHeader(PaxRecord("GNU.sparse.map", "0,0,1,0")), Plain("s")}, Code::kResourceExhausted, "segments",
                limits);
  ExpectRefused({PaxHeader(segments(2)), Plain("s")}, Code::kResourceExhausted, "segments", limits);
  ExpectRefused({PaxHeader(version), HeaderBlock("s").Size(512).bytes(), Padded("2\n0\n0\n1\n0\n")},
                Code::kResourceExhausted, "segments", limits);
  const HeaderBlock gnu = HeaderBlock("s", 'S')
                              .Set(257, "ustar  ")
                              .Set(386,
                                   "00000000000\0"
                                   "00000000000\0"
                                   "00000000001\0"
                                   "00000000000");
  HeaderBlock two = gnu;
  two.Set(386 + 24, "00000000001");
  ExpectRefused({two.bytes()}, Code::kResourceExhausted, "segments", limits);
}

TEST(TarMalformedTest, AStoredSparseMapThatIsNoneIsRefused) {
  const std::string version = PaxRecord("GNU.sparse.major", "1") + PaxRecord("GNU.sparse.minor", "0");
  const auto stored = [&](std::string_view map, std::uint64_t size) {
    return std::vector<Bytes>{PaxHeader(version), HeaderBlock("s").Size(size).bytes(), Padded(map), EndBlocks()};
  };
  ExpectRefused(stored("1\n0\n", 512), Code::kInvalidArgument, "more than 20 digits");
  ExpectRefused(stored("1\n0\n", 100), Code::kInvalidArgument, "leads out of the content");
  ExpectRefused(stored("1\n0\nx\n", 512), Code::kInvalidArgument, "not a decimal number");
  ExpectRefused({PaxHeader(PaxRecord("GNU.sparse.major", "2")), Plain("s")}, Code::kInvalidArgument,
                "sparse format \"2.\"");
}

TEST(TarMalformedTest, AnOldGnuSparseMapThatNeverEndsIsRefused) {
  const Bytes header = HeaderBlock("s", 'S').Set(257, "ustar  ").Set(482, "1").bytes();
  Bytes extension(512);
  extension[504] = std::byte{1};
  ExpectRefused({header, extension, extension}, Code::kInvalidArgument, "empty extension block");
  ExpectRefused({header}, Code::kDataLoss, "truncated: the tar ends inside a sparse map");
  ExpectRefused({HeaderBlock("s", 'S').bytes()}, Code::kInvalidArgument, "without GNU magic");
}

}  // namespace
}  // namespace varve
