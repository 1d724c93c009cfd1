// Tars as GNU tar and Python write them, and by hand what neither writes any more.

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cached/ingest/pax.h"
#include "cached/ingest/tar_reader.h"
#include "tests/ingest/tar_support.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using Type = EntryType;

std::vector<ReadEntry> Entries(ByteSpan tar) {
  auto entries = ReadTar(tar);
  EXPECT_TRUE(entries.ok()) << entries.error().message();
  return *std::move(entries);
}

ReadEntry Only(ByteSpan tar) {
  auto entries = Entries(tar);
  EXPECT_EQ(entries.size(), 1u);
  return entries.at(0);
}

std::vector<std::string> PathsOf(ByteSpan tar) {
  std::vector<std::string> paths;
  for (const ReadEntry& read : Entries(tar)) paths.push_back(read.entry.path);
  return paths;
}

class TarDialectTest : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Formats, TarDialectTest, ::testing::Values("GNU", "PAX", "USTAR"));

TEST_P(TarDialectTest, EveryTypeAndFieldIsRead) {
  const auto entries =
      Entries(PythonTar(GetParam(),
                        "add('dir', type=tarfile.DIRTYPE, mode=0o1777, mtime=1)\n"
                        "add('dir/file', b'content', mode=0o4755, uid=1000, gid=2000, mtime=1700000000)\n"
                        "add('hard', type=tarfile.LNKTYPE, linkname='dir/file')\n"
                        "add('soft', type=tarfile.SYMTYPE, linkname='../x')\n"
                        "add('char', type=tarfile.CHRTYPE, devmajor=1, devminor=3)\n"
                        "add('block', type=tarfile.BLKTYPE, devmajor=259, devminor=70000)\n"
                        "add('fifo', type=tarfile.FIFOTYPE)\n"
                        "add('cont', b'contiguous', type=tarfile.CONTTYPE)"));
  ASSERT_EQ(entries.size(), 8u);
  EXPECT_EQ(entries[0].entry.type, Type::kDirectory);
  EXPECT_EQ(entries[0].entry.mode, 01777u);
  const Entry& file = entries[1].entry;
  EXPECT_EQ(file.type, Type::kFile);
  EXPECT_EQ(file.path, "dir/file");
  EXPECT_EQ(file.mode, 04755u);
  EXPECT_EQ(file.uid, 1000u);
  EXPECT_EQ(file.gid, 2000u);
  EXPECT_EQ(file.mtime_seconds, 1700000000);
  EXPECT_EQ(file.size_bytes, 7u);
  EXPECT_EQ(entries[1].content, "content");
  EXPECT_EQ(entries[2].entry.type, Type::kHardLink);
  EXPECT_EQ(entries[2].entry.link_target, "dir/file");
  EXPECT_EQ(entries[3].entry.type, Type::kSymlink);
  EXPECT_EQ(entries[3].entry.link_target, "../x");
  EXPECT_EQ(entries[4].entry.type, Type::kCharDevice);
  EXPECT_EQ(entries[4].entry.device_minor, 3u);
  EXPECT_EQ(entries[5].entry.type, Type::kBlockDevice);
  EXPECT_EQ(entries[5].entry.device_major, 259u);
  EXPECT_EQ(entries[5].entry.device_minor, 70000u);
  EXPECT_EQ(entries[6].entry.type, Type::kFifo);
  EXPECT_EQ(entries[7].entry.type, Type::kFile);
  EXPECT_EQ(entries[7].content, "contiguous");
}

TEST_P(TarDialectTest, ContentOfEverySizeAroundABlockIsRead) {
  const auto entries = Entries(PythonTar(GetParam(), "for n in (0, 1, 511, 512, 513, 300000): add(str(n), b'x' * n)"));
  ASSERT_EQ(entries.size(), 6u);
  for (const ReadEntry& read : entries) EXPECT_EQ(read.content, std::string(std::stoul(read.entry.path), 'x'));
}

