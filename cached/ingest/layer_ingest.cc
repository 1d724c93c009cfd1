#include "cached/ingest/layer_ingest.h"

#include <malloc.h>

#include <cstring>
#include <thread>

#include "cached/base/mutex.h"
#include "cached/content/sha256.h"
#include "cached/ingest/queue_source.h"
#include "cached/ingest/tar_reader.h"
#include "cached/ingest/tar_recipe.h"

namespace varve {
namespace {

// A layer's turn among large ones, taken by whichever of its two threads finds first that the layer is large.
class LayerTurn {
 public:
  LayerTurn(Store& store, std::size_t large_bytes, const CancelToken& cancel)
      : store_(store), large_bytes_(large_bytes), cancel_(cancel) {}

  Status TakeIfLarge(std::uint64_t bytes) EXCLUDES(mutex_) {
    if (bytes <= large_bytes_) return Ok();
    MutexLock lock(mutex_);
    if (turn_ != nullptr) return Ok();
    VARVE_ASSIGN_OR_RETURN(turn_, store_.TakeLargeTurn([this]() -> Status {
      VARVE_RETURN_IF_ERROR(cancel_.Check());
      return given_up_.Check();
    }));
    return Ok();
  }
  // Whoever waits is told to stop.
  void GiveUp() { given_up_.Cancel(); }
  Store::LargeTurn Release() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return std::move(turn_);
  }

 private:
  Store& store_;
  const std::size_t large_bytes_;
  const CancelToken& cancel_;
  CancelToken given_up_;
  Mutex mutex_;  // held while one waits for the turn: the other would wait for the same (docs/design/locking.md)
  Store::LargeTurn turn_ GUARDED_BY(mutex_);
};

// Inflates and hashes on a thread of its own; the destructor gives up and joins.
class InflateStage {
 public:
  InflateStage(ByteSource& compressed, const LayerIngestOptions& options, LayerTurn& turn)
      : options_(options), turn_(turn), plain_(options.queued_blocks) {
    thread_ = std::thread([this, &compressed] { plain_.Finish(Work(compressed)); });
  }
  ~InflateStage() {
    turn_.GiveUp();
    plain_.Abandon();
    if (thread_.joinable()) thread_.join();
  }

  ByteSource& plain() { return plain_; }
  struct Sum {
    Digest diff_id;
    std::uint64_t tar_bytes = 0;
  };
  // After plain() has ended.
  Sum Finish() {
    thread_.join();
    return {hash_.Finish(), tar_bytes_};
  }

 private:
  Status Work(ByteSource& compressed) {
    Decompressor decompressor(compressed, options_.decompress,
                              [this](std::uint64_t window_bytes) { return turn_.TakeIfLarge(window_bytes); });
    while (true) {
      Bytes block(options_.block_bytes);
      VARVE_ASSIGN_OR_RETURN(const std::size_t size, decompressor.Read(block));
      if (size == 0) return Ok();
      block.resize(size);
      hash_.Update(block);
      tar_bytes_ += size;
      VARVE_RETURN_IF_ERROR(plain_.Push(std::move(block)));
    }
  }

  const LayerIngestOptions& options_;
  LayerTurn& turn_;
  QueueSource plain_;
  Sha256 hash_;
  std::uint64_t tar_bytes_ = 0;
  std::thread thread_;
};

// Gathers the recipe's blocks, compressed: they are appended only once the layer is known to be what it claims.
class RecipeParts {
 public:
  RecipeParts(const Digest& diff_id, int zstd_level) : diff_id_(diff_id), compressor_(zstd_level) {}

  // The last block is held back: only its part says how many there are.
  Status Add(ByteSpan block) {
    if (!last_.empty()) Push(0, 0);
    last_.assign(block.begin(), block.end());
    bytes_ += block.size();
    return Ok();
  }
  std::vector<ChunkWriter::Part> Finish() {
    Push(static_cast<std::uint32_t>(parts_.size()) + 1, bytes_);
    return std::move(parts_);
  }
  std::uint64_t bytes() const { return bytes_; }

 private:
  void Push(std::uint32_t count, std::uint64_t total) {
    parts_.push_back(
        CompressPart(diff_id_, static_cast<std::uint32_t>(parts_.size()), count, total, last_, compressor_));
  }

  const Digest diff_id_;
  Compressor compressor_;
  std::vector<ChunkWriter::Part> parts_;
  Bytes last_;
  std::uint64_t bytes_ = 0;
};

static_assert(kTarRecipeBlockBytesMax <= kPartBytesMax, "a block of a tar recipe is one part of a record");

class Ingest {
 public:
  Ingest(const Chunker& chunker, ChunkWriter& writer, const Digest& diff_id, const LayerIngestOptions& options,
         LayerTurn& turn)
      : chunker_(chunker),
        writer_(writer),
        turn_(turn),
        builder_(options.layer),
        parts_(diff_id, kRecipeZstdLevel),
        recipe_([this](ByteSpan block) { return parts_.Add(block); }),
        buffer_(4 * std::size_t{chunker_.options().max_bytes}) {}

