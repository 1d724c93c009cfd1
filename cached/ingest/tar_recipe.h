#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "cached/base/bytes.h"
#include "cached/base/result.h"
#include "cached/content/digest.h"

namespace varve {

// The largest block of a tar recipe (it fits into one frame of a pack), and the version that stands in each
// (docs/format/tar-recipe.md).
inline constexpr std::size_t kTarRecipeBlockBytesMax = 480 << 10;
inline constexpr std::uint8_t kTarRecipeVersion = 1;

// Writes what is needed, beside the chunks, to give back an exact tar (the essay is in tar_recipe.cc). Holds one block
// in memory. Not thread-safe. Errors of the sink stick: every later call returns the first one, so a Literal may ignore
// its own.
class TarRecipeWriter {
 public:
  // `on_block` stores one block, at most kTarRecipeBlockBytesMax bytes; blocks come in order and belong together.
  explicit TarRecipeWriter(std::function<Status(ByteSpan block)> on_block);

  // The tar goes on with these bytes.
  Status Literal(ByteSpan bytes);
  // The tar goes on with the content of this chunk of the layer's chunk table.
  Status Chunk(std::uint32_t ordinal);
  // The tar ends; these are its SHA-256 and its size. The last call.
  Status Finish(const Digest& diff_id, std::uint64_t tar_size_bytes);

 private:
  void StartBlock();
  void EmitBlock();
  void PutLiteral();
  void PutChunks();

  const std::function<Status(ByteSpan block)> on_block_;
  Status status_;
  Digest previous_;  // SHA-256 of the block that was emitted last
  Bytes block_;
  Bytes literal_;                    // not yet in block_, for which there is room
  std::uint32_t first_ordinal_ = 0;  // of the chunks that are not yet in block_
  std::uint32_t chunk_count_ = 0;
  std::uint32_t next_ordinal_ = 0;  // behind the last chunks in block_
};

// Where a replay takes recipe and chunks from and puts the tar. Spans need only live until the same function is called
// again.
struct TarReplay {
  std::function<Result<std::optional<ByteSpan>>()> next_block;   // nothing behind the last block
  std::function<Result<ByteSpan>(std::uint32_t ordinal)> chunk;  // raw bytes
  std::function<Status(ByteSpan piece)> on_tar;
};

// Gives back the tar named `diff_id`, in order and in bounded memory. kDataLoss, at the latest behind the last piece,
// for a damaged or incomplete recipe and for a tar that is not `diff_id`; kResourceExhausted before the tar passes
// `max_tar_bytes`; else the error of a callback.
Status ReplayTarRecipe(const Digest& diff_id, std::uint64_t max_tar_bytes, const TarReplay& replay);

}  // namespace varve
