#include "cli/archive/tar_output.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <utility>

#include "cli/archive/archive_handle.h"

namespace varve {
namespace {

Error WriteError(archive* handle) {
  const int number = archive_errno(handle);
  return number > 0 ? ErrnoError(number, "cannot be written") : ArchiveError(handle, Code::kInternal);
}

}  // namespace

struct TarOutput::State {
  ArchiveHandle handle{archive_write_new()};
  std::uint64_t left_bytes = 0;  // of the file at hand
};

TarOutput::TarOutput(std::unique_ptr<State> state) : state_(std::move(state)) {}
TarOutput::TarOutput(TarOutput&&) noexcept = default;

TarOutput::~TarOutput() {
  // Freeing an archive that is not failed would write its end.
  if (state_ != nullptr) archive_write_fail(state_->handle.get());
}

Result<TarOutput> TarOutput::Create(int fd) {
  auto state = std::make_unique<State>();
  archive* const handle = state->handle.get();
  // ustar, with a PAX header only where that cannot say it (a size from 8 GiB on).
  if (archive_write_set_format_pax_restricted(handle) != ARCHIVE_OK ||
      archive_write_set_bytes_per_block(handle, 0) != ARCHIVE_OK || archive_write_open_fd(handle, fd) != ARCHIVE_OK) {
    return WriteError(handle);
  }
  return TarOutput(std::move(state));
}

Status TarOutput::StartMember(const std::string& name, unsigned mode, std::uint64_t size_bytes) {
  if (state_->left_bytes != 0) return Error(Code::kInternal, "a member before " + name + " is not whole");
  const ArchiveEntry entry(archive_entry_new());
  archive_entry_set_pathname(entry.get(), name.c_str());
  archive_entry_set_mode(entry.get(), mode);
  archive_entry_set_size(entry.get(), static_cast<la_int64_t>(size_bytes));
  archive_entry_set_mtime(entry.get(), 0, 0);
  if (archive_write_header(state_->handle.get(), entry.get()) != ARCHIVE_OK) return WriteError(state_->handle.get());
  state_->left_bytes = size_bytes;
  return Ok();
}

Status TarOutput::AddDirectory(const std::string& name) { return StartMember(name + "/", S_IFDIR | 0755, 0); }

Status TarOutput::StartFile(const std::string& name, std::uint64_t size_bytes) {
  return StartMember(name, S_IFREG | 0644, size_bytes);
}

Status TarOutput::AddFile(const std::string& name, ByteSpan content) {
  VARVE_RETURN_IF_ERROR(StartFile(name, content.size()));
  return Append(content);
}

Status TarOutput::Append(ByteSpan piece) {
  if (piece.size() > state_->left_bytes) return Error(Code::kInternal, "a member is longer than was said");
  if (archive_write_data(state_->handle.get(), piece.data(), piece.size()) != static_cast<la_ssize_t>(piece.size())) {
    return WriteError(state_->handle.get());
  }
  state_->left_bytes -= piece.size();
  return Ok();
}

Status TarOutput::Finish() {
  if (state_->left_bytes != 0) return Error(Code::kInternal, "the last member is not whole");
  if (archive_write_close(state_->handle.get()) != ARCHIVE_OK) return WriteError(state_->handle.get());
  return Ok();
}

}  // namespace varve
