#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "cached/base/mutex.h"

namespace varve {

// Large buffers of one size, lent for the length of a request. A few are kept: one a worker would hold on to memory
// that is hardly ever used by all at once. What was never written takes no memory. Thread-safe; must outlive its loans.
class BufferPool {
 public:
  BufferPool(std::size_t buffer_bytes, std::size_t kept) : buffer_bytes_(buffer_bytes), kept_(kept) {}

  class Loan {
   public:
    Loan(Loan&&) = default;
    ~Loan() {
      if (buffer_ != nullptr) pool_.Return(std::move(buffer_));
    }
    std::span<std::byte> bytes() const { return {buffer_.get(), pool_.buffer_bytes_}; }

   private:
    friend class BufferPool;
    Loan(BufferPool& pool, std::unique_ptr<std::byte[]> buffer) : pool_(pool), buffer_(std::move(buffer)) {}
    BufferPool& pool_;
    std::unique_ptr<std::byte[]> buffer_;
  };

  Loan Borrow() {
    {
      MutexLock lock(mutex_);
      if (!free_.empty()) {
        auto buffer = std::move(free_.back());
        free_.pop_back();
        return {*this, std::move(buffer)};
      }
    }
    return {*this, std::make_unique_for_overwrite<std::byte[]>(buffer_bytes_)};
  }

 private:
  void Return(std::unique_ptr<std::byte[]> buffer) {
    MutexLock lock(mutex_);
    if (free_.size() < kept_) free_.push_back(std::move(buffer));
  }

  const std::size_t buffer_bytes_;
  const std::size_t kept_;
  Mutex mutex_;
  std::vector<std::unique_ptr<std::byte[]>> free_ GUARDED_BY(mutex_);  // the last used behind
};

}  // namespace varve
