#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "cached/base/fs.h"
#include "cached/content/digest.h"

namespace varve {

// Where a chunk's frame lies in the packs, as one word (docs/format/locator-table.md): 24 bits pack, 28 bits byte
// offset, 12 bits frame length in units of 128 bytes. Pack 0 is never used: the word 0 says "absent". A word is a hint:
// the frame itself says what it is.
struct Locator {
  std::uint32_t pack = 0;
  std::uint32_t offset_bytes = 0;  // a multiple of 128
  std::uint32_t length_bytes = 0;  // a multiple of 128

  bool operator==(const Locator&) const = default;

  static Locator Unpack(std::uint64_t word);  // word 0: pack 0
  // Values out of range are our bug (VARVE_CHECK).
  std::uint64_t Pack() const;
};

// The local companion of one layer index: a word for each chunk ordinal, in a file that the daemon writes and every
// reader maps. Words are stored with release and loaded with acquire order, so readers need no lock. Thread-safe.
class LocatorTable {
 public:
  // The file of a table of `words`. Never written in place: a table that shrank under its readers' mappings would kill
  // them.
  static Bytes Encode(const Digest& diff_id, std::span<const std::uint64_t> words);

  enum class Access { kReadOnly, kReadWrite };
  // kDataLoss if it is not the table of `diff_id` with `chunk_count` words.
  static Result<LocatorTable> Open(Fs& fs, const std::string& path, const Digest& diff_id, std::size_t chunk_count,
                                   Access access);

  Locator Get(std::uint32_t ordinal) const;
  // kReadWrite only. What the caller looks up behind it is looked up after it is seen (store::SetWord).
  void Set(std::uint32_t ordinal, const Locator& locator);
  std::size_t size() const { return size_; }
  ByteSpan bytes() const { return file_.bytes(); }  // the mapping

 private:
  LocatorTable(MappedFile file, std::size_t size) : file_(std::move(file)), size_(size) {}

  MappedFile file_;
  std::size_t size_;
};

}  // namespace varve
