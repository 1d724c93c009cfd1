#include "cached/store/chunk_writer.h"

#include <algorithm>

#include "cached/content/sha256.h"

namespace varve {
namespace {

ChunkWriter::Part Encode(Bytes raw, Compressor& compressor) {
  ChunkWriter::Part part{Codec::kRaw, static_cast<std::uint32_t>(raw.size()), {}, {}};
  part.codec = compressor.Compress(raw, part.stored);
  if (part.codec == Codec::kRaw) part.stored = std::move(raw);
  return part;
}

}  // namespace

ChunkWriter::Part CompressPart(const Digest& name, std::uint32_t number, std::uint32_t parts, std::uint64_t total_bytes,
                               ByteSpan bytes, Compressor& compressor) {
  Bytes raw;
  raw.reserve(RecordHeader::kBytes + bytes.size());
  EncodeRecordHeader({name, number, parts, total_bytes}, raw);
  raw.insert(raw.end(), bytes.begin(), bytes.end());
  const Digest sha256 = Sha256Of(raw);
  ChunkWriter::Part part = Encode(std::move(raw), compressor);
  part.sha256 = sha256;
  return part;
}

ChunkWriter::ChunkWriter(Database& database, OpenPacks& packs, Committer& committer, LeaseTable& leases,
                         ThreadPool& pool, const ChunkWriterOptions& options)
    : database_(database), packs_(packs), committer_(committer), pool_(pool), options_(options), session_(leases) {}

ChunkWriter::~ChunkWriter() {
  for (Frame& frame : frames_) frame.coded.wait();
  if (commit_.valid()) commit_.wait();
  if (!uncommitted_.empty())
    committer_.Commit(TakeBatch()).IgnoreError("these chunks only spare a retry their transfer");
  for (const auto& pack : full_packs_) packs_.Return(pack, OpenPacks::Condition::kSound);
  if (pack_ != nullptr) packs_.Return(pack_, pack_condition_);
}

Status ChunkWriter::Add(const Digest& digest, ByteSpan raw) {
  waiting_.push_back({digest, Bytes(raw.begin(), raw.end()), static_cast<std::uint32_t>(locators_.size())});
  locators_.emplace_back();
  if (waiting_.size() >= options_.lookup_batch) return LookUp();
  return Ok();
}

Status ChunkWriter::Flush() {
  VARVE_RETURN_IF_ERROR(LookUp());
  VARVE_RETURN_IF_ERROR(QueueGroup());
  while (!frames_.empty()) VARVE_RETURN_IF_ERROR(AppendFront());
  return Ok();
}

Status ChunkWriter::LookUp() {
  std::vector<bool> alive;
  std::vector<std::string_view> keys;
  for (const Waiting& chunk : waiting_) {
    alive.push_back(session_.Touch(chunk.digest));
    keys.push_back(KeyOf(chunk.digest));
  }
  VARVE_ASSIGN_OR_RETURN(const auto found, database_.MultiGet(Column::kChunk, keys));
  std::vector<Waiting> chunks = std::exchange(waiting_, {});
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const auto& record = found[i];
    store::Placement placement;
    if (alive[i] && record && placement.ParseFromString(*record)) {
      locators_[chunks[i].ordinal] = ToLocator(LocationOf(placement)).Pack();
    } else if (const auto pending = committer_.FindPending(chunks[i].digest)) {
      Depend(chunks[i].digest, chunks[i].ordinal, *pending);
    } else {
      VARVE_RETURN_IF_ERROR(Queue(std::move(chunks[i])));
    }
  }
  return CommitIfMuch();
}

Status ChunkWriter::Queue(Waiting chunk) {
  if (chunk.raw.size() <= kGroupChunkBytesMax) {
    group_.Add(chunk.digest, chunk.raw);
    group_ordinals_.push_back(chunk.ordinal);
    return group_.full() ? QueueGroup() : Ok();
  }
  const auto raw_bytes = static_cast<std::uint32_t>(chunk.raw.size());
  return QueueFrame(FrameKind::kChunk, std::move(chunk.raw), {{chunk.digest, raw_bytes}}, {chunk.ordinal});
}

Status ChunkWriter::QueueGroup() {
  if (group_.empty()) return Ok();
  std::vector<GroupBuilder::Member> members = group_.members();
  return QueueFrame(FrameKind::kGroup, group_.Finish(), std::move(members), std::exchange(group_ordinals_, {}));
}

