#include "fuse/content_reader.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "cached/pack/group.h"
#include "fuse/turn.h"

namespace varve {
namespace {

// What one system call reads at most of stored bytes: about a request of 1 MiB, compressed.
constexpr std::uint32_t kWindowBytesMax = 512 << 10;
constexpr std::size_t kWindowsKept = 2;
// Stored bytes that are decoded within tens of microseconds, for which it does not pay to pass the turn.
constexpr std::uint32_t kQuickBytesMax = 64 << 10;

Error WrongFrame() { return Error(Code::kDataLoss, "another frame is there"); }

// Copies bytes [offset, offset + into.size()) of `chunk` out of the frame that should hold it.
Status CopyChunk(const DecodedFrame& frame, const fb::Chunk& chunk, std::uint32_t offset, std::span<std::byte> into) {
  ByteSpan bytes = frame.payload;
  if (frame.kind == FrameKind::kGroup) {
    VARVE_ASSIGN_OR_RETURN(const GroupView group, GroupView::Open(frame.payload));
    const auto found = group.Find(DigestOf(chunk.sha256()));
    if (!found) return WrongFrame();
    bytes = *found;
  } else if (frame.kind != FrameKind::kChunk || frame.sha256 != DigestOf(chunk.sha256())) {
    return WrongFrame();
  }
  if (bytes.size() != chunk.raw_length() || offset + into.size() > bytes.size()) return WrongFrame();
  std::ranges::copy(bytes.subspan(offset, into.size()), into.begin());
  return Ok();
}

}  // namespace

ContentReader::ContentReader(std::string packs_directory, std::size_t cache_bytes, Mounts& mounts,
                             const ImageRegistry& images)
    : packs_(std::move(packs_directory)),
      cache_(cache_bytes),
      ahead_(packs_, cache_),
      windows_(kWindowBytesMax, kWindowsKept),
      mounts_(mounts),
      images_(images) {}

Result<std::size_t> ContentReader::Read(const Node& file, std::uint64_t offset, std::span<std::byte> into) {
  if (file.inode == nullptr || offset >= file.inode->size()) return std::size_t{0};
  into = into.first(static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), file.inode->size() - offset)));
  if (const Status status = ReadExtents(file, offset, into); !status.ok()) {
    return status.error().In(fmt::format("layer {} inode {}", file.layer->diff_id.hex(), file.ordinal()));
  }
  return into.size();
}

void ContentReader::DecodeBehind(const Node& file) {
  const LayerIndex& index = file.layer->index;
  const std::size_t count = index.extent_count(*file.inode);
  if (count == 0) return;
  const Locator last = file.layer->locators.Get(index.extent(*file.inode, count - 1).chunk());
  if (last.pack != 0) ahead_.Passed(last);
}

Status ContentReader::ReadExtents(const Node& file, std::uint64_t offset, std::span<std::byte> into) {
  const LayerIndex& index = file.layer->index;
  const std::size_t count = index.extent_count(*file.inode);
  const std::size_t first = index.FindExtent(*file.inode, offset);
  std::size_t end = first;
  while (end < count && index.extent(*file.inode, end).offset() < offset + into.size()) ++end;
  Window window;
  std::size_t done = 0;
  for (std::size_t i = first; i < end; ++i) {
    const fb::Extent extent = index.extent(*file.inode, i);
    if (extent.offset() > offset + done) {  // a hole
      const auto hole = static_cast<std::size_t>(extent.offset() - offset - done);
      std::ranges::fill(into.subspan(done, hole), std::byte{0});
      done += hole;
    }
    const auto skipped = static_cast<std::uint32_t>(offset + done - extent.offset());
    const std::size_t size = std::min<std::size_t>(extent.length() - skipped, into.size() - done);
    VARVE_RETURN_IF_ERROR(ReadChunk({file, i, end, skipped}, window, into.subspan(done, size)));
    done += size;
  }
  std::ranges::fill(into.subspan(done), std::byte{0});
  return Ok();
}

