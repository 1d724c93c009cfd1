#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <vector>

#include "cached/content/sha256.h"
#include "cached/pack/format.h"
#include "cached/pack/group.h"
#include "cached/pack/pack_reader.h"
#include "cached/pack/pack_writer.h"
#include "tests/support/forwarding_fs.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr PackId kPack{7};

Bytes Frame(std::string_view raw) {
  const FrameHeader header{.kind = FrameKind::kChunk,
                           .raw_length = static_cast<std::uint32_t>(raw.size()),
                           .stored_length = static_cast<std::uint32_t>(raw.size()),
                           .sha256 = Sha256Of(AsBytes(raw)),
                           .xxh3 = Xxh3Of(AsBytes(raw)),
                           .base_digest = {}};
  Bytes frame;
  EncodeFrameHeader(header, frame);
  frame.insert(frame.end(), AsBytes(raw).begin(), AsBytes(raw).end());
  frame.resize(header.FrameBytes());
  return frame;
}

Bytes Flipped(Bytes bytes, std::size_t at) {
  bytes[at] ^= std::byte{0x10};
  return bytes;
}

Result<Bytes> Decode(ByteSpan frame) {
  VARVE_ASSIGN_OR_RETURN(const FrameHeader header, DecodeFrameHeader(frame));
  return DecodePayload(header, frame);
}

TEST(FrameTest, HeaderSurvivesARoundTrip) {
  const FrameHeader header{.kind = FrameKind::kTarRecipe,
                           .codec = Codec::kZstd,
                           .base = FrameBase::kChunk,
                           .raw_length = 300'000,
                           .stored_length = 1234,
                           .sha256 = Sha256Of(AsBytes("raw")),
                           .xxh3 = 0x0123456789abcdef,
                           .base_digest = Sha256Of(AsBytes("base"))};
  Bytes bytes;
  EncodeFrameHeader(header, bytes);
  EXPECT_EQ(bytes.size(), kFrameHeaderBytes + 32);
  EXPECT_EQ(header.FrameBytes(), 1408u);  // 64 + 32 + 1234, rounded up to 128
  const auto read = DecodeFrameHeader(bytes);
  ASSERT_TRUE(read.ok()) << read.error().message();
  Bytes again;
  EncodeFrameHeader(*read, again);
  EXPECT_EQ(again, bytes);
  EXPECT_EQ(read->base_digest, header.base_digest);
  for (std::size_t at = 0; at < bytes.size(); ++at) EXPECT_FALSE(DecodeFrameHeader(Flipped(bytes, at)).ok()) << at;
}

TEST(FrameTest, NoFlippedByteGoesUnnoticedButInThePadding) {
  const std::string raw = "a chunk of a few bytes";
  const Bytes frame = Frame(raw);
  const std::size_t padding = kFrameHeaderBytes + raw.size();
  for (std::size_t at = 0; at < frame.size(); ++at) {
    const auto read = Decode(Flipped(frame, at));
    ASSERT_EQ(read.ok(), at >= padding) << "byte " << at;
    if (read.ok()) {
      EXPECT_EQ(AsText(*read), raw);
    }
  }
}

TEST(FrameTest, OnlyVerificationComparesTheSha256) {
  const Bytes frame = Frame("a chunk");
  FrameHeader header = DecodeFrameHeader(frame).value();
  EXPECT_TRUE(VerifyFrame(header, frame).ok());
  header.sha256 = Sha256Of(AsBytes("another"));
  EXPECT_TRUE(DecodePayload(header, frame).ok());
  EXPECT_EQ(VerifyFrame(header, frame).error().code(), Code::kDataLoss);
}

TEST(FrameTest, EveryTruncationIsDataLoss) {
  const Bytes frame = Frame("short");
  for (std::size_t size = 0; size < kFrameHeaderBytes + 5; ++size) {
    const auto read = Decode(ByteSpan(frame).first(size));
    ASSERT_FALSE(read.ok()) << size;
    EXPECT_EQ(read.error().code(), Code::kDataLoss);
  }
}

TEST(PackHeaderTest, AFlippedByteIsRefusedOrChangesNothing) {
  const auto header = EncodePackHeader(kPack);
  for (std::size_t at = 0; at < header.size(); ++at) {
    const auto read = DecodePackHeader(Flipped(Bytes(header.begin(), header.end()), at));
    ASSERT_EQ(read.ok(), at >= 24) << "byte " << at;
    if (read.ok()) {
      EXPECT_EQ(*read, kPack);
    }
  }
}

