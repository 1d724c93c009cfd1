#include "cached/tree/index_file.h"

#include <fmt/core.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <utility>

#include "cached/content/sha256.h"

namespace varve {
namespace {

constexpr std::size_t kBufferBytes = 256 << 10;

constexpr std::size_t kLengthBytes = sizeof(flatbuffers::uoffset_t);

// Where the vector's items begin if it comes behind `end` bytes.
std::uint64_t FirstItem(std::uint64_t end, const IndexVector& vector) {
  const std::uint64_t alignment = std::max(vector.alignment, kLengthBytes);
  return (end + kLengthBytes + alignment - 1) / alignment * alignment;
}

std::string_view MagicOf(IndexKind kind) { return kind == IndexKind::kLayer ? "VRVLAYER" : "VRVIMAGE"; }

std::array<std::byte, kIndexHeaderBytes> EncodeIndexHeader(IndexKind kind, const Digest& name, std::uint64_t body_bytes,
                                                           std::uint64_t checksum) {
  std::array<std::byte, kIndexHeaderBytes> header{};
  std::ranges::copy(AsBytes(MagicOf(kind)), header.begin());
  StoreLittle<std::uint32_t>(header.data() + 8, kIndexVersion);
  StoreLittle<std::uint64_t>(header.data() + 16, body_bytes);
  StoreLittle<std::uint64_t>(header.data() + 24, checksum);
  std::ranges::copy(name.bytes, header.begin() + 32);
  return header;
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

struct IndexFileWriter::Hash {
  Hash() { XXH3_64bits_reset(state.get()); }
  struct Free {
    void operator()(XXH3_state_t* freed) const { XXH3_freeState(freed); }
  };
  std::unique_ptr<XXH3_state_t, Free> state{XXH3_createState()};
};

IndexFileWriter::IndexFileWriter(File& file, IndexKind kind, const Digest& name, std::vector<IndexVector> vectors)
    : file_(&file), kind_(kind), name_(name), vectors_(std::move(vectors)), hash_(std::make_unique<Hash>()) {
  buffer_.reserve(kBufferBytes);
}
IndexFileWriter::IndexFileWriter(IndexFileWriter&&) noexcept = default;
IndexFileWriter::~IndexFileWriter() = default;

Result<IndexFileWriter> IndexFileWriter::Create(File& file, IndexKind kind, const Digest& name,
                                                const flatbuffers::FlatBufferBuilder& table,
                                                std::vector<IndexVector> vectors) {
  IndexFileWriter writer(file, kind, name, std::move(vectors));
  const auto bytes = std::as_bytes(std::span(table.GetBufferPointer(), table.GetSize()));
  Bytes body(bytes.begin(), bytes.end());
  const auto* root = flatbuffers::GetRoot<flatbuffers::Table>(body.data());
  std::uint64_t end = body.size();
  for (const IndexVector& vector : writer.vectors_) {
    const std::uint64_t first = FirstItem(end, vector);
    end = first + std::uint64_t{vector.count} * vector.item_bytes;
    if (end >= FLATBUFFERS_MAX_BUFFER_SIZE) {
      return Error(Code::kResourceExhausted,
                   fmt::format("an index of more than {}", HumanSize(FLATBUFFERS_MAX_BUFFER_SIZE)));
    }
    const auto field =
        static_cast<std::size_t>(reinterpret_cast<const std::byte*>(root->GetAddressOf(vector.field)) - body.data());
    StoreLittle(body.data() + field, static_cast<flatbuffers::uoffset_t>(first - kLengthBytes - field));
  }
  writer.Put(body);
  return writer;
}

void IndexFileWriter::AppendItems(ByteSpan bytes, std::size_t item_bytes) {
  if (bytes.empty()) return;
  while (left_bytes_ == 0) StartVector();
  VARVE_CHECK(item_bytes == vectors_[started_ - 1].item_bytes && bytes.size() <= left_bytes_);
  left_bytes_ -= bytes.size();
  Put(bytes);
}

// The length of the next vector, behind the padding that aligns its first item.
void IndexFileWriter::StartVector() {
  VARVE_CHECK(started_ < vectors_.size() && left_bytes_ == 0);
  const IndexVector& vector = vectors_[started_++];
  const std::uint64_t end = flushed_bytes_ + buffer_.size();
  Bytes start(FirstItem(end, vector) - end);
  StoreLittle(start.data() + start.size() - kLengthBytes, static_cast<flatbuffers::uoffset_t>(vector.count));
  Put(start);
  left_bytes_ = vector.count * vector.item_bytes;
}

void IndexFileWriter::Put(ByteSpan bytes) {
  while (!bytes.empty()) {
    const ByteSpan fits = bytes.first(std::min(bytes.size(), kBufferBytes - buffer_.size()));
    buffer_.insert(buffer_.end(), fits.begin(), fits.end());
    bytes = bytes.subspan(fits.size());
    if (buffer_.size() == kBufferBytes) Flush();
  }
}

void IndexFileWriter::Flush() {
  XXH3_64bits_update(hash_->state.get(), buffer_.data(), buffer_.size());
  if (status_.ok()) status_ = file_->WriteAt(kIndexHeaderBytes + flushed_bytes_, buffer_);
  flushed_bytes_ += buffer_.size();
  buffer_.clear();
}

Status IndexFileWriter::Finish() {
  while (started_ < vectors_.size()) StartVector();
  VARVE_CHECK(left_bytes_ == 0);
  Flush();
  VARVE_RETURN_IF_ERROR(status_);
  return file_->WriteAt(0, EncodeIndexHeader(kind_, name_, flushed_bytes_, XXH3_64bits_digest(hash_->state.get())));
}

}  // namespace varve
