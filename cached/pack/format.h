#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "cached/base/bytes.h"
#include "cached/content/codec.h"
#include "cached/content/digest.h"

// Packs hold everything that varve keeps, as frames; docs/format/pack.md gives them byte by byte.
//
//   pack   = pack-header frame*                    a file packs/NNNNNN.pack of at most 256 MiB, append-only
//   frame  = header(64) [base digest(32)] payload zero-padding     starts on a multiple of 128
//
// A frame says by itself what it is, so that everything can be rebuilt from packs alone, and carries two sums: XXH3 of
// the stored bytes, cheap enough for every read, and SHA-256 of the raw bytes, which is the identity. Frames hold
// nothing local to a node.
//
// Why 128: a locator word has 12 bits for the length of a frame, and 128-byte units let it reach 512 KiB; the mean loss
// is 64 bytes a frame, 0.2 % of stored bytes at 32 KiB compressed chunks. Why small chunks share a frame: a 2 KiB file
// compressed alone keeps 60 to 70 % of its bytes, beside its neighbours in one zstd window half of that
// (docs/design/store.md has the figures).
namespace varve {

inline constexpr std::uint32_t kFrameAlignment = 128;
inline constexpr std::size_t kFrameHeaderBytes = 64;
inline constexpr std::size_t kPackHeaderBytes = 128;
inline constexpr std::uint8_t kFrameVersion = 1;
inline constexpr std::uint32_t kPackVersion = 1;
inline constexpr std::uint64_t kPackBytesMax = 256 << 20;
// No frame is longer, raw or stored; larger records are cut into parts (RecordHeader).
inline constexpr std::uint32_t kFrameRawBytesMax = (512 << 10) - (4 << 10);

// A pack's number: 1 to 2^24 - 1, never used twice in a store.
struct PackId {
  std::uint32_t number = 0;
  auto operator<=>(const PackId&) const = default;
  std::string FileName() const;  // "000042.pack"
};
inline constexpr std::uint32_t kPackNumberMax = (1 << 24) - 1;

// The numbers are on disk.
enum class FrameKind : std::uint8_t {
  kChunk = 1,       // one chunk
  kGroup = 2,       // small neighbouring chunks with a table (group.h)
  kTarRecipe = 3,   // a part of a record, as all below; name: diff ID
  kBlobRecipe = 4,  // name: blob digest
  kLayerIndex = 5,  // name: diff ID
  kImageIndex = 6,  // name: chain ID
  kManifest = 7,    // name: its own digest
  kConfig = 8,      // name: its own digest
  kJournal = 9,     // changes to the small records of the index; name: its sequence number, zero-padded
};
bool IsRecord(FrameKind kind);  // kTarRecipe and above: the payload begins with a RecordHeader

// What a frame's payload is coded against.
enum class FrameBase : std::uint8_t { kNone = 0, kDictionary = 1, kChunk = 2 };

struct FrameHeader {
  FrameKind kind = FrameKind::kChunk;
  Codec codec = Codec::kRaw;
  FrameBase base = FrameBase::kNone;
  std::uint32_t raw_length = 0;
  std::uint32_t stored_length = 0;
  Digest sha256;           // of the raw payload
  std::uint64_t xxh3 = 0;  // of the stored payload
  Digest base_digest;      // where base is not kNone

  // Header, base digest and payload, rounded up to the alignment.
  std::uint32_t FrameBytes() const;
  std::size_t PayloadOffset() const { return kFrameHeaderBytes + (base == FrameBase::kNone ? 0 : 32); }
};

// Appends header and base digest.
void EncodeFrameHeader(const FrameHeader& header, Bytes& out);
// `bytes` begins with the header; kDataLoss for a wrong magic, checksum, kind, codec or length.
Result<FrameHeader> DecodeFrameHeader(ByteSpan bytes);

// The payload of `frame` (header at its start), checked by XXH3 and decoded. kDataLoss if anything does not fit. Does
// not compute the SHA-256: verify, repair and network paths do (VerifyFrame).
Result<Bytes> DecodePayload(const FrameHeader& header, ByteSpan frame);
// The same into memory that the caller has, `header.raw_length` bytes. What is in `raw` after an error is undefined.
Status DecodePayloadInto(const FrameHeader& header, ByteSpan frame, std::span<std::byte> raw);
// DecodePayload, and the SHA-256 of the raw payload is what the header says.
Result<Bytes> VerifyFrame(const FrameHeader& header, ByteSpan frame);

std::array<std::byte, kPackHeaderBytes> EncodePackHeader(PackId id);
Result<PackId> DecodePackHeader(ByteSpan bytes);

// Before the bytes of each part of a record. A writer may not know how long a record becomes: only the last part says.
struct RecordHeader {
  static constexpr std::size_t kBytes = 48;
  Digest name;
  std::uint32_t part = 0;         // from 0
  std::uint32_t parts = 0;        // in the last part: how many there are; else 0
  std::uint64_t total_bytes = 0;  // in the last part: of all parts, without their headers; else 0
};
void EncodeRecordHeader(const RecordHeader& header, Bytes& out);
// Leaves `payload` at the bytes behind the header.
Result<RecordHeader> DecodeRecordHeader(ByteSpan& payload);

}  // namespace varve
