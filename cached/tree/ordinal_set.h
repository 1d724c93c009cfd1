#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace varve {

inline constexpr std::uint32_t kNoOrdinal = UINT32_MAX;

// A hash set of ordinals into a table that its owner keeps: 8 to 16 bytes each, where a node of std::unordered_set
// takes 40. The owner says what equal means and what hash a member has; nothing is ever removed. Open addressing, at
// most half full.
class OrdinalSet {
 public:
  // The member for which `equal` holds, of those with `hash`; kNoOrdinal if there is none.
  template <class Equal>
  std::uint32_t Find(std::uint64_t hash, Equal equal) const {
    if (slots_.empty()) return kNoOrdinal;
    std::size_t at = hash & (slots_.size() - 1);
    while (slots_[at] != kNoOrdinal && !equal(slots_[at])) at = (at + 1) & (slots_.size() - 1);
    return slots_[at];
  }

  // `ordinal` must be none that is there; `hash_of` gives the hash of any member.
  template <class HashOf>
  void Insert(std::uint32_t ordinal, HashOf hash_of) {
    if (2 * (size_ + 1) > slots_.size()) {
      std::vector<std::uint32_t> old(slots_.empty() ? 64 : slots_.size() * 2, kNoOrdinal);
      old.swap(slots_);
      for (const std::uint32_t member : old) {
        if (member != kNoOrdinal) Place(member, hash_of(member));
      }
    }
    Place(ordinal, hash_of(ordinal));
    ++size_;
  }

 private:
  void Place(std::uint32_t ordinal, std::uint64_t hash) {
    std::size_t at = hash & (slots_.size() - 1);
    while (slots_[at] != kNoOrdinal) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = ordinal;
  }

  std::vector<std::uint32_t> slots_;  // a power of two
  std::size_t size_ = 0;
};

}  // namespace varve
