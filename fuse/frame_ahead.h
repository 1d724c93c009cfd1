#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <thread>

#include "cached/base/mutex.h"
#include "fuse/buffer_pool.h"
#include "fuse/frame_cache.h"
#include "fuse/pack_files.h"

namespace varve {

// Decodes what a reader of many files will want next, on a thread of its own.
//
// A reader that goes through a tree (tar, grep -r, a build context) waits for one small file after the other: the
// kernel reads ahead within a file, not across files, so one CPU reads, decodes and copies while the others sleep. But
// a pack holds chunks in the order of the layer's tar, which is mostly that of the tree. So once files end in frames
// that lie a little behind one another, the frames that follow are decoded into the frame cache before anybody asks. A
// wrong guess costs the decoding of kAheadBytes at most; an error is left to the reader who asks for that frame.
//
// Example, with frames of 16 KiB: files end in those at 96, 112 and 128 KiB. The third makes it a scan, and what lies
// from 144 to 656 KiB is decoded; once the reader has passed 400 KiB, so is what follows. Small chunks share groups,
// which lie behind the larger chunks that came between them, so a reader in the order of the tree steps back, too: what
// lies up to kStepBytes to either side of the furthest frame belongs to the scan.
//
// Measured: docs/design/fuse.md. Thread-safe.
class FrameAhead {
 public:
  static constexpr std::uint32_t kAheadBytes = 512 << 10;  // stored
  static constexpr std::uint32_t kStepBytes = 512 << 10;
  static constexpr int kStepsOfScan = 3;

  // Both must outlive it.
  FrameAhead(PackFiles& packs, FrameCache& cache);
  // Finishes what it is at.
  ~FrameAhead();

  // Says that a small file was asked for whose end lies in the frame `last`.
  void Passed(const Locator& last) EXCLUDES(mutex_);

 private:
  // What one reader seems to go through.
  struct Scan {
    std::uint32_t pack = 0;
    std::uint32_t front = 0;  // where the furthest frame that was passed ends
    std::uint32_t ahead = 0;  // up to where frames have been wanted
    int steps = 0;
    std::uint64_t passed = 0;  // when, in `passed_`
  };
  // Of a pack, from where a frame begins.
  struct Stretch {
    std::uint32_t pack = 0;
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
  };
  Scan& FindScan(const Locator& last) REQUIRES(mutex_);
  void Work();
  Status Decode(const Stretch& stretch);

  PackFiles& packs_;
  FrameCache& cache_;
  Mutex mutex_;
  CondVar changed_;
  std::array<Scan, 4> scans_ GUARDED_BY(mutex_);
  std::uint64_t passed_ GUARDED_BY(mutex_) = 0;
  std::optional<Stretch> wanted_ GUARDED_BY(mutex_);  // replaces one that was not begun: its reader has passed it
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread worker_;
};

}  // namespace varve
