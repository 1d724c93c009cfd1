#include <gtest/gtest.h>

#include "cached/content/sha256.h"
#include "cached/pack/group.h"
#include "cached/pack/pack_reader.h"
#include "cached/pack/pack_writer.h"
#include "tests/support/temp_dir.h"

// A pack that version 1 wrote, with a frame of every kind (tests/golden/README.md).
namespace varve {
namespace {

constexpr PackId kPack{42};
const std::string kGolden = std::string(VARVE_GOLDEN_DIR) + "/pack-v1/" + kPack.FileName();

Bytes GroupPayload() {
  GroupBuilder group;
  for (const std::string_view chunk : {"hello\n", "varve\n"}) group.Add(Sha256Of(AsBytes(chunk)), AsBytes(chunk));
  return group.Finish();
}

Bytes RecordPayload(FrameKind kind) {
  const std::string text = "record of kind " + std::to_string(static_cast<int>(kind));
  Bytes payload;
  EncodeRecordHeader({.name = Sha256Of(AsBytes(text)), .part = 0, .parts = 1, .total_bytes = text.size()}, payload);
  payload.insert(payload.end(), AsBytes(text).begin(), AsBytes(text).end());
  return payload;
}

// The raw payloads in the order of their frames: a group, chunks raw and compressed, the records, a chunk with a base.
const std::string kCompressed(1000, 'x');
constexpr FrameKind kRecords[] = {FrameKind::kTarRecipe,  FrameKind::kBlobRecipe, FrameKind::kLayerIndex,
                                  FrameKind::kImageIndex, FrameKind::kManifest,   FrameKind::kConfig,
                                  FrameKind::kJournal};

struct ReadFrame {
  FrameHeader header;
  Bytes bytes;
};

std::vector<ReadFrame> ReadFrames(const PackReader& pack) {
  std::vector<ReadFrame> frames;
  const Status scanned = pack.Scan(
      pack.Size().value(),
      [&](std::uint64_t offset, const FrameHeader& header) {
        frames.push_back({header, pack.ReadFrame(offset, header.FrameBytes()).value().bytes});
        return Ok();
      },
      [](std::uint64_t from, std::uint64_t) { ADD_FAILURE() << "no frame at " << from; });
  EXPECT_TRUE(scanned.ok());
  return frames;
}

void Append(PackWriter& writer, FrameKind kind, ByteSpan payload) {
  ASSERT_TRUE(
      writer.Append(kind, Codec::kRaw, payload, static_cast<std::uint32_t>(payload.size()), Sha256Of(payload)).ok());
}

class GoldenPackTest : public ::testing::Test {
 protected:
  const PackReader pack_ = PackReader::Open(Fs::Real(), std::string(VARVE_GOLDEN_DIR) + "/pack-v1", kPack).value();
  const std::vector<ReadFrame> frames_ = ReadFrames(pack_);
};

TEST_F(GoldenPackTest, EachFrameOfVersion1IsRead) {
  ASSERT_EQ(frames_.size(), 11u);
  const auto payload = [&](std::size_t i) { return VerifyFrame(frames_[i].header, frames_[i].bytes).value(); };
  EXPECT_EQ(payload(0), GroupPayload());
  EXPECT_EQ(AsText(GroupView::Open(payload(0))->chunk(1)), "varve\n");
  EXPECT_EQ(AsText(payload(1)), "a chunk of its own");
  EXPECT_EQ(frames_[2].header.codec, Codec::kZstd);
  EXPECT_EQ(AsText(payload(2)), kCompressed);
  for (std::size_t i = 0; i < std::size(kRecords); ++i) {
    EXPECT_EQ(frames_[3 + i].header.kind, kRecords[i]);
    EXPECT_EQ(payload(3 + i), RecordPayload(kRecords[i]));
  }
  EXPECT_EQ(frames_[10].header.base, FrameBase::kChunk);
  EXPECT_EQ(frames_[10].header.base_digest, Sha256Of(AsBytes("a chunk of its own")));
  EXPECT_EQ(VerifyFrame(frames_[10].header, frames_[10].bytes).error().code(), Code::kUnimplemented);
}

// What zstd makes of a chunk differs between its versions: that frame's stored bytes, and the one that no writer writes
// yet, are taken from the fixture.
TEST_F(GoldenPackTest, TheSameFramesAreTheSameBytes) {
  const TempDir directory;
  {
    PackWriter writer = PackWriter::Create(Fs::Real(), directory.path(), kPack).value();
    Append(writer, FrameKind::kGroup, GroupPayload());
    Append(writer, FrameKind::kChunk, AsBytes("a chunk of its own"));
    const FrameHeader& zstd = frames_[2].header;
    ASSERT_TRUE(writer
                    .Append(FrameKind::kChunk, Codec::kZstd,
                            ByteSpan(frames_[2].bytes).subspan(kFrameHeaderBytes, zstd.stored_length), 1000,
                            Sha256Of(AsBytes(kCompressed)))
                    .ok());
    for (const FrameKind kind : kRecords) Append(writer, kind, RecordPayload(kind));
    ASSERT_TRUE(writer.AppendFrame(frames_[10].bytes).ok());
  }
  EXPECT_EQ(ReadWholeFile(Fs::Real(), directory / kPack.FileName(), 1 << 20).value(),
            ReadWholeFile(Fs::Real(), kGolden, 1 << 20).value());
}

}  // namespace
}  // namespace varve
