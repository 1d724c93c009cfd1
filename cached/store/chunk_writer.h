#pragma once

#include <deque>
#include <future>
#include <memory>
#include <span>
#include <vector>

#include "cached/base/thread_pool.h"
#include "cached/content/chunker.h"
#include "cached/pack/group.h"
#include "cached/store/committer.h"
#include "cached/store/lease_table.h"
#include "cached/store/open_packs.h"

namespace varve {

struct ChunkWriterOptions {
  std::size_t lookup_batch = 64;           // chunks looked up together
  std::size_t queued_bytes_max = 4 << 20;  // raw bytes that wait for compression
  // A stream commits by itself after so many bytes of appended frames, which bounds what a crash loses and what one
  // sync has to write, or so many chunks, which bounds the memory that pending placements take.
  std::uint64_t commit_every_bytes = 64 << 20;
  std::size_t commit_every_chunks = 16 << 10;
  int zstd_level = 3;
};

// One layer's way into the packs: looks its chunks up, compresses those that are new on a shared pool, and appends them
// to a leased pack in the order given. Small chunks that are new share frames with their neighbours. Not thread-safe.
//
//   Add → batch of 64 → look up ─ known ─────────────────────────────→ location
//                               └ new → group or alone → pool: zstd → append in order → pending → commit
class ChunkWriter {
 public:
  ChunkWriter(Database& database, OpenPacks& packs, Committer& committer, LeaseTable& leases, ThreadPool& pool,
              const ChunkWriterOptions& options);
  // What was appended and not committed is committed with nothing that refers to it, so that a retry finds it.
  ~ChunkWriter();

  // The n-th call, from 0, gives `locators()[n]` after Flush. `raw` is 1..kChunkBytesMax bytes whose
  // SHA-256 is `digest`; it is copied. Each digest once: one that is on its way is not found by a look-up yet, and
  // would be stored twice.
  Status Add(const Digest& digest, ByteSpan raw);

  // Writes what is queued. After it locators() is complete; nothing need be durable yet.
  Status Flush();
  // As a locator table has them: one word a chunk is all that is kept of what is committed.
  const std::vector<std::uint64_t>& locators() const { return locators_; }

  // Appends `bytes` as a record of one or more frames (after Flush).
  Result<store::Parts> AppendRecord(FrameKind kind, const Digest& name, ByteSpan bytes);
  // A part that was compressed before, see CompressPart.
  struct Part {
    Codec codec;
    std::uint32_t raw_bytes;
    Digest sha256;
    Bytes stored;
  };
  Result<store::Parts> AppendParts(FrameKind kind, std::span<const Part> parts, std::uint64_t total_bytes);

  // Flushes, waits for the commits on the way, and returns the batch for the rest; the caller adds what refers to it
  // and commits.
  Result<Committer::Batch> Finish();

  LeaseTable::Session& session() { return session_; }

 private:
  struct Waiting {
    Digest digest;
    Bytes raw;
    std::uint32_t ordinal;
  };
  // A frame on its way: compressed by the pool, appended in order.
  struct Frame {
    FrameKind kind;
    std::uint32_t raw_bytes;
    std::vector<GroupBuilder::Member> members;  // one, for a chunk
    std::vector<std::uint32_t> ordinals;        // of the members
    std::future<Part> coded;
  };

  Status LookUp();
  Status Queue(Waiting chunk);
  Status QueueGroup();
  Status QueueFrame(FrameKind kind, Bytes payload, std::vector<GroupBuilder::Member> members,
                    std::vector<std::uint32_t> ordinals);
  Status AppendFront();
  // The chunk is pending there: the next commit takes it along.
  void Depend(const Digest& digest, std::uint32_t ordinal, const store::Placement& pending);
  Result<PackLocation> Append(FrameKind kind, const Part& part);
  Committer::Batch TakeBatch();
  Status CommitIfMuch();

  Database& database_;
  OpenPacks& packs_;
  Committer& committer_;
  ThreadPool& pool_;
  const ChunkWriterOptions options_;
  LeaseTable::Session session_;
  std::shared_ptr<PackWriter> pack_;
  std::vector<std::shared_ptr<PackWriter>>
      full_packs_;  // kept until the end, so that the collector stays off what is not committed
  OpenPacks::Condition pack_condition_ = OpenPacks::Condition::kSound;
  std::vector<Waiting> waiting_;
  GroupBuilder group_;
  std::vector<std::uint32_t> group_ordinals_;
  std::deque<Frame> frames_;
  std::size_t queued_bytes_ = 0;
  std::vector<std::uint64_t> locators_;
  std::vector<Committer::Batch::Chunk> uncommitted_;
  std::vector<PackLocation> record_frames_;
  std::uint64_t appended_bytes_ = 0;  // since the last commit
  std::future<Status> commit_;
};

// A record's part, compressed: part `number` of `name`, the last one if `parts` is not 0.
ChunkWriter::Part CompressPart(const Digest& name, std::uint32_t number, std::uint32_t parts, std::uint64_t total_bytes,
                               ByteSpan bytes, Compressor& compressor);
// The most bytes of a record that one part holds.
inline constexpr std::size_t kPartBytesMax = kFrameRawBytesMax - RecordHeader::kBytes;

}  // namespace varve