Status ContentReader::ReadChunk(const Wanted& wanted, Window& window, std::span<std::byte> into) {
  std::string trouble = "absent";
  const auto read_at = [&](const Locator& at) {
    const Status status = ReadChunkAt(at, wanted, window, into);
    if (!status.ok()) {
      trouble = fmt::format("pack {:06} at {}: {}", at.pack, at.offset_bytes, status.error().message());
    }
    return status.ok();
  };
  const Locator first = wanted.file.layer->locators.Get(wanted.ordinal());
  if (first.pack != 0 && read_at(first)) return Ok();
  const Locator second = wanted.file.layer->locators.Get(wanted.ordinal());
  if (second.pack != 0 && second != first && read_at(second)) return Ok();
  Turn::Pass();
  const auto about = [&] { return fmt::format("chunk {}: {}", wanted.ordinal(), trouble); };
  const std::string image = images_.ImageOf(*wanted.file.layer);
  const auto word = mounts_.Resolve(wanted.file.layer->diff_id, wanted.ordinal(), image);
  if (!word.ok()) return word.error().In(about());
  const Locator resolved = Locator::Unpack(*word);
  if (resolved.pack == 0 || !read_at(resolved)) return Error(Code::kDataLoss, about());
  return Ok();
}

Status ContentReader::ReadChunkAt(const Locator& at, const Wanted& wanted, Window& window, std::span<std::byte> into) {
  const fb::Chunk& chunk = wanted.chunk();
  DecodedFramePtr frame = cache_.Find(at);
  if (frame == nullptr && into.size() == chunk.raw_length()) {
    // A chunk that is wanted whole is decoded where it belongs: its like are read once, by large sequential reads.
    VARVE_ASSIGN_OR_RETURN(const ByteSpan bytes, ReadFrame(at, wanted, window));
    VARVE_ASSIGN_OR_RETURN(const FrameHeader header, DecodeFrameHeader(bytes));
    if (header.kind == FrameKind::kChunk) {
      if (header.sha256 != DigestOf(chunk.sha256()) || header.raw_length != into.size()) return WrongFrame();
      return DecodePayloadInto(header, bytes, into);
    }
  }
  if (frame == nullptr) {
    VARVE_ASSIGN_OR_RETURN(frame, cache_.FindOrDecode(at, [&] { return DecodeFrame(at, wanted, window); }));
  }
  return CopyChunk(*frame, chunk, wanted.skipped, into);
}

Result<DecodedFramePtr> ContentReader::DecodeFrame(const Locator& at, const Wanted& wanted, Window& window) {
  VARVE_ASSIGN_OR_RETURN(const ByteSpan bytes, ReadFrame(at, wanted, window));
  VARVE_ASSIGN_OR_RETURN(const FrameHeader header, DecodeFrameHeader(bytes));
  VARVE_ASSIGN_OR_RETURN(Bytes payload, DecodePayload(header, bytes));
  return std::make_shared<const DecodedFrame>(header.kind, header.sha256, std::move(payload));
}

Result<ByteSpan> ContentReader::ReadFrame(const Locator& at, const Wanted& wanted, Window& window) {
  const bool covered = window.buffer && window.pack == at.pack && at.offset_bytes >= window.begin &&
                       at.offset_bytes + at.length_bytes <= window.begin + window.size;
  if (!covered) {
    std::uint32_t size = at.length_bytes;
    for (std::size_t next = wanted.extent + 1; next < wanted.end; ++next) {
      const std::uint32_t chunk = wanted.file.layer->index.extent(*wanted.file.inode, next).chunk();
      const Locator behind = wanted.file.layer->locators.Get(chunk);
      if (behind.pack != at.pack || behind.offset_bytes != at.offset_bytes + size) break;
      if (size + behind.length_bytes > kWindowBytesMax) break;
      size += behind.length_bytes;
    }
    window.size = 0;
    if (!window.buffer) window.buffer.emplace(windows_.Borrow());
    const std::span<std::byte> frames = window.buffer->bytes().first(size);
    VARVE_ASSIGN_OR_RETURN(const auto pack, packs_.Get(at.pack));
    if (size > kQuickBytesMax || !pack->ReadRawAtOnce(at.offset_bytes, frames)) {
      Turn::Pass();
      VARVE_RETURN_IF_ERROR(pack->ReadRawInto(at.offset_bytes, frames));
    }
    window.pack = at.pack;
    window.begin = at.offset_bytes;
    window.size = size;
  }
  return ByteSpan(window.buffer->bytes()).subspan(at.offset_bytes - window.begin, at.length_bytes);
}

void ContentReader::ClosePacks(std::span<const std::uint32_t> packs) {
  packs_.Close(packs);
  cache_.DropPacks(packs);
}

}  // namespace varve