Status ChunkWriter::QueueFrame(FrameKind kind, Bytes payload, std::vector<GroupBuilder::Member> members,
                               std::vector<std::uint32_t> ordinals) {
  Frame frame{kind, static_cast<std::uint32_t>(payload.size()), std::move(members), std::move(ordinals), {}};
  // A chunk's digest is known; only a group's has to be computed.
  const Digest known = frame.members.front().sha256;
  const int level = options_.zstd_level;
  frame.coded = pool_.Async([kind, known, level, payload = std::move(payload)]() mutable {
    thread_local Compressor compressor(level);
    const Digest sha256 = kind == FrameKind::kGroup ? Sha256Of(payload) : known;
    Part part = Encode(std::move(payload), compressor);
    part.sha256 = sha256;
    return part;
  });
  queued_bytes_ += frame.raw_bytes;
  frames_.push_back(std::move(frame));
  const auto ready = [&] {
    return frames_.front().coded.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  };
  while (!frames_.empty() && (queued_bytes_ > options_.queued_bytes_max || ready()))
    VARVE_RETURN_IF_ERROR(AppendFront());
  return Ok();
}

Status ChunkWriter::AppendFront() {
  Frame frame = std::move(frames_.front());
  frames_.pop_front();
  queued_bytes_ -= frame.raw_bytes;
  VARVE_ASSIGN_OR_RETURN(const PackLocation location, Append(frame.kind, frame.coded.get()));
  for (std::size_t i = 0; i < frame.members.size(); ++i) {
    const GroupBuilder::Member& member = frame.members[i];
    const auto placement = ToPlacement(location, member.raw_length, frame.kind == FrameKind::kGroup);
    Depend(member.sha256, frame.ordinals[i], committer_.AddPending(member.sha256, placement));
  }
  return CommitIfMuch();
}

void ChunkWriter::Depend(const Digest& digest, std::uint32_t ordinal, const store::Placement& pending) {
  const PackLocation location = LocationOf(pending);
  uncommitted_.push_back({digest, location.pack});
  locators_[ordinal] = ToLocator(location).Pack();
}

Result<PackLocation> ChunkWriter::Append(FrameKind kind, const Part& part) {
  if (pack_ != nullptr && pack_->Full(part.raw_bytes)) full_packs_.push_back(std::exchange(pack_, nullptr));
  if (pack_ == nullptr) {
    VARVE_ASSIGN_OR_RETURN(pack_, packs_.Lease());
  }
  // Names go and slots come on a full disk, too: or nothing could be removed from it, and nothing mounted.
  const bool journal = kind == FrameKind::kJournal;
  VARVE_RETURN_IF_ERROR(packs_.CheckRoom(journal ? OpenPacks::kIndexReserveBytes : OpenPacks::kPackReserveBytes));
  auto location = pack_->Append(kind, part.codec, part.stored, part.raw_bytes, part.sha256);
  if (!location.ok()) {
    pack_condition_ = OpenPacks::Condition::kFailed;
    return location.error();
  }
  appended_bytes_ += location->length_bytes;
  return location;
}

Result<store::Parts> ChunkWriter::AppendRecord(FrameKind kind, const Digest& name, ByteSpan bytes) {
  Compressor compressor(options_.zstd_level);
  store::Parts record;
  record.set_total_bytes(bytes.size());
  const std::size_t count = std::max<std::size_t>(1, (bytes.size() + kPartBytesMax - 1) / kPartBytesMax);
  for (std::size_t number = 0; number < count; ++number) {
    const ByteSpan piece =
        bytes.subspan(number * kPartBytesMax, std::min(kPartBytesMax, bytes.size() - number * kPartBytesMax));
    const bool last = number + 1 == count;
    const Part part =
        CompressPart(name, static_cast<std::uint32_t>(number), last ? static_cast<std::uint32_t>(count) : 0,
                     last ? bytes.size() : 0, piece, compressor);
    VARVE_ASSIGN_OR_RETURN(const store::Parts one, AppendParts(kind, std::span(&part, 1), 0));
    *record.add_parts() = one.parts(0);
  }
  return record;
}

Result<store::Parts> ChunkWriter::AppendParts(FrameKind kind, std::span<const Part> parts, std::uint64_t total_bytes) {
  store::Parts record;
  record.set_total_bytes(total_bytes);
  for (const Part& part : parts) {
    VARVE_ASSIGN_OR_RETURN(const PackLocation location, Append(kind, part));
    record_frames_.push_back(location);
    *record.add_parts() = ToPlacement(location, part.raw_bytes, false);
  }
  return record;
}

Committer::Batch ChunkWriter::TakeBatch() {
  Committer::Batch batch;
  batch.chunks = std::exchange(uncommitted_, {});
  batch.frames = std::exchange(record_frames_, {});
  appended_bytes_ = 0;
  return batch;
}

Result<Committer::Batch> ChunkWriter::Finish() {
  VARVE_RETURN_IF_ERROR(Flush());
  if (commit_.valid()) VARVE_RETURN_IF_ERROR(commit_.get());
  return TakeBatch();
}

Status ChunkWriter::CommitIfMuch() {
  if (appended_bytes_ < options_.commit_every_bytes && uncommitted_.size() < options_.commit_every_chunks) return Ok();
  if (commit_.valid()) VARVE_RETURN_IF_ERROR(commit_.get());
  commit_ = committer_.CommitAsync(TakeBatch());
  return Ok();
}

}  // namespace varve
