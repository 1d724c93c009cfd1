#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <random>

#include "cached/base/log.h"
#include "tests/fuse/served.h"
#include "tests/support/temp_dir.h"

// What damage of a node's files does: an error that names the file, or EIO and a line that names what cannot be read;
// never bytes that are not the image's.
namespace varve {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr std::size_t kChunkBytes = 20'000;  // more than fits a group
constexpr std::size_t kLocatorHeaderBytes = 64;

// What is logged while it lives.
class CapturedLog {
 public:
  explicit CapturedLog(std::string path) : path_(std::move(path)) { VARVE_CHECK(LogToFile(path_).ok()); }
  ~CapturedLog() { VARVE_CHECK(LogToFile("/dev/stderr").ok()); }

  std::vector<std::string> Lines() const {
    std::ifstream in(path_);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }

 private:
  const std::string path_;
};

class FaultTest : public testing::Test {
 protected:
  FaultTest() {
    for (std::size_t i = 0; i < content_.size(); ++i) content_[i] = static_cast<char>(i * i >> 9);
    layer_ = TinyStore::Layer(store_).File("usr/lib/f", content_).Publish();
    image_ = store_.AddImage({layer_});
    layer_index_ = store_.paths().layer_index(layer_.hex());
    image_index_ = store_.paths().image_index(image_.hex());
    locators_ = store_.paths().locators(layer_.hex());
  }

  static Bytes ReadBytes(const std::string& path) { return ReadWholeFile(Fs::Real(), path, 1 << 20).value(); }
  // Into a new file: the old one is mapped.
  static void WriteBytes(const std::string& path, ByteSpan bytes) {
    ::unlink(path.c_str());
    VARVE_CHECK(Fs::Real().Open(path, OpenMode::kCreateNew).value()->WriteAt(0, bytes).ok());
  }
  // The error of mounting the image; empty if there is none.
  std::string MountError() {
    ImageRegistry images(store_.paths(), store_);
    const auto added = images.Add(image_);
    return added.ok() ? std::string() : added.error().message();
  }
  // Mounting is refused, by name, for each of `versions` of the file at `path`, which is then put right.
  void ExpectRefused(const std::string& path, const std::vector<Bytes>& versions) {
    const Bytes right = ReadBytes(path);
    for (std::size_t i = 0; i < versions.size(); ++i) {
      WriteBytes(path, versions[i]);
      EXPECT_THAT(MountError(), AllOf(HasSubstr(image_.hex()), HasSubstr(path))) << "version " << i;
    }
    WriteBytes(path, right);
    EXPECT_EQ(MountError(), "");
  }
  static std::vector<Bytes> Cut(const Bytes& right) {
    std::vector<Bytes> cut;
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{65},
                                   right.size() / 2, right.size() - 1}) {
      cut.emplace_back(right.begin(), right.begin() + static_cast<std::ptrdiff_t>(size));
    }
    return cut;
  }
  static std::vector<Bytes> Flipped(const Bytes& right, std::size_t size) {
    std::vector<Bytes> flipped;
    for (std::size_t i = 0; i < size; ++i) {
      flipped.push_back(right);
      flipped.back()[i] ^= std::byte{0x10};
    }
    return flipped;
  }

  TempDir directory_;
  TinyStore store_{directory_.path(), kChunkBytes};
  std::string content_ = std::string(2 * kChunkBytes + 700, '\0');  // the last chunk is in a group
  Digest layer_;
  ChainId image_;
  std::string layer_index_, image_index_, locators_;
};

TEST_F(FaultTest, AnIndexThatWasCutIsRefusedByName) {
  for (const std::string& path : {layer_index_, image_index_}) ExpectRefused(path, Cut(ReadBytes(path)));
}

TEST_F(FaultTest, AnIndexWithAFlippedByteIsRefusedByName) {
  for (const std::string& path : {layer_index_, image_index_}) {
    const Bytes right = ReadBytes(path);
    ExpectRefused(path, Flipped(right, right.size()));
  }
}

