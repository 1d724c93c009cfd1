#include "cached/ingest/decompressor.h"

#include <fmt/core.h>

#include <algorithm>

#include "cached/ingest/stream_decoder.h"

namespace varve {
namespace {

constexpr std::size_t kInputBlockBytes = 256 << 10;

}  // namespace

Decompressor::Decompressor(ByteSource& compressed, DecompressOptions options, BeforeMember before_member)
    : compressed_(compressed), options_(options), before_member_(std::move(before_member)), block_(kInputBlockBytes) {}

Decompressor::~Decompressor() = default;

Result<std::size_t> Decompressor::Read(std::span<std::byte> into) {
  if (!sniffed_) VARVE_RETURN_IF_ERROR(Sniff());
  std::size_t filled = 0;
  while (filled < into.size() && !ended_) {
    VARVE_ASSIGN_OR_RETURN(const std::size_t more, ReadSome(into.subspan(filled)));
    filled += more;
    output_bytes_ += more;
    VARVE_RETURN_IF_ERROR(CheckLimits());
  }
  return filled;
}

// Moves what is left of the block to its front and reads behind it, at most once.
Status Decompressor::Refill() {
  const auto end = std::copy(input_.begin(), input_.end(), block_.begin());
  const std::span<std::byte> room(end, block_.end());
  VARVE_ASSIGN_OR_RETURN(const std::size_t size, compressed_.Read(room));
  source_ended_ = size == 0;
  input_bytes_ += size;
  input_ = ByteSpan(block_).first(input_.size() + size);
  return Ok();
}

Status Decompressor::FillHead() {
  while (input_.size() < kMemberHeadBytes && !source_ended_) VARVE_RETURN_IF_ERROR(Refill());
  return Ok();
}

Status Decompressor::Sniff() {
  sniffed_ = true;
  VARVE_RETURN_IF_ERROR(FillHead());
  for (const auto& make : {MakeGzipDecoder, MakeZstdDecoder, MakeBzip2Decoder, MakeXzDecoder}) {
    decoder_ = make();
    if (decoder_->StartsWith(input_)) return Ok();
  }
  decoder_.reset();
  return Ok();
}

Result<std::size_t> Decompressor::ReadSome(std::span<std::byte> into) {
  if (decoder_ == nullptr) return ReadPlain(into);
  if (!in_member_) {
    VARVE_RETURN_IF_ERROR(StartMember());
    if (ended_) return 0;
  }
  if (input_.empty() && !source_ended_) VARVE_RETURN_IF_ERROR(Refill());
  auto step = decoder_->Decode(input_, into);
  if (!step.ok()) return step.error().In(fmt::format("near byte {} of the compressed stream", consumed_bytes()));
  input_ = input_.subspan(step->consumed_bytes);
  in_member_ = !step->member_ended;
  if (in_member_ && source_ended_ && step->consumed_bytes == 0 && step->produced_bytes == 0) {
    return Error(Code::kDataLoss, fmt::format("{}: truncated after {} bytes", decoder_->name(), input_bytes_));
  }
  return step->produced_bytes;
}

Result<std::size_t> Decompressor::ReadPlain(std::span<std::byte> into) {
  if (input_.empty()) {
    VARVE_ASSIGN_OR_RETURN(const std::size_t size, compressed_.Read(into));
    input_bytes_ += size;
    ended_ = size == 0;
    return size;
  }
  const std::size_t size = std::min(into.size(), input_.size());
  std::copy_n(input_.begin(), size, into.begin());
  input_ = input_.subspan(size);
  return size;
}

Status Decompressor::StartMember() {
  VARVE_RETURN_IF_ERROR(FillHead());
  if (decoder_->StartsWith(input_)) {
    VARVE_RETURN_IF_ERROR(before_member_(decoder_->WindowBytes(input_)));
    decoder_->StartMember();
    in_member_ = true;
    return Ok();
  }
  return SkipPadding();
}

Status Decompressor::SkipPadding() {
  while (true) {
    const auto other = std::find_if(input_.begin(), input_.end(), [](std::byte b) { return b != std::byte{0}; });
    if (other != input_.end()) {
      const auto offset = consumed_bytes() + static_cast<std::uint64_t>(other - input_.begin());
      return Error(Code::kDataLoss,
                   fmt::format("{}: garbage behind the compressed data, at byte {}", decoder_->name(), offset));
    }
    input_ = {};
    if (source_ended_) break;
    VARVE_RETURN_IF_ERROR(Refill());
  }
  ended_ = true;
  return Ok();
}

Status Decompressor::CheckLimits() const {
  if (output_bytes_ > options_.max_output_bytes) {
    return Error(Code::kResourceExhausted,
                 fmt::format("decompresses to more than the limit of {} bytes", options_.max_output_bytes));
  }
  if (decoder_ != nullptr && output_bytes_ > kRatioFreeBytes && output_bytes_ / options_.max_ratio > consumed_bytes()) {
    return Error(Code::kResourceExhausted, fmt::format("{} compressed bytes became {}: more than the limit of {} to 1",
                                                       consumed_bytes(), output_bytes_, options_.max_ratio));
  }
  return Ok();
}

}  // namespace varve
