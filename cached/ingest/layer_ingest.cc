#include "cached/ingest/layer_ingest.h"

#include <malloc.h>

#include <cstring>
#include <thread>

#include "cached/content/sha256.h"
#include "cached/ingest/queue_source.h"
#include "cached/ingest/tar_reader.h"
#include "cached/ingest/tar_recipe.h"

namespace varve {
namespace {

// Inflates and hashes on a thread of its own; the destructor gives up and joins.
class InflateStage {
 public:
  InflateStage(ByteSource& compressed, const LayerIngestOptions& options)
      : options_(options), plain_(options.queued_blocks) {
    thread_ = std::thread([this, &compressed] { plain_.Finish(Work(compressed)); });
  }
  ~InflateStage() {
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
    Decompressor decompressor(compressed, options_.decompress);
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
  Ingest(Store& store, ChunkWriter& writer, const Digest& diff_id, const LayerIngestOptions& options)
      : store_(store),
        chunker_(store.chunker()),
        writer_(writer),
        large_bytes_(options.large_bytes),
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
      TakeTurnIfLarge();
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
    if (turn_.owns_lock()) ::malloc_trim(0);
    layer.turn = std::move(turn_);
    return layer;
  }

 private:
  static constexpr int kRecipeZstdLevel = 6;

  void TakeTurnIfLarge() {
    if (!turn_.owns_lock() && builder_.size_bytes() > large_bytes_) turn_ = store_.TakeLargeTurn();
  }

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
      TakeTurnIfLarge();
    }
    extents_.push_back({offset, ordinal, length});
    return recipe_.Chunk(ordinal);
  }

  Store& store_;
  const Chunker& chunker_;
  ChunkWriter& writer_;
  const std::size_t large_bytes_;
  Store::LargeTurn turn_;
  LayerIndexBuilder builder_;
  RecipeParts parts_;
  TarRecipeWriter recipe_;
  Bytes buffer_;
  std::vector<FileExtent> extents_;
  std::uint32_t chunk_count_ = 0;
};

}  // namespace

Result<Store::LayerCommit> IngestLayer(Store& store, ChunkWriter& writer, ByteSource& compressed, const Digest& diff_id,
                                       const LayerIngestOptions& options) {
  InflateStage inflate(compressed, options);
  Ingest ingest(store, writer, diff_id, options);
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
