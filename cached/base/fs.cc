#include "cached/base/fs.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

namespace varve {
namespace {

class PosixFile final : public File {
 public:
  PosixFile(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Status WriteAt(std::uint64_t offset, ByteSpan bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return ErrnoError(errno, path_);
      bytes = bytes.subspan(static_cast<std::size_t>(n));
      offset += static_cast<std::uint64_t>(n);
    }
    return Ok();
  }

  Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::byte> into) const override {
    std::size_t done = 0;
    while (done < into.size()) {
      const ssize_t n = ::pread(fd_.get(), into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return ErrnoError(errno, path_);
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }

  Status Truncate(std::uint64_t size) override {
    if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) return ErrnoError(errno, path_);
    return Ok();
  }

  Status Sync() override {
    if (::fdatasync(fd_.get()) != 0) return ErrnoError(errno, path_);
    return Ok();
  }

  Result<std::uint64_t> Size() const override {
    struct stat info{};
    if (::fstat(fd_.get(), &info) != 0) return ErrnoError(errno, path_);
    return static_cast<std::uint64_t>(info.st_size);
  }

  int fd() const override { return fd_.get(); }

 private:
  const UniqueFd fd_;
  const std::string path_;
};

class PosixFs final : public Fs {
 public:
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    const int flags = [&] {
      switch (mode) {
        case OpenMode::kRead:
          return O_RDONLY;
        case OpenMode::kReadWrite:
          return O_RDWR;
        case OpenMode::kCreateNew:
          return O_RDWR | O_CREAT | O_EXCL;
        case OpenMode::kCreateTruncate:
          return O_RDWR | O_CREAT | O_TRUNC;
      }
      return O_RDONLY;
    }();
    UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
    if (!fd.valid()) return ErrnoError(errno, path);
    return std::unique_ptr<File>(std::make_unique<PosixFile>(std::move(fd), path));
  }

  Status Rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return ErrnoError(errno, to);
    return Ok();
  }

  Status Remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return ErrnoError(errno, path);
    return Ok();
  }

  Status MakeDirectories(const std::string& path) override {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) return ErrnoError(error.value(), path);
    return Ok();
  }

  Status SyncDirectory(const std::string& path) override {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid() || ::fsync(fd.get()) != 0) return ErrnoError(errno, path);
    return Ok();
  }

  Result<std::vector<std::string>> List(const std::string& directory) override {
    std::error_code error;
    std::vector<std::string> names;
    for (auto it = std::filesystem::directory_iterator(directory, error);
         !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
      names.push_back(it->path().filename().string());
    }
    if (error) return ErrnoError(error.value(), directory);
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<std::uint64_t> FileSize(const std::string& path) override {
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0) return ErrnoError(errno, path);
    return static_cast<std::uint64_t>(info.st_size);
  }

  Result<std::chrono::system_clock::time_point> ModifiedAt(const std::string& path) override {
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0) return ErrnoError(errno, path);
    return std::chrono::system_clock::from_time_t(info.st_mtim.tv_sec);
  }

  Result<std::uint64_t> FreeBytes(const std::string& directory) override {
    struct statvfs info{};
    if (::statvfs(directory.c_str(), &info) != 0) return ErrnoError(errno, directory);
    return std::uint64_t{info.f_bavail} * info.f_frsize;
  }
};

std::string ParentOf(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
}

}  // namespace

Fs& Fs::Real() {
  static PosixFs fs;
  return fs;
}

Status WriteFileAtomically(Fs& fs, const std::string& path, ByteSpan bytes) {
  return WriteFileAtomically(fs, path, path + ".new", bytes);
}

Status WriteFileAtomically(Fs& fs, const std::string& path, const std::string& temporary, ByteSpan bytes) {
  VARVE_ASSIGN_OR_RETURN(auto file, fs.Open(temporary, OpenMode::kCreateTruncate));
  Status written = file->WriteAt(0, bytes);
  if (written.ok()) written = file->Sync();
  if (written.ok()) written = fs.Rename(temporary, path);
  if (!written.ok()) {
    fs.Remove(temporary).IgnoreError("the first error is the one to report");
    return written;
  }
  return fs.SyncDirectory(ParentOf(path));
}

Result<Bytes> ReadWholeFile(Fs& fs, const std::string& path, std::uint64_t most_bytes) {
  VARVE_ASSIGN_OR_RETURN(const auto file, fs.Open(path, OpenMode::kRead));
  VARVE_ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
  if (size > most_bytes)
    return Error(Code::kResourceExhausted, fmt::format("{}: {} bytes, at most {} allowed", path, size, most_bytes));
  Bytes bytes(size);
  VARVE_ASSIGN_OR_RETURN(const std::size_t read, file->ReadAt(0, bytes));
  if (read != size) return Error(Code::kDataLoss, path + ": became shorter while it was read");
  return bytes;
}

Result<MappedFile> MappedFile::Map(Fs& fs, const std::string& path, OpenMode mode, int protection) {
  VARVE_ASSIGN_OR_RETURN(const auto file, fs.Open(path, mode));
  VARVE_ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
  if (size == 0) return Error(Code::kDataLoss, path + ": is empty");
  void* data = ::mmap(nullptr, size, protection, MAP_SHARED, file->fd(), 0);
  if (data == MAP_FAILED) return ErrnoError(errno, path);
  return MappedFile(static_cast<std::byte*>(data), size);
}

Result<MappedFile> MappedFile::Open(Fs& fs, const std::string& path) {
  return Map(fs, path, OpenMode::kRead, PROT_READ);
}

Result<MappedFile> MappedFile::OpenWritable(Fs& fs, const std::string& path) {
  return Map(fs, path, OpenMode::kReadWrite, PROT_READ | PROT_WRITE);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace varve
