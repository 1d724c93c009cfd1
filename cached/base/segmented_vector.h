#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace varve {

// A vector that grows by pieces of kSegmentItems: items stay where they are, and growing never holds all of them twice,
// which is what counts where a table is most of a process's memory.
template <class T>
class SegmentedVector {
 public:
  static constexpr std::size_t kSegmentItems = 4096;

  template <class... Args>
  T& emplace_back(Args&&... args) {
    if (size_ % kSegmentItems == 0) segments_.emplace_back().reserve(kSegmentItems);
    ++size_;
    return segments_.back().emplace_back(std::forward<Args>(args)...);
  }
  T& push_back(const T& item) { return emplace_back(item); }

  T& operator[](std::size_t i) { return segments_[i / kSegmentItems][i % kSegmentItems]; }
  const T& operator[](std::size_t i) const { return segments_[i / kSegmentItems][i % kSegmentItems]; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // In order, all items together.
  std::span<const std::vector<T>> segments() const { return segments_; }

 private:
  std::vector<std::vector<T>> segments_;
  std::size_t size_ = 0;
};

}  // namespace varve
