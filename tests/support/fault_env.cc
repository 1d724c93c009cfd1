#include "tests/support/fault_env.h"

#include <rocksdb/file_system.h>
#include <rocksdb/system_clock.h>

namespace varve {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

IOStatus ToRocks(const Status& status) {
  if (status.ok()) return IOStatus::OK();
  const std::string& message = status.error().message();
  if (status.error().code() == Code::kNotFound) return IOStatus::PathNotFound(message);
  if (status.error().code() == Code::kResourceExhausted) return IOStatus::NoSpace(message);
  return IOStatus::IOError(message);
}

// RocksDB doubles slashes and ends directories with one; FaultFs compares paths as text.
std::string Plain(const std::string& path) {
  std::string plain;
  for (const char c : path) {
    if (c != '/' || !plain.ends_with('/')) plain += c;
  }
  if (plain.size() > 1 && plain.ends_with('/')) plain.pop_back();
  return plain;
}

// Reads from `at`; what `result` shows is in `scratch`.
IOStatus ReadFrom(const File& file, std::uint64_t at, std::size_t size, Slice* result, char* scratch) {
  const auto read = file.ReadAt(at, std::as_writable_bytes(std::span(scratch, size)));
  if (!read.ok()) return ToRocks(read.error());
  *result = Slice(scratch, *read);
  return IOStatus::OK();
}

class SequentialFile final : public rocksdb::FSSequentialFile {
 public:
  explicit SequentialFile(std::unique_ptr<File> file) : file_(std::move(file)) {}
  IOStatus Read(std::size_t size, const IOOptions&, Slice* result, char* scratch, IODebugContext*) override {
    IOStatus status = ReadFrom(*file_, at_, size, result, scratch);
    if (status.ok()) at_ += result->size();
    return status;
  }
  IOStatus Skip(std::uint64_t size) override {
    at_ += size;
    return IOStatus::OK();
  }

 private:
  const std::unique_ptr<File> file_;
  std::uint64_t at_ = 0;
};

class RandomAccessFile final : public rocksdb::FSRandomAccessFile {
 public:
  explicit RandomAccessFile(std::unique_ptr<File> file) : file_(std::move(file)) {}
  IOStatus Read(std::uint64_t offset, std::size_t size, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) const override {
    return ReadFrom(*file_, offset, size, result, scratch);
  }

 private:
  const std::unique_ptr<File> file_;
};

class WritableFile final : public rocksdb::FSWritableFile {
 public:
  explicit WritableFile(std::unique_ptr<File> file) : file_(std::move(file)) {}
  using FSWritableFile::Append;
  IOStatus Append(const Slice& bytes, const IOOptions&, IODebugContext*) override {
    const Status written = file_->WriteAt(size_, std::as_bytes(std::span(bytes.data(), bytes.size())));
    if (written.ok()) size_ += bytes.size();
    return ToRocks(written);
  }
  IOStatus Truncate(std::uint64_t size, const IOOptions&, IODebugContext*) override {
    size_ = size;
    return ToRocks(file_->Truncate(size));
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override { return ToRocks(file_->Sync()); }
  std::uint64_t GetFileSize(const IOOptions&, IODebugContext*) override { return size_; }

 private:
  const std::unique_ptr<File> file_;
  std::uint64_t size_ = 0;
};

class Directory final : public rocksdb::FSDirectory {
 public:
  Directory(Fs& fs, std::string path) : fs_(fs), path_(std::move(path)) {}
  IOStatus Fsync(const IOOptions&, IODebugContext*) override { return ToRocks(fs_.SyncDirectory(path_)); }

 private:
  Fs& fs_;
  const std::string path_;
};

// A log would be operations that come at any time.
class Silence final : public rocksdb::Logger {
 public:
  using Logger::Logv;
  void Logv(const char*, va_list) override {}
  std::size_t GetLogFileSize() const override { return 0; }
};

class Files final : public rocksdb::FileSystem {
 public:
  explicit Files(Fs& fs) : fs_(fs) {}
  const char* Name() const override { return "varve"; }

  IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions&,
                             std::unique_ptr<rocksdb::FSSequentialFile>* result, IODebugContext*) override {
    return Opened<SequentialFile>(path, OpenMode::kRead, result);
  }
  IOStatus NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions&,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* result, IODebugContext*) override {
    return Opened<RandomAccessFile>(path, OpenMode::kRead, result);
  }
  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions&,
                           std::unique_ptr<rocksdb::FSWritableFile>* result, IODebugContext*) override {
    return Opened<WritableFile>(path, OpenMode::kCreateTruncate, result);
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions&, std::unique_ptr<rocksdb::FSDirectory>* result,
                        IODebugContext*) override {
    *result = std::make_unique<Directory>(fs_, Plain(path));
    return IOStatus::OK();
  }
  IOStatus FileExists(const std::string& path, const IOOptions&, IODebugContext*) override {
    const auto size = fs_.FileSize(Plain(path));
    if (size.ok() || size.error().code() != Code::kNotFound) return size.ok() ? IOStatus::OK() : ToRocks(size.error());
    const auto names = fs_.List(Plain(path));
    if (names.ok() || names.error().code() != Code::kNotFound)
      return names.ok() ? IOStatus::OK() : ToRocks(names.error());
    return IOStatus::NotFound(path);
  }
  IOStatus GetChildren(const std::string& path, const IOOptions&, std::vector<std::string>* result,
                       IODebugContext*) override {
    auto names = fs_.List(Plain(path));
    if (!names.ok()) return ToRocks(names.error());
    *result = std::move(names).value();
    return IOStatus::OK();
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) override {
    return ToRocks(fs_.Remove(Plain(path)));
  }
  IOStatus CreateDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    return ToRocks(fs_.MakeDirectories(Plain(path)));
  }
  IOStatus CreateDirIfMissing(const std::string& path, const IOOptions&, IODebugContext*) override {
    return ToRocks(fs_.MakeDirectories(Plain(path)));
  }
  IOStatus DeleteDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    return IOStatus::NotSupported(path);
  }
  IOStatus GetFileSize(const std::string& path, const IOOptions&, std::uint64_t* size, IODebugContext*) override {
    const auto found = fs_.FileSize(Plain(path));
    if (!found.ok()) return ToRocks(found.error());
    *size = *found;
    return IOStatus::OK();
  }
  IOStatus GetFileModificationTime(const std::string&, const IOOptions&, std::uint64_t* time,
                                   IODebugContext*) override {
    *time = 0;
    return IOStatus::OK();
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions&, IODebugContext*) override {
    return ToRocks(fs_.Rename(Plain(from), Plain(to)));
  }
  IOStatus LockFile(const std::string&, const IOOptions&, rocksdb::FileLock** lock, IODebugContext*) override {
    *lock = new Lock;
    return IOStatus::OK();
  }
  IOStatus UnlockFile(rocksdb::FileLock* lock, const IOOptions&, IODebugContext*) override {
    delete static_cast<Lock*>(lock);
    return IOStatus::OK();
  }
  IOStatus GetTestDirectory(const IOOptions&, std::string* path, IODebugContext*) override {
    return IOStatus::NotSupported(*path);
  }
  IOStatus NewLogger(const std::string&, const IOOptions&, std::shared_ptr<rocksdb::Logger>* logger,
                     IODebugContext*) override {
    *logger = std::make_shared<Silence>();
    return IOStatus::OK();
  }
  IOStatus GetAbsolutePath(const std::string& path, const IOOptions&, std::string* absolute, IODebugContext*) override {
    *absolute = path;
    return IOStatus::OK();
  }
  IOStatus IsDirectory(const std::string& path, const IOOptions&, bool* is_directory, IODebugContext*) override {
    *is_directory = fs_.List(Plain(path)).ok();
    return IOStatus::OK();
  }

 private:
  struct Lock final : rocksdb::FileLock {};

  template <class OpenedFile, class Interface>
  IOStatus Opened(const std::string& path, OpenMode mode, std::unique_ptr<Interface>* result) {
    auto file = fs_.Open(Plain(path), mode);
    if (!file.ok()) return ToRocks(file.error());
    *result = std::make_unique<OpenedFile>(std::move(file).value());
    return IOStatus::OK();
  }

  Fs& fs_;
};

// RocksDB rests for a second behind a flush that failed.
class Restless final : public rocksdb::SystemClockWrapper {
 public:
  Restless() : SystemClockWrapper(rocksdb::SystemClock::Default()) {}
  const char* Name() const override { return "varve"; }
  void SleepForMicroseconds(int) override {}
};

class FaultEnv final : public rocksdb::EnvWrapper {
 public:
  explicit FaultEnv(Fs& fs) : EnvWrapper(rocksdb::NewCompositeEnv(std::make_shared<Files>(fs))) {
    system_clock_ = std::make_shared<Restless>();
  }
};

}  // namespace

std::unique_ptr<rocksdb::Env> MakeEnv(Fs& fs) { return std::make_unique<FaultEnv>(fs); }

}  // namespace varve