TEST(RecordHeaderTest, LastPartSaysHowManyThereAre) {
  Bytes bytes;
  EncodeRecordHeader({Sha256Of(AsBytes("name")), 2, 3, 99}, bytes);
  EncodeRecordHeader({Sha256Of(AsBytes("name")), 1, 3, 99}, bytes);
  ByteSpan rest = bytes;
  const auto last = DecodeRecordHeader(rest);
  ASSERT_TRUE(last.ok());
  EXPECT_EQ(last->total_bytes, 99u);
  EXPECT_EQ(rest.size(), RecordHeader::kBytes);
  EXPECT_FALSE(DecodeRecordHeader(rest).ok()) << "part 1 claims to be the last of 3";
}

Bytes Group(const std::vector<std::string>& chunks) {
  GroupBuilder builder;
  for (const std::string& chunk : chunks) builder.Add(Sha256Of(AsBytes(chunk)), AsBytes(chunk));
  return builder.Finish();
}

TEST(GroupTest, FindsEachChunkByItsDigest) {
  const Bytes payload = Group({"one", "", "three"});
  const auto group = GroupView::Open(payload);
  ASSERT_TRUE(group.ok());
  ASSERT_EQ(group->size(), 3u);
  EXPECT_EQ(AsText(group->chunk(2)), "three");
  EXPECT_EQ(AsText(*group->Find(Sha256Of(AsBytes("one")))), "one");
  EXPECT_EQ(group->Find(Sha256Of(AsBytes("two"))), std::nullopt);
}

TEST(GroupTest, TableThatDoesNotAddUpIsRefused) {
  const Bytes payload = Group({"one", "three"});
  for (std::size_t size = 0; size < payload.size(); ++size) {
    ASSERT_FALSE(GroupView::Open(ByteSpan(payload).first(size)).ok()) << size;
  }
  for (const std::size_t at : {0u, 1u, 3u, 36u, 39u, 72u, 75u}) {  // the count, and both lengths
    EXPECT_FALSE(GroupView::Open(Flipped(payload, at)).ok()) << at;
  }
  Bytes crowd(4 + std::size_t{kGroupChunksMax + 1} * 36);
  StoreLittle<std::uint32_t>(crowd.data(), kGroupChunksMax + 1);
  EXPECT_FALSE(GroupView::Open(crowd).ok());
}

class PackTest : public ::testing::Test {
 protected:
  static PackLocation Append(PackWriter& writer, std::string_view raw) {
    const auto location = writer.Append(FrameKind::kChunk, Codec::kRaw, AsBytes(raw),
                                        static_cast<std::uint32_t>(raw.size()), Sha256Of(AsBytes(raw)));
    EXPECT_TRUE(location.ok());
    return *location;
  }
  PackWriter Create() { return PackWriter::Create(Fs::Real(), directory_.path(), kPack).value(); }
  PackReader Open() const { return PackReader::Open(Fs::Real(), directory_.path(), kPack).value(); }
  std::string path() const { return directory_ / kPack.FileName(); }

  void Overwrite(std::uint64_t offset, std::string_view bytes) const {
    const auto file = Fs::Real().Open(path(), OpenMode::kReadWrite);
    ASSERT_TRUE(file.ok() && (*file)->WriteAt(offset, AsBytes(bytes)).ok());
  }

  const TempDir directory_;
};

TEST_F(PackTest, ReadsWhatWasAppended) {
  PackWriter writer = Create();
  Append(writer, "first");
  const std::string long_chunk(1000, 'x');
  const PackLocation location = Append(writer, long_chunk);
  EXPECT_EQ(location, (PackLocation{kPack, 256, 1152}));
  EXPECT_TRUE(writer.Sync().ok());
  const auto frame = Open().ReadFrame(location.offset_bytes, location.length_bytes);
  ASSERT_TRUE(frame.ok());
  const auto raw = VerifyFrame(frame->header, frame->bytes);
  ASSERT_TRUE(raw.ok());
  EXPECT_EQ(AsText(*raw), long_chunk);
}

TEST_F(PackTest, WrongPlacementsAreDataLossAndNameTheOffset) {
  PackWriter writer = Create();
  const PackLocation location = Append(writer, std::string(1000, 'x'));
  const PackReader reader = Open();
  for (const auto& [offset, length] : {std::pair{location.offset_bytes, 128u},  // shorter than the frame
                                       std::pair{256u, 128u},                   // amid the frame
                                       std::pair{1u << 20, 128u}}) {            // behind the end
    const auto frame = reader.ReadFrame(offset, length);
    ASSERT_FALSE(frame.ok());
    EXPECT_EQ(frame.error().code(), Code::kDataLoss);
    EXPECT_THAT(frame.error().message(), HasSubstr("pack 000007 at " + std::to_string(offset)));
  }
}

