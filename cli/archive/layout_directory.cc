#include "cli/archive/layout_directory.h"

#include "cached/base/fs.h"
#include "cached/content/digest.h"

namespace varve {
namespace {

constexpr std::size_t kPieceBytes = 1 << 20;
constexpr std::string_view kBlobs = "blobs/sha256/";

bool IsOfALayout(std::string_view name) {
  if (name == "oci-layout" || name == "index.json") return true;
  return name.starts_with(kBlobs) && Digest::FromHexText(name.substr(kBlobs.size())).ok();
}

}  // namespace

Result<std::optional<std::uint64_t>> LayoutDirectory::SizeOf(const std::string& name) {
  if (!IsOfALayout(name)) return std::optional<std::uint64_t>();
  const auto size = Fs::Real().FileSize(path_ + "/" + name);
  if (size.ok()) return std::optional(*size);
  if (size.error().code() == Code::kNotFound) return std::optional<std::uint64_t>();
  return size.error();
}

Status LayoutDirectory::Read(const std::string& name, const Sink& sink) {
  if (!IsOfALayout(name)) return Error(Code::kNotFound, path_ + ": " + name + " is no file of an OCI layout");
  VARVE_ASSIGN_OR_RETURN(const auto file, Fs::Real().Open(path_ + "/" + name, OpenMode::kRead));
  Bytes piece(kPieceBytes);
  for (std::uint64_t offset = 0;;) {
    VARVE_ASSIGN_OR_RETURN(const std::size_t size, file->ReadAt(offset, piece));
    if (size == 0) return Ok();
    VARVE_RETURN_IF_ERROR(sink(ByteSpan(piece).first(size)));
    offset += size;
  }
}

}  // namespace varve