TEST(TarDialectsTest, LongNamesAreReadFromGnuPaxAndThePrefix) {
  const std::string name(200, 'n');
  const std::string directory(150, 'd');
  for (const std::string_view format : {"GNU", "PAX"}) {
    const auto entries = Entries(
        PythonTar(format, fmt::format("add('{0}')\nadd('s', type=tarfile.SYMTYPE, linkname='{0}')\nadd('t')", name)));
    EXPECT_EQ(entries.at(0).entry.path, name);
    EXPECT_EQ(entries.at(1).entry.path, "s");
    EXPECT_EQ(entries.at(1).entry.link_target, name);
    EXPECT_EQ(entries.at(2).entry.path, "t");
  }
  EXPECT_THAT(PathsOf(PythonTar("USTAR", fmt::format("add('{}/f')", directory))), ElementsAre(directory + "/f"));
}

TEST(TarDialectsTest, NumbersTooLargeForOctalAndNegativeTimesAreRead) {
  for (const std::string_view format : {"GNU", "PAX"}) {
    const Entry entry = Only(PythonTar(format, "add('f', uid=4294967294, gid=2097152, mtime=-86400)")).entry;
    EXPECT_EQ(entry.uid, 4294967294u);
    EXPECT_EQ(entry.gid, 2097152u);
    EXPECT_EQ(entry.mtime_seconds, -86400);
    EXPECT_EQ(entry.mtime_nanoseconds, 0u);
  }
}

TEST(TarDialectsTest, PaxTimesKeepNanosecondsOnBothSidesOf1970) {
  EXPECT_EQ(*ParsePaxTime("1700000000.123456789"), (TarTime{1700000000, 123456789}));
  EXPECT_EQ(*ParsePaxTime("12"), (TarTime{12, 0}));
  EXPECT_EQ(*ParsePaxTime("12."), (TarTime{12, 0}));
  EXPECT_EQ(*ParsePaxTime("0.5000000009"), (TarTime{0, 500000000}));
  EXPECT_EQ(*ParsePaxTime("-0.25"), (TarTime{-1, 750000000}));
  EXPECT_EQ(*ParsePaxTime("-12.0"), (TarTime{-12, 0}));
}

TEST(TarDialectsTest, XattrsOfGnuTarAreRead) {
  const TempDir dir;
  const Entry entry = Only(Shell("echo x > f; setfattr -n user.text -v value f; setfattr -n user.raw -v 0x000aff f;"
                                 "setfattr -n user.empty f; tar --xattrs -cf - f",
                                 dir.path()))
                          .entry;
  EXPECT_THAT(entry.xattrs, ElementsAre(Pair("user.empty", ""), Pair("user.raw", std::string("\0\n\xff", 3)),
                                        Pair("user.text", "value")));
}

TEST(TarDialectsTest, XattrsOfBsdtarAreDecoded) {
  const std::string records =
      PaxRecord("LIBARCHIVE.xattr.user.a%3Db", "dmFsdWU") + PaxRecord("LIBARCHIVE.xattr.user.c", "/w==");
  const Entry entry = Only(Join({PaxHeader(records), HeaderBlock("f").bytes(), EndBlocks()})).entry;
  EXPECT_THAT(entry.xattrs, ElementsAre(Pair("user.a=b", "value"), Pair("user.c", "\xff")));
}

TEST(TarDialectsTest, EveryPaxKeyOverridesItsHeaderField) {
  const std::string records = PaxRecord("path", "long") + PaxRecord("size", "3") + PaxRecord("uid", "5") +
                              PaxRecord("gid", "6") + PaxRecord("mtime", "7.5") + PaxRecord("comment", "a\nb=c");
  const ReadEntry read = Only(Join({PaxHeader(records), HeaderBlock("short").bytes(), Padded("abc"), EndBlocks()}));
  EXPECT_EQ(read.entry.path, "long");
  EXPECT_EQ(read.content, "abc");
  EXPECT_EQ(read.entry.uid, 5u);
  EXPECT_EQ(read.entry.gid, 6u);
  EXPECT_EQ(read.entry.mtime_seconds, 7);
  EXPECT_EQ(read.entry.mtime_nanoseconds, 500000000u);
}

