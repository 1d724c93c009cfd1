#pragma once

#include <flatbuffers/flatbuffers.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cached/base/bytes.h"
#include "cached/base/fs.h"
#include "cached/base/segmented_vector.h"
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

// A vector of an index that will be written: the field of the table that points at it, and its size.
struct IndexVector {
  flatbuffers::voffset_t field;
  std::size_t count;
  std::size_t item_bytes;
  std::size_t alignment;

  template <class T>
  static IndexVector Of(flatbuffers::voffset_t field, std::size_t count) {
    return {field, count, sizeof(T), alignof(T)};
  }
};

// Writes an index to a file as a stream. A FlatBuffer is usually built whole in memory, from its end on; but its
// vectors may lie anywhere behind the table, so once their lengths are known the table comes first, and then the
// vectors, of which no more than a buffer is in memory. Errors stick, and Finish returns them.
class IndexFileWriter {
 public:
  // `file` is empty and must outlive the writer. `table` is the finished table, all of whose vectors are there and
  // empty; `vectors` are all of them, in the order of the file. kResourceExhausted if a FlatBuffer cannot hold them.
  static Result<IndexFileWriter> Create(File& file, IndexKind kind, const Digest& name,
                                        const flatbuffers::FlatBufferBuilder& table, std::vector<IndexVector> vectors);
  IndexFileWriter(IndexFileWriter&&) noexcept;
  ~IndexFileWriter();

  // The next items of the vectors, in the order that was announced; exactly as many as were (VARVE_CHECK).
  template <class T>
  void Append(std::span<const T> items) {
    AppendItems(std::as_bytes(items), sizeof(T));
  }
  template <class T>
  void AppendOne(const T& item) {
    Append(std::span<const T>(&item, 1));
  }
  template <class T>
  void Append(const SegmentedVector<T>& items) {
    for (const std::vector<T>& segment : items.segments()) Append(std::span(segment));
  }

  Status Finish();

 private:
  struct Hash;
  IndexFileWriter(File& file, IndexKind kind, const Digest& name, std::vector<IndexVector> vectors);
  void AppendItems(ByteSpan bytes, std::size_t item_bytes);
  void StartVector();
  void Put(ByteSpan bytes);
  void Flush();

  File* file_;
  IndexKind kind_;
  Digest name_;
  std::vector<IndexVector> vectors_;
  std::unique_ptr<Hash> hash_;
  Bytes buffer_;
  std::uint64_t flushed_bytes_ = 0;  // of the body
  std::size_t started_ = 0;          // vectors
  std::size_t left_bytes_ = 0;       // of the vector that was started last
  Status status_;
};

}  // namespace varve
