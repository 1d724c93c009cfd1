#include "cached/pack/pack_reader.h"

#include <fmt/core.h>
#include <sys/uio.h>

#include <algorithm>

namespace varve {

Result<PackReader> PackReader::Open(Fs& fs, const std::string& directory, PackId id) {
  const std::string path = directory + "/" + id.FileName();
  VARVE_ASSIGN_OR_RETURN(auto file, fs.Open(path, OpenMode::kRead));
  std::array<std::byte, kPackHeaderBytes> header;
  VARVE_ASSIGN_OR_RETURN(const std::size_t read, file->ReadAt(0, header));
  VARVE_ASSIGN_OR_RETURN(const PackId found, DecodePackHeader(ByteSpan(header).first(read)).In(path));
  if (found != id) return Error(Code::kDataLoss, fmt::format("{}: is pack {}", path, found.number));
  return PackReader(id, std::move(file));
}

std::string PackReader::At(std::uint64_t offset) const { return fmt::format("pack {:06} at {}", id_.number, offset); }

Result<Bytes> PackReader::ReadRaw(std::uint64_t offset, std::uint32_t length) const {
  Bytes bytes(length);
  VARVE_RETURN_IF_ERROR(ReadRawInto(offset, bytes));
  return bytes;
}

Status PackReader::ReadRawInto(std::uint64_t offset, std::span<std::byte> into) const {
  VARVE_ASSIGN_OR_RETURN(const std::size_t read, file_->ReadAt(offset, into));
  if (read < into.size()) return Error(Code::kDataLoss, At(offset) + ": the pack ends before");
  return Ok();
}

bool PackReader::ReadRawAtOnce(std::uint64_t offset, std::span<std::byte> into) const {
  const iovec part{into.data(), into.size()};
  return ::preadv2(file_->fd(), &part, 1, static_cast<off_t>(offset), RWF_NOWAIT) == static_cast<ssize_t>(into.size());
}

Result<PackReader::Frame> PackReader::ReadFrame(std::uint64_t offset, std::uint32_t length) const {
  VARVE_ASSIGN_OR_RETURN(Bytes bytes, ReadRaw(offset, length));
  VARVE_ASSIGN_OR_RETURN(const FrameHeader header, DecodeFrameHeader(bytes).In(At(offset)));
  if (header.FrameBytes() > length)
    return Error(Code::kDataLoss, At(offset) + ": the frame is longer than its placement says");
  return Frame{header, std::move(bytes)};
}

Status PackReader::Scan(std::uint64_t end, const Visit& visit, const Damaged& damaged) const {
  std::uint64_t offset = kPackHeaderBytes;
  std::uint64_t damaged_from = 0;
  std::array<std::byte, kFrameHeaderBytes + 32> start;
  while (offset + kFrameHeaderBytes <= end) {
    VARVE_ASSIGN_OR_RETURN(const std::size_t read, file_->ReadAt(offset, start));
    const auto header = DecodeFrameHeader(ByteSpan(start).first(read));
    const bool sound = header.ok() && offset + header->FrameBytes() <= end;
    if (!sound) {
      if (damaged_from == 0) damaged_from = offset;
      offset += kFrameAlignment;
      continue;
    }
    if (damaged_from != 0) damaged(std::exchange(damaged_from, 0), offset);
    VARVE_RETURN_IF_ERROR(visit(offset, *header));
    offset += header->FrameBytes();
  }
  if (damaged_from != 0 || offset < end) damaged(damaged_from != 0 ? damaged_from : offset, end);
  return Ok();
}

}  // namespace varve
