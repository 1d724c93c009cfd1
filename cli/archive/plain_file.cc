#include "cli/archive/plain_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "cached/base/bytes.h"
#include "cli/archive/archive_handle.h"
#include "cli/archive/output_file.h"

namespace varve {
namespace {

constexpr std::size_t kBlockBytes = 256 << 10;

Result<UniqueFd> OpenGiven(const std::string& path) {
  if (path == kStandardInput) {
    if (::isatty(STDIN_FILENO) == 1) {
      return Error(Code::kInvalidArgument, "it is a terminal: give a file, or redirect one");
    }
    UniqueFd input(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
    if (!input.valid()) return ErrnoError(errno, "cannot be read");
    return input;
  }
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return ErrnoError(errno, "cannot be opened");
  return file;
}

Status CheckLimits(archive* from, std::uint64_t plain_bytes) {
  if (plain_bytes > kPlainBytesMax) {
    return Error(Code::kResourceExhausted, fmt::format("is more than the limit of {} bytes", kPlainBytesMax));
  }
  const auto read_bytes = static_cast<std::uint64_t>(archive_filter_bytes(from, -1));
  if (plain_bytes > kPlainRatioFreeBytes && plain_bytes / kPlainRatioMax > read_bytes) {
    return Error(Code::kResourceExhausted, fmt::format("{} compressed bytes became {}: more than the limit of {} to 1",
                                                       read_bytes, plain_bytes, kPlainRatioMax));
  }
  return Ok();
}

Result<UniqueFd> CopyPlain(archive* from) {
  VARVE_ASSIGN_OR_RETURN(UniqueFd copy, CreateTemporary());
  const void* block = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0;
  std::uint64_t plain_bytes = 0;
  for (;;) {
    const int code = archive_read_data_block(from, &block, &size, &offset);
    if (code == ARCHIVE_EOF) break;
    if (code != ARCHIVE_OK) return ArchiveError(from, Code::kDataLoss);
    plain_bytes += size;
    VARVE_RETURN_IF_ERROR(CheckLimits(from, plain_bytes));
    VARVE_RETURN_IF_ERROR(WriteAll(copy.get(), {static_cast<const std::byte*>(block), size}).In("temporary file"));
  }
  if (::lseek(copy.get(), 0, SEEK_SET) != 0) return ErrnoError(errno, "temporary file");
  return copy;
}

Result<UniqueFd> Plain(UniqueFd given) {
  struct stat attributes{};
  if (::fstat(given.get(), &attributes) != 0) return ErrnoError(errno, "cannot be looked at");
  if (S_ISDIR(attributes.st_mode)) return Error(Code::kInvalidArgument, "it is a directory");
  const ArchiveHandle raw(archive_read_new());
  archive_read_support_format_raw(raw.get());
  archive_read_support_format_empty(raw.get());
  for (const auto support : {archive_read_support_filter_gzip, archive_read_support_filter_bzip2,
                             archive_read_support_filter_xz, archive_read_support_filter_zstd}) {
    if (support(raw.get()) != ARCHIVE_OK) return ArchiveError(raw.get(), Code::kInternal);
  }
  const bool at_start = S_ISREG(attributes.st_mode) && ::lseek(given.get(), 0, SEEK_CUR) == 0;
  archive_entry* entry = nullptr;
  if (archive_read_open_fd(raw.get(), given.get(), kBlockBytes) != ARCHIVE_OK) {
    return ArchiveError(raw.get(), Code::kDataLoss);
  }
  const int code = archive_read_next_header(raw.get(), &entry);
  if (code == ARCHIVE_EOF) return Error(Code::kInvalidArgument, "it is empty");
  if (code != ARCHIVE_OK) return ArchiveError(raw.get(), Code::kDataLoss);
  const bool compressed = archive_filter_count(raw.get()) > 1;  // the last is the file itself
  if (compressed || !at_start) return CopyPlain(raw.get());
  if (::lseek(given.get(), 0, SEEK_SET) != 0) return ErrnoError(errno, "cannot be read again");
  return given;
}

}  // namespace

Result<UniqueFd> CreateTemporary() {
  const char* set = std::getenv("TMPDIR");  // NOLINT(concurrency-mt-unsafe): nothing sets variables
  std::string path = std::string(set != nullptr && *set != '\0' ? set : "/var/tmp") + "/varve-XXXXXX";
  UniqueFd file(::mkostemp(path.data(), O_CLOEXEC));
  if (!file.valid()) return ErrnoError(errno, path);
  ::unlink(path.c_str());
  return file;
}

Result<UniqueFd> PlainOf(UniqueFd given, const std::string& what) { return Plain(std::move(given)).In(what); }

Result<UniqueFd> OpenPlain(const std::string& path) {
  const std::string what = path == kStandardInput ? "standard input" : path;
  VARVE_ASSIGN_OR_RETURN(UniqueFd given, OpenGiven(path).In(what));
  return PlainOf(std::move(given), what);
}

}  // namespace varve
