// Any bytes as a pack: no crash, every byte is passed as part of a frame or as damage, once and in order, and what is a
// frame is read without trust in its header.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "cached/content/sha256.h"
#include "cached/pack/group.h"
#include "cached/pack/pack_reader.h"
#include "tests/support/fault_fs.h"

namespace varve {
namespace {

constexpr PackId kPack{1};

void ReadPayload(FrameKind kind, ByteSpan payload) {
  if (kind == FrameKind::kGroup) {
    const auto group = GroupView::Open(payload);
    std::size_t bytes = 0;
    for (std::size_t i = 0; group.ok() && i < group->size(); ++i) {
      bytes += group->chunk(i).size();
      VARVE_CHECK(group->Find(group->sha256(i)));
    }
    VARVE_CHECK(bytes <= payload.size());
  }
  if (!IsRecord(kind)) return;
  ByteSpan rest = payload;
  if (DecodeRecordHeader(rest).ok()) VARVE_CHECK(rest.size() + RecordHeader::kBytes == payload.size());
}

void ReadPack(ByteSpan bytes) {
  FaultFs fs;
  VARVE_CHECK(fs.MakeDirectories("/packs").ok());
  VARVE_CHECK(WriteFileAtomically(fs, "/packs/" + kPack.FileName(), bytes).ok());
  const auto pack = PackReader::Open(fs, "/packs", kPack);
  if (!pack.ok()) return;
  std::uint64_t seen = kPackHeaderBytes;
  const Status scanned = pack->Scan(
      bytes.size(),
      [&](std::uint64_t offset, const FrameHeader& header) {
        VARVE_CHECK(offset == seen && header.FrameBytes() > 0);
        seen += header.FrameBytes();
        const auto frame = pack->ReadFrame(offset, header.FrameBytes());
        VARVE_CHECK(frame.ok());
        const auto payload = DecodePayload(frame->header, frame->bytes);
        if (payload.ok()) ReadPayload(header.kind, *payload);
        return Ok();
      },
      [&](std::uint64_t from, std::uint64_t to) {
        VARVE_CHECK(from == seen && to > from);
        seen = to;
      });
  VARVE_CHECK(scanned.ok() && seen == bytes.size());
}

// The same with right sums wherever a frame may begin, past which random bytes would hardly ever come.
Bytes Sealed(ByteSpan bytes) {
  Bytes sealed(bytes.begin(), bytes.end());
  std::ranges::copy(EncodePackHeader(kPack), sealed.begin());
  for (std::size_t at = kPackHeaderBytes; at + kFrameAlignment <= sealed.size(); at += kFrameAlignment) {
    FrameHeader frame;
    frame.kind = static_cast<FrameKind>(sealed[at + 5]);
    frame.codec = static_cast<Codec>(sealed[at + 6]);
    frame.base = static_cast<FrameBase>(sealed[at + 7]);
    frame.raw_length = LoadLittle<std::uint32_t>(sealed.data() + at + 8);
    frame.stored_length = LoadLittle<std::uint32_t>(sealed.data() + at + 12);
    const std::size_t payload = at + frame.PayloadOffset();
    if (AsText(ByteSpan(sealed).subspan(at, 4)) != "VRVF") continue;
    if (frame.stored_length > sealed.size() - payload) continue;
    frame.xxh3 = Xxh3Of(ByteSpan(sealed).subspan(payload, frame.stored_length));
    Bytes encoded;
    EncodeFrameHeader(frame, encoded);
    std::ranges::copy(encoded, sealed.begin() + static_cast<std::ptrdiff_t>(at));
  }
  return sealed;
}

}  // namespace
}  // namespace varve

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  const varve::ByteSpan bytes = std::as_bytes(std::span(input, size));
  if (size < varve::kPackHeaderBytes) return 0;
  varve::ReadPack(bytes);
  varve::ReadPack(varve::Sealed(bytes));
  return 0;
}
