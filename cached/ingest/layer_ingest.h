#pragma once

#include <cstdint>

#include "cached/base/cancel.h"
#include "cached/content/digest.h"
#include "cached/ingest/byte_source.h"
#include "cached/ingest/decompressor.h"
#include "cached/ingest/tar_limits.h"
#include "cached/store/store.h"
#include "cached/tree/layer_index_builder.h"

namespace varve {

struct LayerIngestOptions {
  DecompressOptions decompress;
  TarLimits tar;
  LayerLimits layer;
  std::size_t block_bytes = 256 << 10;  // of plain tar, between two stages
  std::size_t queued_blocks = 8;
  // A layer of which LayerIndexBuilder or a member (of zstd, or xz) has a larger window takes Store::TakeLargeTurn.
  std::size_t large_bytes = 8 << 20;
};

// Takes one layer, compressed or plain, into the store's chunks and returns what Store::CommitLayer wants, but for the
// blob fields. Nothing is extracted, nothing is visible before that commit. Two stages on two threads, the caller's is
// the second:
//
//   compressed → inflate, SHA-256 of the tar → tar entries → cut at content → SHA-256 of chunks → ChunkWriter
//                                                      └ literals and chunk ordinals → tar recipe, compressed as it
//                                                      grows
//
// A layer whose index or window is large waits for its turn while it is read, and keeps it until the LayerCommit
// goes; kCancelled if `cancel` is set while it waits. `compressed` has to see to that for itself.
//
// kDataLoss if the tar's SHA-256 is not `diff_id`; else the errors of Decompressor, TarReader, LayerIndexBuilder and
// ChunkWriter.
Result<Store::LayerCommit> IngestLayer(Store& store, ChunkWriter& writer, ByteSource& compressed, const Digest& diff_id,
                                       const LayerIngestOptions& options, const CancelToken& cancel);

}  // namespace varve