TEST(TarDialectsTest, OfAPaxKeyThatIsThereTwiceTheLastCountsAndAnEmptyOneGivesTheHeaderBack) {
  const auto path = [](const std::string& records) {
    return Only(Join({PaxHeader(records), HeaderBlock("header").bytes(), EndBlocks()})).entry.path;
  };
  EXPECT_EQ(path(PaxRecord("path", "a") + PaxRecord("path", "b")), "b");
  EXPECT_EQ(path(PaxRecord("path", "a") + PaxRecord("path", "")), "header");
}

TEST(TarDialectsTest, APaxHeaderIsAboutTheNextEntryOnly) {
  EXPECT_THAT(PathsOf(Join({PaxHeader(PaxRecord("path", "a")), HeaderBlock("b").bytes(), HeaderBlock("c").bytes(),
                            EndBlocks()})),
              ElementsAre("a", "c"));
}

// Go's archive/tar, and with it docker and containerd, ignores them; so must we to see the same tree.
TEST(TarDialectsTest, GlobalPaxHeadersAreReadOver) {
  const Entry entry = Only(Join({PaxHeader(PaxRecord("uid", "7") + PaxRecord("path", "g"), 'g'),
                                 HeaderBlock("f").bytes(), EndBlocks()}))
                          .entry;
  EXPECT_EQ(entry.path, "f");
  EXPECT_EQ(entry.uid, 0u);
}

TEST(TarDialectsTest, AGnuLongNameWinsOverAPaxPath) {
  EXPECT_THAT(PathsOf(Join({PaxHeader(PaxRecord("path", "pax")), HeaderBlock("l", 'L').Size(4).bytes(), Padded("gnu"),
                            HeaderBlock("header").bytes(), EndBlocks()})),
              ElementsAre("gnu"));
}

TEST(TarDialectsTest, NamesThatAreNoUtf8AreKeptAsBytes) {
  const TempDir dir;
  EXPECT_THAT(PathsOf(Shell("touch \"$(printf 'a\\377\\001')\"; tar -cf - *", dir.path())), ElementsAre("a\xff\x01"));
  EXPECT_THAT(PathsOf(Join({PaxHeader(PaxRecord("path", "p\xff")), HeaderBlock("h").bytes(), EndBlocks()})),
              ElementsAre("p\xff"));
}

TEST(TarDialectsTest, AV7TarHasNoPrefixAndItsDirectoriesEndInASlash) {
  const TempDir dir;
  const auto entries = Entries(Shell("mkdir d; echo hello > d/f; ln -s f d/l; tar --format=v7 -cf - d", dir.path()));
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].entry.type, Type::kDirectory);
  EXPECT_EQ(entries[0].entry.path, "d/");
  const Bytes v7 = HeaderBlock("name", '\0').Set(257, std::string(8, '\0')).Set(345, "prefix").bytes();
  EXPECT_EQ(Only(Join({v7, EndBlocks()})).entry.path, "name");
  EXPECT_EQ(Only(Join({v7, EndBlocks()})).entry.type, Type::kFile);
}

TEST(TarDialectsTest, AFileWhoseNameEndsInASlashIsADirectory) {
  EXPECT_EQ(Only(Join({HeaderBlock("d/", '\0').Set(257, std::string(8, '\0')).bytes(), EndBlocks()})).entry.type,
            Type::kDirectory);
  EXPECT_EQ(Only(Join({HeaderBlock("d/", '0').bytes(), EndBlocks()})).entry.type, Type::kDirectory);
}

TEST(TarDialectsTest, OfALinkOrDirectoryTheSizeFieldMeansNoContent) {
  EXPECT_THAT(
      PathsOf(Join({HeaderBlock("d", '5').Size(512).bytes(), HeaderBlock("l", '1').Size(9).Set(157, "f").bytes(),
                    HeaderBlock("f").bytes(), EndBlocks()})),
      ElementsAre("d", "l", "f"));
}

TEST(TarDialectsTest, GnuMagicMeansNoPrefix) {
  EXPECT_THAT(PathsOf(Join({HeaderBlock("f").Set(257, "ustar  ").Set(345, "14000000000").bytes(), EndBlocks()})),
              ElementsAre("f"));
}