TEST_F(FaultTest, ALocatorTableThatWasCutOrWhoseHeaderIsDamagedIsRefusedByName) {
  const Bytes right = ReadBytes(locators_);
  ExpectRefused(locators_, Cut(right));
  ExpectRefused(locators_, Flipped(right, kLocatorHeaderBytes));
}

TEST_F(FaultTest, AFileThatIsMissingIsNamed) {
  for (const std::string& path : {layer_index_, image_index_, locators_}) {
    const Bytes right = ReadBytes(path);
    ASSERT_EQ(::unlink(path.c_str()), 0);
    EXPECT_THAT(MountError(), HasSubstr(path));
    WriteBytes(path, right);
  }
}

TEST_F(FaultTest, AnIndexOfAnotherImageIsRefusedByName) {
  const ChainId other = store_.AddImage({TinyStore::Layer(store_).File("a", "x").Publish()});
  WriteBytes(image_index_, ReadBytes(store_.paths().image_index(other.hex())));
  EXPECT_THAT(MountError(), HasSubstr(image_index_));
}

// Each word of a locator table may say anything: the frame that it leads to decides.
TEST_F(FaultTest, NoWordOfALocatorTableCanMakeAReadReturnOtherBytes) {
  Served served(store_);
  const std::uint64_t file = served.kernel.Walk(served.Mount(image_), {"usr", "lib", "f"}).nodeid;
  const auto table = Fs::Real().Open(locators_, OpenMode::kReadWrite).value();
  std::mt19937_64 random(1);
  for (std::uint64_t chunk = 0; chunk < 3; ++chunk) {
    const std::uint64_t at = kLocatorHeaderBytes + chunk * sizeof(std::uint64_t);
    std::array<std::byte, sizeof(std::uint64_t)> right, wrong;
    ASSERT_EQ(table->ReadAt(at, right).value(), right.size());
    for (int i = 0; i < 264; ++i) {
      const std::uint64_t word = LoadLittle<std::uint64_t>(right.data());
      StoreLittle(wrong.data(), i < 64 ? word ^ std::uint64_t{1} << i : random() >> (i % 64));
      ASSERT_TRUE(table->WriteAt(at, wrong).ok());
      const FakeKernel::Reply reply = served.kernel.Read(file, 0, 65'536);
      ASSERT_TRUE(reply.error == EIO || reply.payload == content_) << "chunk " << chunk << ", word " << i;
    }
    ASSERT_TRUE(table->WriteAt(at, right).ok());
    EXPECT_EQ(served.kernel.Read(file, 0, 65'536).payload, content_);
  }
}

class DamagedPackTest : public FaultTest {
 protected:
  DamagedPackTest() { store_.DamageFrame(store_.LocatorsOf(layer_).Get(1)); }
  int ReadDamaged() { return served_.kernel.Read(file_, kChunkBytes, kChunkBytes).error; }

  CapturedLog log_{directory_ / "log"};
  Served served_{store_};
  std::uint64_t file_ = served_.kernel.Walk(served_.Mount(image_), {"usr", "lib", "f"}).nodeid;
};

TEST_F(DamagedPackTest, TheLogNamesWhatCannotBeReadAndWhere) {
  EXPECT_EQ(ReadDamaged(), EIO);
  const Locator at = store_.LocatorsOf(layer_).Get(1);
  ASSERT_EQ(log_.Lines().size(), 1u);
  EXPECT_THAT(log_.Lines()[0],
              HasSubstr("E image " + image_.hex() + ": /usr/lib/f: layer " + layer_.hex() + " inode 3: chunk 1: pack " +
                        "000001 at " + std::to_string(at.offset_bytes) + ": "));
  EXPECT_THAT(log_.Lines()[0], HasSubstr("reading it fails with EIO"));
}

TEST_F(DamagedPackTest, WhatIsReadAgainAndAgainIsLoggedOnce) {
  for (int i = 0; i < 300; ++i) ASSERT_EQ(ReadDamaged(), EIO);
  EXPECT_EQ(log_.Lines().size(), 1u);
}

}  // namespace
}  // namespace varve