  Status TakeEntries(ByteSource& plain, const TarLimits& limits) {
    TarReader reader(plain, limits, [this](ByteSpan bytes) {
      recipe_.Literal(bytes).IgnoreError("the recipe's errors stick, and Finish returns them");
    });
    while (true) {
      VARVE_ASSIGN_OR_RETURN(const std::optional<Entry> entry, reader.Next());
      if (!entry) return reader.DrainTail();
      extents_.clear();
      if (entry->type == EntryType::kFile) VARVE_RETURN_IF_ERROR(TakeContent(reader, *entry));
      VARVE_RETURN_IF_ERROR(builder_.Add(*entry, extents_));
      VARVE_RETURN_IF_ERROR(turn_.TakeIfLarge(builder_.size_bytes()));
    }
  }

  Result<Store::LayerCommit> Finish(const InflateStage::Sum& sum, std::unique_ptr<IndexDraft> index) {
    VARVE_RETURN_IF_ERROR(recipe_.Finish(sum.diff_id, sum.tar_bytes));
    Store::LayerCommit layer;
    layer.diff_id = sum.diff_id;
    layer.tar_bytes = sum.tar_bytes;
    layer.recipe_bytes = parts_.bytes();
    layer.recipe = parts_.Finish();
    VARVE_RETURN_IF_ERROR(builder_.Finish(index->file(), sum.diff_id, sum.tar_bytes));
    layer.index = std::move(index);
    layer.chunk_count = chunk_count_;
    // The builder's memory is free now, but still ours, and CommitLayer maps an index of that size.
    layer.turn = turn_.Release();
    if (layer.turn != nullptr) ::malloc_trim(0);
    return layer;
  }

 private:
  static constexpr int kRecipeZstdLevel = 6;

  Status TakeContent(TarReader& reader, const Entry& entry) {
    if (entry.segments.empty()) return TakeRun(reader, 0, entry.size_bytes);
    for (const Segment& segment : entry.segments)
      VARVE_RETURN_IF_ERROR(TakeRun(reader, segment.offset, segment.length));
    return Ok();
  }

  // Cuts `length` bytes that belong at `offset` of the file.
  Status TakeRun(TarReader& reader, std::uint64_t offset, std::uint64_t length) {
    std::size_t begin = 0;
    std::size_t end = 0;
    while (length > 0 || begin < end) {
      if (length > 0 && end - begin < chunker_.options().max_bytes) {
        std::memmove(buffer_.data(), buffer_.data() + begin, end - begin);
        end -= begin;
        begin = 0;
        VARVE_RETURN_IF_ERROR(Fill(reader, length, end));
      }
      const std::size_t cut = chunker_.Cut(ByteSpan(buffer_).subspan(begin, end - begin));
      VARVE_RETURN_IF_ERROR(TakeChunk(ByteSpan(buffer_).subspan(begin, cut), offset));
      begin += cut;
      offset += cut;
    }
    return Ok();
  }

  Status Fill(TarReader& reader, std::uint64_t& left, std::size_t& end) {
    while (left > 0 && end < buffer_.size()) {
      const std::size_t room = std::min<std::uint64_t>(buffer_.size() - end, left);
      VARVE_ASSIGN_OR_RETURN(const std::size_t size, reader.ReadContent(std::span(buffer_).subspan(end, room)));
      if (size == 0) return Error(Code::kInternal, "a tar entry's content is shorter than its entry says");
      end += size;
      left -= size;
    }
    return Ok();
  }

  Status TakeChunk(ByteSpan raw, std::uint64_t offset) {
    const Digest digest = Sha256Of(raw);
    const auto length = static_cast<std::uint32_t>(raw.size());
    const std::uint32_t ordinal = builder_.AddChunk(digest, length);
    if (ordinal == chunk_count_) {
      ++chunk_count_;
      VARVE_RETURN_IF_ERROR(writer_.Add(digest, raw));
      VARVE_RETURN_IF_ERROR(turn_.TakeIfLarge(builder_.size_bytes()));
    }
    extents_.push_back({offset, ordinal, length});
    return recipe_.Chunk(ordinal);
  }

  const Chunker& chunker_;
  ChunkWriter& writer_;
  LayerTurn& turn_;
  LayerIndexBuilder builder_;
  RecipeParts parts_;
  TarRecipeWriter recipe_;
  Bytes buffer_;
  std::vector<FileExtent> extents_;
  std::uint32_t chunk_count_ = 0;
};

}  // namespace

Result<Store::LayerCommit> IngestLayer(Store& store, ChunkWriter& writer, ByteSource& compressed, const Digest& diff_id,
                                       const LayerIngestOptions& options, const CancelToken& cancel) {
  LayerTurn turn(store, options.large_bytes, cancel);
  InflateStage inflate(compressed, options, turn);
  Ingest ingest(store.chunker(), writer, diff_id, options, turn);
  VARVE_RETURN_IF_ERROR(ingest.TakeEntries(inflate.plain(), options.tar));
  const InflateStage::Sum sum = inflate.Finish();
  if (sum.diff_id != diff_id) {
    return Error(Code::kDataLoss,
                 "diff ID mismatch (the config says " + diff_id.ToString() + ", got " + sum.diff_id.ToString() + ")");
  }
  VARVE_ASSIGN_OR_RETURN(auto index, store.index_files().StartDraft());
  return ingest.Finish(sum, std::move(index));
}

}  // namespace varve
