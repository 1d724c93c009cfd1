#include "cached/pack/pack_writer.h"

#include "cached/content/sha256.h"

namespace varve {

Result<PackWriter> PackWriter::Create(Fs& fs, const std::string& directory, PackId id) {
  VARVE_CHECK(id.number > 0 && id.number <= kPackNumberMax);
  VARVE_ASSIGN_OR_RETURN(auto file, fs.Open(directory + "/" + id.FileName(), OpenMode::kCreateNew));
  VARVE_RETURN_IF_ERROR(file->WriteAt(0, EncodePackHeader(id)));
  VARVE_RETURN_IF_ERROR(fs.SyncDirectory(directory));
  return PackWriter(id, std::move(file), kPackHeaderBytes);
}

Result<PackWriter> PackWriter::Reopen(Fs& fs, const std::string& directory, PackId id, std::uint64_t durable_length) {
  VARVE_ASSIGN_OR_RETURN(auto file, fs.Open(directory + "/" + id.FileName(), OpenMode::kReadWrite));
  VARVE_RETURN_IF_ERROR(file->Truncate(durable_length));
  return PackWriter(id, std::move(file), durable_length);
}

Result<PackLocation> PackWriter::Append(FrameKind kind, Codec codec, ByteSpan stored, std::uint32_t raw_length,
                                        const Digest& sha256) {
  const FrameHeader header{.kind = kind,
                           .codec = codec,
                           .base = FrameBase::kNone,
                           .raw_length = raw_length,
                           .stored_length = static_cast<std::uint32_t>(stored.size()),
                           .sha256 = sha256,
                           .xxh3 = Xxh3Of(stored),
                           .base_digest = {}};
  VARVE_CHECK(raw_length <= kFrameRawBytesMax && stored.size() <= raw_length);
  Bytes frame = std::move(buffer_);
  frame.clear();
  EncodeFrameHeader(header, frame);
  frame.insert(frame.end(), stored.begin(), stored.end());
  frame.resize(header.FrameBytes());
  auto location = AppendFrame(frame);
  buffer_ = std::move(frame);
  return location;
}

Result<PackLocation> PackWriter::AppendFrame(ByteSpan frame) {
  VARVE_CHECK(frame.size() % kFrameAlignment == 0 && size_ + frame.size() <= kPackBytesMax);
  VARVE_RETURN_IF_ERROR(CheckNotLost());
  VARVE_RETURN_IF_ERROR(file_->WriteAt(size_, frame));
  const PackLocation location{id_, static_cast<std::uint32_t>(size_), static_cast<std::uint32_t>(frame.size())};
  size_ += frame.size();
  return location;
}

Status PackWriter::Sync() {
  MutexLock lock(syncing_->mutex);
  VARVE_RETURN_IF_ERROR(CheckNotLost());
  Status synced = file_->Sync();
  if (!synced.ok()) syncing_->failed = true;
  return synced;
}

Status PackWriter::CheckNotLost() const {
  if (!syncing_->failed) return Ok();
  return Error(Code::kUnavailable, "pack " + id_.FileName() + ": an earlier write never reached the disk; try again");
}

bool PackWriter::Full(std::uint32_t raw_length) const {
  return size_ + kFrameHeaderBytes + 32 + raw_length + kFrameAlignment > kPackBytesMax;
}

}  // namespace varve
