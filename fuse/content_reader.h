#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "fuse/buffer_pool.h"
#include "fuse/frame_ahead.h"
#include "fuse/frame_cache.h"
#include "fuse/image_registry.h"
#include "fuse/pack_files.h"

namespace varve {

// Reads the content of files: extents -> chunks -> locator words -> frames in packs. Thread-safe.
//
// A locator word is a hint; the frame itself says what it holds, and its checksum is compared at each decoding. Where a
// word does not lead to its chunk (relocated, absent, damaged), the word is loaded once more, then the daemon is asked;
// what it answers is final. So bytes that are not the chunk's are never returned, and a read waits at most as long as
// Mounts::Resolve does.
class ContentReader {
 public:
  // All must outlive the reader.
  ContentReader(std::string packs_directory, std::size_t cache_bytes, Mounts& mounts, const ImageRegistry& images);

  // How much of `into` was filled with the bytes from `offset` on: less than asked only at the file's end. `file` is
  // regular. Errors name layer, inode, chunk and place.
  Result<std::size_t> Read(const Node& file, std::uint64_t offset, std::span<std::byte> into);

  // A small file that nobody listed was asked for: what lies behind it in its pack may be asked for next.
  void DecodeBehind(const Node& file);

  void ClosePacks(std::span<const std::uint32_t> packs);

 private:
  // One extent of a file. Those up to `end` are read next.
  struct Wanted {
    const Node& file;
    std::size_t extent;
    std::size_t end;
    std::uint32_t skipped;  // bytes of the chunk before those that are wanted

    std::uint32_t ordinal() const { return file.layer->index.extent(*file.inode, extent).chunk(); }
    const fb::Chunk& chunk() const { return file.layer->index.chunks()[ordinal()]; }
  };
  // Consecutive frames that one system call has read.
  struct Window {
    std::optional<BufferPool::Loan> buffer;
    std::uint32_t pack = 0;
    std::uint32_t begin = 0;
    std::uint32_t size = 0;
  };

  Status ReadExtents(const Node& file, std::uint64_t offset, std::span<std::byte> into);
  Status ReadChunk(const Wanted& wanted, Window& window, std::span<std::byte> into);
  Status ReadChunkAt(const Locator& at, const Wanted& wanted, Window& window, std::span<std::byte> into);
  Result<ByteSpan> ReadFrame(const Locator& at, const Wanted& wanted, Window& window);
  Result<DecodedFramePtr> DecodeFrame(const Locator& at, const Wanted& wanted, Window& window);

  PackFiles packs_;
  FrameCache cache_;
  FrameAhead ahead_;
  BufferPool windows_;
  Mounts& mounts_;
  const ImageRegistry& images_;
};

}  // namespace varve
