#include "cached/tree/locator_table.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "cached/base/check.h"
#include "cached/content/sha256.h"

namespace varve {
namespace {

constexpr std::string_view kMagic = "VRVLOCAT";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeaderBytes = 64;

constexpr std::uint32_t kUnitBytes = 128;
constexpr unsigned kOffsetBits = 28;
constexpr unsigned kLengthBits = 12;
constexpr unsigned kPackBits = 24;
static_assert(kPackBits + kOffsetBits + kLengthBits == 64);
static_assert(std::atomic_ref<std::uint64_t>::is_always_lock_free);

std::array<std::byte, kHeaderBytes> EncodeHeader(const Digest& diff_id, std::size_t chunk_count) {
  std::array<std::byte, kHeaderBytes> header{};
  std::ranges::copy(AsBytes(kMagic), header.begin());
  StoreLittle<std::uint32_t>(header.data() + 8, kVersion);
  StoreLittle<std::uint64_t>(header.data() + 16, chunk_count);
  std::ranges::copy(diff_id.bytes, header.begin() + 24);
  StoreLittle<std::uint64_t>(header.data() + 56, Xxh3Of(ByteSpan(header).first(56)));
  return header;
}

std::atomic_ref<std::uint64_t> WordAt(ByteSpan file, std::uint32_t ordinal) {
  // A reader's mapping is read-only, but atomic_ref knows no const; loading is all that a reader does.
  auto* word = const_cast<std::byte*>(file.data()) + kHeaderBytes + std::size_t{ordinal} * sizeof(std::uint64_t);
  return std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(word));
}

}  // namespace

Locator Locator::Unpack(std::uint64_t word) {
  return {.pack = static_cast<std::uint32_t>(word >> (kOffsetBits + kLengthBits)),
          .offset_bytes = static_cast<std::uint32_t>(word >> kLengthBits) & ((1u << kOffsetBits) - 1),
          .length_bytes = static_cast<std::uint32_t>(word & ((1u << kLengthBits) - 1)) * kUnitBytes};
}

std::uint64_t Locator::Pack() const {
  VARVE_CHECK(pack < 1u << kPackBits && offset_bytes < 1u << kOffsetBits && offset_bytes % kUnitBytes == 0);
  VARVE_CHECK(length_bytes % kUnitBytes == 0 && length_bytes / kUnitBytes < 1u << kLengthBits);
  return std::uint64_t{pack} << (kOffsetBits + kLengthBits) | std::uint64_t{offset_bytes} << kLengthBits |
         length_bytes / kUnitBytes;
}

Bytes LocatorTable::Encode(const Digest& diff_id, std::span<const std::uint64_t> words) {
  Bytes file(kHeaderBytes + words.size_bytes());
  std::ranges::copy(EncodeHeader(diff_id, words.size()), file.begin());
  std::ranges::copy(std::as_bytes(words), file.begin() + kHeaderBytes);
  return file;
}

Result<LocatorTable> LocatorTable::Open(Fs& fs, const std::string& path, const Digest& diff_id, std::size_t chunk_count,
                                        Access access) {
  VARVE_ASSIGN_OR_RETURN(MappedFile file,
                         access == Access::kReadOnly ? MappedFile::Open(fs, path) : MappedFile::OpenWritable(fs, path));
  const auto header = EncodeHeader(diff_id, chunk_count);
  if (file.bytes().size() != kHeaderBytes + chunk_count * sizeof(std::uint64_t) ||
      !std::ranges::equal(file.bytes().first(kHeaderBytes), header)) {
    return Error(Code::kDataLoss, fmt::format("{}: not the locator table of layer {} with {} chunks", path,
                                              diff_id.ToString(), chunk_count));
  }
  return LocatorTable(std::move(file), chunk_count);
}

Locator LocatorTable::Get(std::uint32_t ordinal) const {
  VARVE_CHECK(ordinal < size_);
  return Locator::Unpack(WordAt(file_.bytes(), ordinal).load(std::memory_order_acquire));
}

void LocatorTable::Set(std::uint32_t ordinal, const Locator& locator) {
  VARVE_CHECK(ordinal < size_);
  WordAt(file_.writable(), ordinal).store(locator.Pack(), std::memory_order_seq_cst);
}

}  // namespace varve