TEST_F(PackTest, IsNeverMadeTwiceNorTakenForAnother) {
  Create();
  EXPECT_EQ(PackWriter::Create(Fs::Real(), directory_.path(), kPack).error().code(), Code::kAlreadyExists);
  ASSERT_TRUE(Fs::Real().Rename(path(), directory_ / PackId{8}.FileName()).ok());
  EXPECT_EQ(PackReader::Open(Fs::Real(), directory_.path(), PackId{8}).error().code(), Code::kDataLoss);
  EXPECT_EQ(PackReader::Open(Fs::Real(), directory_.path(), kPack).error().code(), Code::kNotFound);
}

TEST_F(PackTest, ReopenCutsAtTheDurableLengthAndGoesOnThere) {
  {
    PackWriter writer = Create();
    Append(writer, "durable");
    Append(writer, "never committed");
  }
  auto writer = PackWriter::Reopen(Fs::Real(), directory_.path(), kPack, 256);
  ASSERT_TRUE(writer.ok());
  EXPECT_EQ(*Open().Size(), 256u);
  EXPECT_EQ(Append(*writer, "next").offset_bytes, 256u);
}

// The kernel reports a lost write to one fdatasync only: another that runs beside it would succeed.
class OnceFailingDisk final : public ForwardingFs {
 public:
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    VARVE_ASSIGN_OR_RETURN(auto file, ForwardingFs::Open(path, mode));
    return std::unique_ptr<File>(std::make_unique<OpenFile>(*this, std::move(file)));
  }

  std::promise<void> failing;    // set when a sync is about to fail
  std::promise<void> overtaken;  // may be set before it does

 private:
  class OpenFile final : public File {
   public:
    OpenFile(OnceFailingDisk& disk, std::unique_ptr<File> file) : disk_(disk), file_(std::move(file)) {}
    Status WriteAt(std::uint64_t offset, ByteSpan bytes) override { return file_->WriteAt(offset, bytes); }
    Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::byte> into) const override {
      return file_->ReadAt(offset, into);
    }
    Status Truncate(std::uint64_t size) override { return file_->Truncate(size); }
    Status Sync() override {
      if (failed_.exchange(true)) return Ok();
      disk_.failing.set_value();
      disk_.overtaken.get_future().wait_for(std::chrono::milliseconds(100));
      return Error(Code::kUnknown, "injected");
    }
    Result<std::uint64_t> Size() const override { return file_->Size(); }
    int fd() const override { return file_->fd(); }

   private:
    OnceFailingDisk& disk_;
    const std::unique_ptr<File> file_;
    std::atomic<bool> failed_ = false;
  };
};

TEST_F(PackTest, ASyncBesideOneThatFailsFailsToo) {
  OnceFailingDisk disk;
  auto writer = PackWriter::Create(disk, directory_.path(), kPack).value();
  auto first = std::async(std::launch::async, [&] { return writer.Sync().ok(); });
  disk.failing.get_future().wait();
  const Status second = writer.Sync();
  disk.overtaken.set_value();
  EXPECT_FALSE(first.get());
  EXPECT_FALSE(second.ok());
}

TEST_F(PackTest, ScanSkipsDamageAndGoesOn) {
  PackWriter writer = Create();
  const PackLocation first = Append(writer, "first");
  const PackLocation second = Append(writer, std::string(1000, 'x'));
  const PackLocation third = Append(writer, "third");
  Overwrite(second.offset_bytes + 20, "!");
  Overwrite(writer.size(), "a torn end");
  std::vector<std::uint64_t> visited;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> damaged;
  const Status scanned = Open().Scan(
      writer.size() + 10,
      [&](std::uint64_t offset, const FrameHeader&) {
        visited.push_back(offset);
        return Ok();
      },
      [&](std::uint64_t from, std::uint64_t to) { damaged.emplace_back(from, to); });
  EXPECT_TRUE(scanned.ok());
  EXPECT_THAT(visited, ElementsAre(first.offset_bytes, third.offset_bytes));
  EXPECT_THAT(damaged,
              ElementsAre(Pair(second.offset_bytes, third.offset_bytes), Pair(writer.size(), writer.size() + 10)));
}

}  // namespace
}  // namespace varve
