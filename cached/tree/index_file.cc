#include "cached/tree/index_file.h"

#include <fmt/core.h>

#include <algorithm>

#include "cached/content/sha256.h"

namespace varve {
namespace {

// What the tables, lengths and paddings of an index need beside its vectors.
constexpr std::uint64_t kTableBytesMax = 512;

std::string_view MagicOf(IndexKind kind) { return kind == IndexKind::kLayer ? "VRVLAYER" : "VRVIMAGE"; }

void EncodeIndexHeader(IndexKind kind, const Digest& name, ByteSpan body, std::byte* header) {
  std::ranges::copy(AsBytes(MagicOf(kind)), header);
  StoreLittle<std::uint32_t>(header + 8, kIndexVersion);
  StoreLittle<std::uint32_t>(header + 12, 0);
  StoreLittle<std::uint64_t>(header + 16, body.size());
  StoreLittle<std::uint64_t>(header + 24, Xxh3Of(body));
  std::ranges::copy(name.bytes, header + 32);
}

Result<ByteSpan> OpenBody(IndexKind kind, const Digest& name, ByteSpan file) {
  VARVE_CHECK(reinterpret_cast<std::uintptr_t>(file.data()) % alignof(std::uint64_t) == 0);
  if (file.size() < kIndexHeaderBytes || file.size() > kIndexBytesMax) {
    return Error(Code::kDataLoss, fmt::format("a file of {} bytes", file.size()));
  }
  const ByteSpan body = file.subspan(kIndexHeaderBytes);
  if (AsText(file.first(8)) != MagicOf(kind)) return Error(Code::kDataLoss, "the magic is wrong");
  const auto version = LoadLittle<std::uint32_t>(file.data() + 8);
  if (version > kIndexVersion) {
    return Error(Code::kFailedPrecondition,
                 fmt::format("version {}, this varve reads up to {}: upgrade it", version, kIndexVersion));
  }
  if (version == 0 || LoadLittle<std::uint32_t>(file.data() + 12) != 0)
    return Error(Code::kDataLoss, "the header is damaged");
  if (LoadLittle<std::uint64_t>(file.data() + 16) != body.size()) return Error(Code::kDataLoss, "the length is wrong");
  if (!std::ranges::equal(file.subspan(32, 32), name.bytes)) return Error(Code::kDataLoss, "it names another");
  if (LoadLittle<std::uint64_t>(file.data() + 24) != Xxh3Of(body))
    return Error(Code::kDataLoss, "the checksum is wrong");
  return body;
}

}  // namespace

std::string IndexNoun(IndexKind kind, const Digest& name) {
  return fmt::format("{} index {}", kind == IndexKind::kLayer ? "layer" : "image", name.ToString());
}

Result<ByteSpan> OpenIndexBody(IndexKind kind, const Digest& name, ByteSpan file) {
  return OpenBody(kind, name, file).In(IndexNoun(kind, name));
}

Result<std::unique_ptr<IndexFileWriter>> IndexFileWriter::Create(std::uint64_t vector_bytes) {
  if (vector_bytes > FLATBUFFERS_MAX_BUFFER_SIZE - kTableBytesMax) {
    return Error(Code::kResourceExhausted, fmt::format("an index of {}, at most {} allowed", HumanSize(vector_bytes),
                                                       HumanSize(FLATBUFFERS_MAX_BUFFER_SIZE)));
  }
  const std::uint64_t body_bytes = (vector_bytes + kTableBytesMax) / alignof(std::uint64_t) * alignof(std::uint64_t);
  return std::unique_ptr<IndexFileWriter>(new IndexFileWriter(body_bytes));
}

std::uint8_t* IndexFileWriter::allocate(std::size_t size) {
  VARVE_CHECK(!std::exchange(allocated_, true) && size == file_.size() - kIndexHeaderBytes);
  return reinterpret_cast<std::uint8_t*>(file_.data() + kIndexHeaderBytes);
}

Bytes IndexFileWriter::Seal(IndexKind kind, const Digest& name) {
  // A FlatBuffer grows from its end: what was not needed lies before it, and is a multiple of the alignment.
  const auto unused = static_cast<std::ptrdiff_t>(file_.size() - kIndexHeaderBytes - buffer_.GetSize());
  const auto begin = file_.begin() + static_cast<std::ptrdiff_t>(kIndexHeaderBytes);
  file_.erase(begin, begin + unused);
  EncodeIndexHeader(kind, name, ByteSpan(file_).subspan(kIndexHeaderBytes), file_.data());
  return std::move(file_);
}

}  // namespace varve
