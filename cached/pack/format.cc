#include "cached/pack/format.h"

#include <fmt/core.h>

#include "cached/content/sha256.h"

namespace varve {
namespace {

constexpr std::uint32_t kFrameMagic = 0x46565256;         // "VRVF"
constexpr std::uint64_t kPackMagic = 0x4b43415056525621;  // "!VRVPACK"
constexpr std::size_t kHeaderSumOffset = 56;              // the sum covers all before it, and the base digest

// `header` has the base digest behind it, if there is one.
std::uint64_t HeaderSum(ByteSpan header, FrameBase base) {
  if (base == FrameBase::kNone) return Xxh3Of(header.first(kHeaderSumOffset));
  Bytes summed(header.begin(), header.begin() + kHeaderSumOffset);
  const ByteSpan digest = header.subspan(kFrameHeaderBytes, sizeof(Digest));
  summed.insert(summed.end(), digest.begin(), digest.end());
  return Xxh3Of(summed);
}

std::uint64_t Aligned(std::uint64_t size) { return (size + kFrameAlignment - 1) / kFrameAlignment * kFrameAlignment; }

}  // namespace

std::string PackId::FileName() const { return fmt::format("{:06}.pack", number); }

bool IsRecord(FrameKind kind) { return kind >= FrameKind::kTarRecipe; }

std::uint32_t FrameHeader::FrameBytes() const {
  return static_cast<std::uint32_t>(Aligned(PayloadOffset() + stored_length));
}

void EncodeFrameHeader(const FrameHeader& header, Bytes& out) {
  const std::size_t start = out.size();
  ByteWriter writer(out);
  writer.Fixed(kFrameMagic);
  writer.Fixed(kFrameVersion);
  writer.Fixed(static_cast<std::uint8_t>(header.kind));
  writer.Fixed(static_cast<std::uint8_t>(header.codec));
  writer.Fixed(static_cast<std::uint8_t>(header.base));
  writer.Fixed(header.raw_length);
  writer.Fixed(header.stored_length);
  writer.Raw(header.sha256.span());
  writer.Fixed(header.xxh3);
  writer.Fixed(std::uint64_t{0});  // the sum, once all that it covers is there
  if (header.base != FrameBase::kNone) writer.Raw(header.base_digest.span());
  StoreLittle(out.data() + start + kHeaderSumOffset, HeaderSum(ByteSpan(out).subspan(start), header.base));
}

Result<FrameHeader> DecodeFrameHeader(ByteSpan bytes) {
  if (bytes.size() < kFrameHeaderBytes) return Error(Code::kDataLoss, "a frame header is cut short");
  const std::byte* at = bytes.data();
  if (LoadLittle<std::uint32_t>(at) != kFrameMagic) return Error(Code::kDataLoss, "no frame begins here");
  FrameHeader header;
  header.base = static_cast<FrameBase>(at[7]);
  if (bytes.size() < header.PayloadOffset()) return Error(Code::kDataLoss, "a frame header is cut short");
  if (LoadLittle<std::uint64_t>(at + kHeaderSumOffset) != HeaderSum(bytes, header.base)) {
    return Error(Code::kDataLoss, "a frame header's checksum does not match");
  }
  const auto version = std::to_integer<std::uint8_t>(at[4]);
  if (version != kFrameVersion)
    return Error(Code::kFailedPrecondition, fmt::format("frame version {} is not known", version));
  header.kind = static_cast<FrameKind>(at[5]);
  header.codec = static_cast<Codec>(at[6]);
  header.raw_length = LoadLittle<std::uint32_t>(at + 8);
  header.stored_length = LoadLittle<std::uint32_t>(at + 12);
  VARVE_ASSIGN_OR_RETURN(header.sha256, Digest::FromBytes(bytes.subspan(16, 32)));
  header.xxh3 = LoadLittle<std::uint64_t>(at + 48);
  const bool known = header.kind >= FrameKind::kChunk && header.kind <= FrameKind::kJournal &&
                     header.codec <= Codec::kZstd && header.base <= FrameBase::kChunk;
  if (!known || header.raw_length > kFrameRawBytesMax || header.stored_length > header.raw_length) {
    return Error(Code::kDataLoss, "a frame header says what no writer writes");
  }
  if (header.base != FrameBase::kNone) {
    VARVE_ASSIGN_OR_RETURN(header.base_digest, Digest::FromBytes(bytes.subspan(kFrameHeaderBytes, 32)));
  }
  return header;
}

Status DecodePayloadInto(const FrameHeader& header, ByteSpan frame, std::span<std::byte> raw) {
  if (frame.size() < header.PayloadOffset() + header.stored_length)
    return Error(Code::kDataLoss, "a frame is cut short");
  if (header.base != FrameBase::kNone)
    return Error(Code::kUnimplemented, "the frame needs a base, which this version cannot use");
  const ByteSpan stored = frame.subspan(header.PayloadOffset(), header.stored_length);
  if (Xxh3Of(stored) != header.xxh3) return Error(Code::kDataLoss, "the frame's checksum does not match");
  VARVE_CHECK(raw.size() == header.raw_length);
  return Decompress(header.codec, stored, raw);
}

Result<Bytes> DecodePayload(const FrameHeader& header, ByteSpan frame) {
  Bytes raw(header.raw_length);
  VARVE_RETURN_IF_ERROR(DecodePayloadInto(header, frame, raw));
  return raw;
}

Result<Bytes> VerifyFrame(const FrameHeader& header, ByteSpan frame) {
  VARVE_ASSIGN_OR_RETURN(Bytes raw, DecodePayload(header, frame));
  if (Sha256Of(raw) != header.sha256) return Error(Code::kDataLoss, "the frame's SHA-256 does not match");
  return raw;
}

std::array<std::byte, kPackHeaderBytes> EncodePackHeader(PackId id) {
  std::array<std::byte, kPackHeaderBytes> bytes{};
  StoreLittle(bytes.data(), kPackMagic);
  StoreLittle(bytes.data() + 8, kPackVersion);
  StoreLittle(bytes.data() + 12, id.number);
  StoreLittle(bytes.data() + 16, Xxh3Of(ByteSpan(bytes).first(16)));
  return bytes;
}

Result<PackId> DecodePackHeader(ByteSpan bytes) {
  if (bytes.size() < kPackHeaderBytes || LoadLittle<std::uint64_t>(bytes.data()) != kPackMagic ||
      LoadLittle<std::uint64_t>(bytes.data() + 16) != Xxh3Of(bytes.first(16))) {
    return Error(Code::kDataLoss, "is not a pack");
  }
  const auto version = LoadLittle<std::uint32_t>(bytes.data() + 8);
  if (version != kPackVersion)
    return Error(Code::kFailedPrecondition, fmt::format("pack version {} is not known", version));
  return PackId{LoadLittle<std::uint32_t>(bytes.data() + 12)};
}

void EncodeRecordHeader(const RecordHeader& header, Bytes& out) {
  ByteWriter writer(out);
  writer.Raw(header.name.span());
  writer.Fixed(header.part);
  writer.Fixed(header.parts);
  writer.Fixed(header.total_bytes);
}

Result<RecordHeader> DecodeRecordHeader(ByteSpan& payload) {
  ByteReader reader(payload);
  RecordHeader header;
  VARVE_ASSIGN_OR_RETURN(const ByteSpan name, reader.Raw(32));
  VARVE_ASSIGN_OR_RETURN(header.name, Digest::FromBytes(name));
  VARVE_ASSIGN_OR_RETURN(header.part, reader.Fixed<std::uint32_t>());
  VARVE_ASSIGN_OR_RETURN(header.parts, reader.Fixed<std::uint32_t>());
  VARVE_ASSIGN_OR_RETURN(header.total_bytes, reader.Fixed<std::uint64_t>());
  if (header.parts != 0 && header.part + 1 != header.parts)
    return Error(Code::kDataLoss, "a record's last part has another number");
  payload = payload.subspan(RecordHeader::kBytes);
  return header;
}

}  // namespace varve