TEST(TarDialectsTest, AStarHeaderHasAShorterPrefix) {
  const Bytes star = HeaderBlock("f").Set(345, std::string(131, 'p')).Set(476, "14000000000").Set(508, "tar").bytes();
  EXPECT_THAT(PathsOf(Join({star, EndBlocks()})), ElementsAre(std::string(131, 'p') + "/f"));
}

TEST(TarDialectsTest, AChecksumOfSignedBytesIsAccepted) {
  // 0xff counts 255 in the one sum and -1 in the other.
  HeaderBlock block("\xff\xff");
  const Bytes unsigned_sum = block.bytes();
  const std::int64_t sum = *ParseTarNumber(ByteSpan(unsigned_sum).subspan(148, 8));
  const std::string text = fmt::format("{:06o}", sum - 2 * 256);
  for (std::size_t i = 0; i < text.size(); ++i) block.Break(148 + i, text[i]);
  EXPECT_THAT(PathsOf(Join({block.bytes(), EndBlocks()})), ElementsAre("\xff\xff"));
}

TEST(TarDialectsTest, TheArchiveEndsWithTwoOneOrNoZeroBlocksAndBytesBehindThemAreKept) {
  const Bytes file = Join({HeaderBlock("f").Size(1).bytes(), Padded("x")});
  for (const Bytes& tail :
       {EndBlocks(), Bytes(512), Bytes(), Bytes(10240), Join({EndBlocks(), ToBytes("behind the end")}),
        Join({EndBlocks(), HeaderBlock("unseen").bytes()})}) {
    EXPECT_THAT(PathsOf(Join({file, tail})), ElementsAre("f"));
  }
  EXPECT_THAT(PathsOf({}), ElementsAre());
}

TEST(TarDialectsTest, ContentThatIsNotReadIsALiteral) {
  const Bytes tar = PythonTar("GNU", "add('a', b'x' * 1000)\nadd('b', b'y' * 400000)");
  MemorySource source(tar);
  Bytes seen;
  TarReader reader(source, {}, [&seen](ByteSpan literal) { seen.insert(seen.end(), literal.begin(), literal.end()); });
  while (true) {
    const auto entry = reader.Next();
    ASSERT_TRUE(entry.ok());
    if (!*entry) break;
  }
  ASSERT_TRUE(reader.DrainTail().ok());
  EXPECT_EQ(seen, tar);
}

class SparseTest : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Formats, SparseTest,
                         ::testing::Values("--format=gnu", "--format=posix --sparse-version=0.0",
                                           "--format=posix --sparse-version=0.1",
                                           "--format=posix --sparse-version=1.0"));

std::string SparseTar(std::string_view make_file, std::string_view format) {
  return fmt::format("{}; tar -S --hole-detection=raw {} -cf - s", make_file, format);
}

TEST_P(SparseTest, HolesAreNotStoredAndTheFileIsWhole) {
  const TempDir dir;
  const ReadEntry read = Only(Shell(SparseTar("python3 -c 'f = open(\"s\", \"wb\")\n"
                                              "for i in range(70): f.seek(i * 5000); f.write(b\"%05d\" % i)\n"
                                              "f.truncate(1000000)'",
                                              GetParam()),
                                    dir.path()));
  EXPECT_EQ(read.entry.path, "s");
  EXPECT_EQ(read.entry.size_bytes, 1000000u);
  EXPECT_LT(read.content.size(), 100000u);
  EXPECT_GE(read.entry.segments.size(), 70u);
  const Bytes expected = Shell("cat s", dir.path());
  EXPECT_TRUE(Expanded(read) == AsText(expected));
}

TEST_P(SparseTest, AFileThatIsAllHoleHasOneEmptySegment) {
  const TempDir dir;
  const ReadEntry read = Only(Shell(SparseTar("truncate -s 3000000 s", GetParam()), dir.path()));
  EXPECT_EQ(read.entry.size_bytes, 3000000u);
  EXPECT_EQ(read.content, "");
  EXPECT_TRUE(read.entry.sparse);
  ASSERT_EQ(read.entry.segments.size(), 1u);
  EXPECT_EQ(read.entry.segments[0].offset, 3000000u);
  EXPECT_EQ(read.entry.segments[0].length, 0u);
}

}  // namespace
}  // namespace varve
