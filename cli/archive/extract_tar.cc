#include "cli/archive/extract_tar.h"

#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "cli/archive/archive_handle.h"

// Nothing of the new root may be loaded or executed (CVE-2019-14271), so what is done there is reading a plain tar and
// making files: libarchive's decompressors may be programs, its character sets and user names plug-ins of libc's.

namespace varve {
namespace {

constexpr int kDiskOptions = ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME |
                             ARCHIVE_EXTRACT_XATTR | ARCHIVE_EXTRACT_SECURE_NODOTDOT |
                             ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS;

// libarchive's callbacks get it.
struct Input {
  const std::function<Result<Bytes>()>& source;
  Bytes piece;
  Status failed;

  static la_ssize_t Read(archive* handle, void* self, const void** data) {
    auto& input = *static_cast<Input*>(self);
    Result<Bytes> piece = input.source();
    if (!piece.ok()) {
      input.failed = piece.error();
      archive_set_error(handle, EIO, "the tar cannot be read");
      return -1;
    }
    input.piece = std::move(*piece);
    *data = input.piece.data();
    return static_cast<la_ssize_t>(input.piece.size());
  }
};

// The errno of a file that cannot be made is the system's; anything else is wrong of the tar.
Error ExtractError(archive* handle, Code code) {
  const Error error = ArchiveError(handle, code);
  const int number = archive_errno(handle);
  return number > 0 ? Error(ErrnoError(number, "").code(), error.message()) : error;
}

Status CopyMember(archive* from, archive* to, archive_entry* entry) {
  if (archive_write_header(to, entry) != ARCHIVE_OK) return ExtractError(to, Code::kInvalidArgument);
  const void* data = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0;
  for (;;) {
    const int read = archive_read_data_block(from, &data, &size, &offset);
    if (read == ARCHIVE_EOF) break;
    if (read != ARCHIVE_OK) return ArchiveError(from, Code::kInvalidArgument);
    if (archive_write_data_block(to, data, size, offset) < 0) return ExtractError(to, Code::kInvalidArgument);
  }
  return archive_write_finish_entry(to) == ARCHIVE_OK ? Ok() : ExtractError(to, Code::kInvalidArgument);
}

Status Extract(Input& input, int disk_options) {
  const ArchiveHandle from(archive_read_new());
  archive_read_support_format_tar(from.get());
  if (archive_read_open(from.get(), &input, nullptr, Input::Read, nullptr) != ARCHIVE_OK)
    return ArchiveError(from.get(), Code::kInvalidArgument);
  const ArchiveHandle to(archive_write_disk_new());
  archive_write_disk_set_options(to.get(), disk_options);
  for (archive_entry* entry = nullptr;;) {
    const int read = archive_read_next_header(from.get(), &entry);
    if (read == ARCHIVE_EOF) break;
    if (read != ARCHIVE_OK) return ArchiveError(from.get(), Code::kInvalidArgument);
    VARVE_RETURN_IF_ERROR(CopyMember(from.get(), to.get(), entry));
  }
  return archive_write_close(to.get()) == ARCHIVE_OK ? Ok() : ExtractError(to.get(), Code::kInvalidArgument);
}

Status Enter(std::optional<int> root, int directory) {
  if (::unshare(CLONE_FS) != 0) return ErrnoError(errno, "unshare");
  ::umask(0);
  if (root && (::fchdir(*root) != 0 || ::chroot(".") != 0)) return ErrnoError(errno, "the container's root");
  return ::fchdir(directory) == 0 ? Ok() : ErrnoError(errno, "the destination");
}

}  // namespace

Status ExtractTar(std::optional<int> root, int directory, const std::function<Result<Bytes>()>& source) {
  Status outcome;
  // A root, a working directory and a umask that are a thread's own.
  std::thread thread([&] {
    const Utf8Names names;
    Input input{.source = source, .piece = {}, .failed = {}};
    outcome = Enter(root, directory);
    if (outcome.ok()) outcome = Extract(input, root ? kDiskOptions : kDiskOptions | ARCHIVE_EXTRACT_SECURE_SYMLINKS);
    if (!input.failed.ok()) outcome = input.failed;
  });
  thread.join();
  return outcome;
}

}  // namespace varve
