#include "cached/pack/group.h"

#include <cstring>

namespace varve {
namespace {

constexpr std::size_t kRowBytes = 36;

}  // namespace

void GroupBuilder::Add(const Digest& sha256, ByteSpan chunk) {
  VARVE_CHECK(chunk.size() <= kGroupChunkBytesMax);
  members_.push_back({sha256, static_cast<std::uint32_t>(chunk.size())});
  bytes_.insert(bytes_.end(), chunk.begin(), chunk.end());
}

Bytes GroupBuilder::Finish() {
  Bytes payload;
  payload.reserve(4 + members_.size() * kRowBytes + bytes_.size());
  ByteWriter writer(payload);
  writer.Fixed(static_cast<std::uint32_t>(members_.size()));
  for (const Member& member : members_) {
    writer.Raw(member.sha256.span());
    writer.Fixed(member.raw_length);
  }
  writer.Raw(bytes_);
  members_.clear();
  bytes_.clear();
  return payload;
}

Result<GroupView> GroupView::Open(ByteSpan payload) {
  ByteReader reader(payload);
  VARVE_ASSIGN_OR_RETURN(const std::uint32_t count, reader.Fixed<std::uint32_t>());
  if (count > kGroupChunksMax) return Error(Code::kDataLoss, "a group has too many chunks");
  std::uint64_t bytes = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    VARVE_ASSIGN_OR_RETURN(const ByteSpan row, reader.Raw(kRowBytes));
    bytes += LoadLittle<std::uint32_t>(row.data() + 32);
  }
  if (bytes != reader.remaining()) return Error(Code::kDataLoss, "a group's table does not add up to its bytes");
  return GroupView(payload, count);
}

Digest GroupView::sha256(std::size_t index) const {
  Digest digest;
  std::memcpy(digest.bytes.data(), payload_.data() + 4 + index * kRowBytes, digest.bytes.size());
  return digest;
}

ByteSpan GroupView::chunk(std::size_t index) const {
  std::size_t at = 4 + count_ * kRowBytes;
  const auto length = [&](std::size_t row) {
    return LoadLittle<std::uint32_t>(payload_.data() + 4 + row * kRowBytes + 32);
  };
  for (std::size_t row = 0; row < index; ++row) at += length(row);
  return payload_.subspan(at, length(index));
}

std::optional<ByteSpan> GroupView::Find(const Digest& sha256) const {
  for (std::size_t index = 0; index < count_; ++index) {
    if (std::memcmp(payload_.data() + 4 + index * kRowBytes, sha256.bytes.data(), 32) == 0) return chunk(index);
  }
  return std::nullopt;
}

}  // namespace varve
