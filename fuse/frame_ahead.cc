#include "fuse/frame_ahead.h"

#include <algorithm>

namespace varve {

FrameAhead::FrameAhead(PackFiles& packs, FrameCache& cache)
    : packs_(packs), cache_(cache), worker_([this] { Work(); }) {}

FrameAhead::~FrameAhead() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  worker_.join();
}

void FrameAhead::Passed(const Locator& last) {
  MutexLock lock(mutex_);
  Scan& scan = FindScan(last);
  scan.passed = ++passed_;
  const std::uint32_t end = last.offset_bytes + last.length_bytes;
  if (end <= scan.front) return;
  scan.front = end;
  if (++scan.steps < kStepsOfScan || scan.ahead > end + kAheadBytes / 2) return;
  scan.ahead = end + kAheadBytes;
  wanted_ = {last.pack, end, scan.ahead};
  changed_.NotifyAll();
}

FrameAhead::Scan& FrameAhead::FindScan(const Locator& last) {
  for (Scan& scan : scans_) {
    if (scan.pack == last.pack && last.offset_bytes + kStepBytes >= scan.front &&
        last.offset_bytes <= scan.front + kStepBytes)
      return scan;
  }
  Scan& oldest = *std::ranges::min_element(scans_, {}, &Scan::passed);
  oldest = {.pack = last.pack};
  return oldest;
}

void FrameAhead::Work() {
  while (true) {
    Stretch stretch;
    {
      MutexLock lock(mutex_);
      while (!wanted_ && !stopping_) changed_.Wait(lock);
      if (!wanted_) return;
      stretch = *wanted_;
      wanted_.reset();
    }
    Decode(stretch).IgnoreError("whoever asks for the frame is told");
  }
}

Status FrameAhead::Decode(const Stretch& stretch) {
  VARVE_ASSIGN_OR_RETURN(const auto pack, packs_.Get(stretch.pack));
  VARVE_ASSIGN_OR_RETURN(const std::uint64_t size, pack->Size());
  if (stretch.begin >= size) return Ok();
  Bytes buffer(static_cast<std::size_t>(std::min<std::uint64_t>(stretch.end, size) - stretch.begin));
  VARVE_RETURN_IF_ERROR(pack->ReadRawInto(stretch.begin, buffer));
  ByteSpan rest = buffer;
  while (rest.size() >= kFrameHeaderBytes) {
    VARVE_ASSIGN_OR_RETURN(const FrameHeader header, DecodeFrameHeader(rest));
    if (header.FrameBytes() > rest.size()) return Ok();
    const Locator at{.pack = stretch.pack,
                     .offset_bytes = stretch.begin + static_cast<std::uint32_t>(buffer.size() - rest.size()),
                     .length_bytes = header.FrameBytes()};
    if (!IsRecord(header.kind) && cache_.Find(at) == nullptr) {
      VARVE_RETURN_IF_ERROR(cache_.FindOrDecode(at, [&]() -> Result<DecodedFramePtr> {
        VARVE_ASSIGN_OR_RETURN(Bytes payload, DecodePayload(header, rest));
        return std::make_shared<const DecodedFrame>(header.kind, header.sha256, std::move(payload));
      }));
    }
    rest = rest.subspan(header.FrameBytes());
  }
  return Ok();
}

}  // namespace varve
