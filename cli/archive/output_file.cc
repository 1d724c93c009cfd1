#include "cli/archive/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace varve {

Result<OutputFile> OutputFile::Open(std::string path) {
  if (path.empty()) {
    if (::isatty(STDOUT_FILENO) == 1) {
      return Error(Code::kInvalidArgument, "refusing to write an archive to a terminal: use -o, or redirect it");
    }
    return OutputFile("", "", UniqueFd(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)));
  }
  struct stat attributes{};
  if (::stat(path.c_str(), &attributes) == 0 && !S_ISREG(attributes.st_mode)) {
    return Error(Code::kInvalidArgument, path + ": is there and no regular file");
  }
  std::string temporary = path + ".XXXXXX";
  UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));  // 0600, as docker's
  if (!fd.valid()) return ErrnoError(errno, path);
  return OutputFile(std::move(path), std::move(temporary), std::move(fd));
}

OutputFile::~OutputFile() {
  if (fd_.valid() && !temporary_.empty()) ::unlink(temporary_.c_str());
}

Status OutputFile::Write(ByteSpan bytes) { return WriteAll(fd_.get(), bytes).In(path_); }

Status OutputFile::Publish() {
  if (path_.empty()) return Ok();
  if (::fdatasync(fd_.get()) != 0) return ErrnoError(errno, path_);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) return ErrnoError(errno, path_);
  temporary_.clear();
  return Ok();
}

Status WriteAll(int fd, ByteSpan bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoError(errno, "cannot be written");
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return Ok();
}

}  // namespace varve
