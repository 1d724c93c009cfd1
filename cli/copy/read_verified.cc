#include "cli/copy/read_verified.h"

#include <fmt/core.h>

#include "cached/content/sha256.h"

namespace varve {
namespace {

// How much arrives between two events.
constexpr std::uint64_t kEventBytes = 1 << 20;

using Layer = v1::PullEvent::Layer;

class Verifier {
 public:
  Verifier(std::span<const Descriptor> blobs, BlobSink& sink, const DaemonClient::OnPullEvent& on_event)
      : blobs_(blobs), sink_(sink), on_event_(on_event) {}

  Status Take(std::size_t blob, ByteSpan piece) {
    if (blob < at_ || blob >= blobs_.size()) return Error(Code::kInternal, "a blob that nobody asked for");
    VARVE_RETURN_IF_ERROR(EndUntil(blob));
    VARVE_RETURN_IF_ERROR(Begin());
    size_bytes_ += piece.size();
    if (size_bytes_ > blobs_[at_].size_bytes) return Wrong("is longer than its manifest says");
    hash_.Update(piece);
    if (size_bytes_ - told_bytes_ >= kEventBytes) Tell(Layer::DOWNLOADING);
    return sink_.Take(piece);
  }

  // Those before `blob` are whole.
  Status EndUntil(std::size_t blob) {
    for (; at_ < blob; ++at_, begun_ = false) {
      VARVE_RETURN_IF_ERROR(Begin());  // of no bytes
      if (size_bytes_ != blobs_[at_].size_bytes) return Wrong(fmt::format("ended after {} bytes", size_bytes_));
      const Digest got = hash_.Finish();
      if (got != blobs_[at_].digest) return Wrong("digest mismatch (got " + got.ToString() + ")");
      VARVE_RETURN_IF_ERROR(sink_.End());
      Tell(Layer::DONE);
    }
    return Ok();
  }

 private:
  Status Begin() {
    if (begun_) return Ok();
    begun_ = true;
    size_bytes_ = 0;
    Tell(Layer::DOWNLOADING);
    return sink_.Begin(blobs_[at_]);
  }
  Error Wrong(const std::string& how) const {
    return {Code::kDataLoss, "blob " + blobs_[at_].digest.ToString() + ": " + how};
  }
  void Tell(Layer::State state) {
    told_bytes_ = size_bytes_;
    v1::PullEvent event;
    Layer& layer = *event.add_layers();
    layer.set_digest(blobs_[at_].digest.ToString());
    layer.set_state(state);
    layer.set_done_bytes(size_bytes_);
    layer.set_total_bytes(blobs_[at_].size_bytes);
    on_event_(event);
  }

  const std::span<const Descriptor> blobs_;
  BlobSink& sink_;
  const DaemonClient::OnPullEvent& on_event_;
  std::size_t at_ = 0;
  bool begun_ = false;  // the blob at `at_`
  Sha256 hash_;         // of the blob at `at_`, as far as it has come
  std::uint64_t size_bytes_ = 0;
  std::uint64_t told_bytes_ = 0;
};

}  // namespace

Status ReadVerified(CopySource& source, std::span<const Descriptor> blobs, BlobSink& sink,
                    const DaemonClient::OnPullEvent& on_event) {
  Verifier verifier(blobs, sink, on_event);
  VARVE_RETURN_IF_ERROR(
      source.Read(blobs, [&](std::size_t blob, ByteSpan piece) { return verifier.Take(blob, piece); }));
  return verifier.EndUntil(blobs.size());
}

}  // namespace varve
