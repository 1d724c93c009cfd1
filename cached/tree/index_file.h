#pragma once

#include <flatbuffers/flatbuffers.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "cached/base/bytes.h"
#include "cached/content/digest.h"

namespace varve {

// The envelope of a layer or image index: 64 bytes before the FlatBuffer, which so starts aligned
// (docs/format/layer-index.md).
//   0 magic[8]  8 version u32  12 reserved u32  16 body length u64  24 XXH3-64 of the body u64  32 name: diff ID or
//   chain ID [32]
inline constexpr std::size_t kIndexHeaderBytes = 64;
inline constexpr std::uint32_t kIndexVersion = 1;
// A FlatBuffer cannot be longer than 2 GiB; this bounds what a reader maps.
inline constexpr std::uint64_t kIndexBytesMax = (std::uint64_t{1} << 31) + kIndexHeaderBytes - 1;

enum class IndexKind : std::uint8_t { kLayer, kImage };

// How much of an index to distrust: everything once, when it is written or received; its checksum each time it is
// mapped.
enum class IndexCheck : std::uint8_t { kChecksum, kFull };

// The body of `file`, which must begin at a multiple of 8 (heap and mappings do). kDataLoss if the magic, length or
// checksum is wrong or it is named other than `name`; kFailedPrecondition for a newer version.
Result<ByteSpan> OpenIndexBody(IndexKind kind, const Digest& name, ByteSpan file);

// "layer index sha256:ab…": what every error about an index begins with.
std::string IndexNoun(IndexKind kind, const Digest& name);

// A vector of structs of a FlatBuffer, as the span that it is. (Structs are stored in place; flatbuffers only hands
// them out one by one.)
template <class T>
std::span<const T> SpanOf(const flatbuffers::Vector<const T*>* vector) {
  return {reinterpret_cast<const T*>(vector->Data()), vector->size()};
}

// kDataLoss unless every offset of the table is inside `body` and every vector is there. Says nothing of the structs'
// values.
template <class Table>
Status VerifyFlatBuffer(ByteSpan body) {
  flatbuffers::Verifier verifier(reinterpret_cast<const std::uint8_t*>(body.data()), body.size());
  if (!verifier.VerifyBuffer<Table>(nullptr)) return Error(Code::kDataLoss, "not a FlatBuffer of its schema");
  return Ok();
}

// Writes an index into one allocation of the right size. An index is as large as what it is made from, so a buffer that
// doubles as it grows, and is copied behind its envelope at the end, would cost three times its size.
class IndexFileWriter : private flatbuffers::Allocator {
 public:
  // `vector_bytes` is the sum over all vectors; kResourceExhausted if that is more than a FlatBuffer can hold.
  static Result<std::unique_ptr<IndexFileWriter>> Create(std::uint64_t vector_bytes);

  flatbuffers::FlatBufferBuilder& buffer() { return buffer_; }

  // Room for `count` structs, zeroed; to be filled before Finish.
  template <class T>
  struct Structs {
    flatbuffers::Offset<flatbuffers::Vector<const T*>> offset;
    std::span<T> items;
  };
  template <class T>
  Structs<T> AddStructs(std::size_t count) {
    T* first = nullptr;
    const auto offset =
        buffer_.CreateVectorOfStructs<T>(count, [&](std::size_t i, T* item) { first = i == 0 ? item : first; });
    return {offset, {first, count}};
  }
  template <class T>
  flatbuffers::Offset<flatbuffers::Vector<const T*>> AddStructs(std::span<const T> items) {
    return buffer_.CreateVectorOfStructs(items.data(), items.size());
  }

  // The whole file. `root` is the table, not yet finished. The writer is spent.
  template <class Table>
  Bytes Finish(IndexKind kind, const Digest& name, flatbuffers::Offset<Table> root) {
    buffer_.Finish(root);
    return Seal(kind, name);
  }

 private:
  explicit IndexFileWriter(std::size_t body_bytes) : file_(kIndexHeaderBytes + body_bytes), buffer_(body_bytes, this) {}
  std::uint8_t* allocate(std::size_t size) override;
  void deallocate(std::uint8_t* /*bytes*/, std::size_t /*size*/) override {}
  Bytes Seal(IndexKind kind, const Digest& name);

  Bytes file_;
  bool allocated_ = false;
  flatbuffers::FlatBufferBuilder buffer_;
};

}  // namespace varve
