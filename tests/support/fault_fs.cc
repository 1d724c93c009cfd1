#include "tests/support/fault_fs.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace varve {
namespace {

std::string ParentOf(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return path.substr(0, std::max<std::size_t>(slash, 1));
}

}  // namespace

struct FaultFs::Inode {
  Bytes content;
  Bytes synced;
  std::size_t dirty_from = 0;  // content and synced are equal before it
  UniqueFd mapped;             // a copy of content, once somebody has mapped it

  void Write(std::size_t offset, ByteSpan bytes) {
    VARVE_CHECK(!mapped.valid());
    if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size());
    std::copy(bytes.begin(), bytes.end(), content.begin() + static_cast<std::ptrdiff_t>(offset));
    dirty_from = std::min(dirty_from, offset);
  }
  void Resize(std::size_t size) {
    dirty_from = std::min({dirty_from, size, content.size()});
    content.resize(size);
  }
  void Sync() {
    synced.resize(content.size());
    const auto from = static_cast<std::ptrdiff_t>(dirty_from);
    std::copy(content.begin() + from, content.end(), synced.begin() + from);
    dirty_from = content.size();
  }
  int Map() {
    if (mapped.valid()) return mapped.get();
    mapped = UniqueFd(::memfd_create("varve-fault-fs", MFD_CLOEXEC));
    VARVE_CHECK(::write(mapped.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size()));
    return mapped.get();
  }
  void Lose(Unsynced unsynced) {
    if (unsynced != Unsynced::kKept) mapped = UniqueFd();
    if (unsynced == Unsynced::kKept) return Sync();
    const std::size_t grown = content.size() > synced.size() ? content.size() - synced.size() : 0;
    if (unsynced == Unsynced::kTorn) {
      const auto from = content.begin() + static_cast<std::ptrdiff_t>(content.size() - grown);
      synced.insert(synced.end(), from, from + static_cast<std::ptrdiff_t>(grown / 2));
    }
    if (unsynced == Unsynced::kZeroed) synced.resize(synced.size() + grown);
    content = synced;
    dirty_from = content.size();
  }
};

class FaultFs::OpenFile final : public File {
 public:
  OpenFile(FaultFs& fs, std::string path, std::shared_ptr<Inode> inode, OpenMode mode, std::uint64_t crashes)
      : fs_(fs),
        path_(std::move(path)),
        writable_(mode != OpenMode::kRead),
        crashes_(crashes),
        inode_(std::move(inode)) {}

  Status WriteAt(std::uint64_t offset, ByteSpan bytes) override {
    MutexLock lock(fs_.mutex_);
    VARVE_RETURN_IF_ERROR(CheckWritable());
    Status begun = Begin();
    inode_->Write(offset, begun.ok() ? bytes : bytes.first(bytes.size() / 2));
    return begun;
  }

  Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::byte> into) const override {
    MutexLock lock(fs_.mutex_);
    VARVE_RETURN_IF_ERROR(Begin());
    const ByteSpan content = inode_->content;
    const ByteSpan rest = content.subspan(std::min<std::size_t>(offset, content.size()));
    const std::size_t size = std::min(rest.size(), into.size());
    std::copy_n(rest.begin(), size, into.begin());
    return size;
  }

  Status Truncate(std::uint64_t size) override {
    MutexLock lock(fs_.mutex_);
    VARVE_RETURN_IF_ERROR(CheckWritable());
    VARVE_RETURN_IF_ERROR(Begin());
    inode_->Resize(size);
    return Ok();
  }

  Status Sync() override {
    MutexLock lock(fs_.mutex_);
    VARVE_RETURN_IF_ERROR(Begin());
    inode_->Sync();
    return Ok();
  }

  Result<std::uint64_t> Size() const override {
    MutexLock lock(fs_.mutex_);
    VARVE_RETURN_IF_ERROR(Begin());
    return inode_->content.size();
  }

  int fd() const override {
    MutexLock lock(fs_.mutex_);
    return inode_->Map();
  }

 private:
  Status CheckNotStale() const REQUIRES(fs_.mutex_) {
    if (crashes_ == fs_.crashes_) return Ok();
    return Error(Code::kFailedPrecondition, path_ + ": was open when the power failed");
  }
  Status CheckWritable() const REQUIRES(fs_.mutex_) {
    if (writable_) return CheckNotStale();
    return Error(Code::kPermissionDenied, path_ + ": is open for reading only");
  }
  Status Begin() const REQUIRES(fs_.mutex_) {
    VARVE_RETURN_IF_ERROR(CheckNotStale());
    return fs_.Begin(path_);
  }

  FaultFs& fs_;
  const std::string path_;
  const bool writable_;
  const std::uint64_t crashes_;  // of the file system, when this was opened
  const std::shared_ptr<Inode> inode_;
};

FaultFs::FaultFs() : directories_{".", "/"} {}
FaultFs::~FaultFs() = default;

void FaultFs::FailAt(std::uint64_t nth, Failing failing, Error error) {
  MutexLock lock(mutex_);
  operations_ = 0;
  fault_ = Fault{.nth = nth, .failing = failing, .error = std::move(error)};
}

void FaultFs::Heal() {
  MutexLock lock(mutex_);
  fault_.reset();
}

std::uint64_t FaultFs::operations() const {
  MutexLock lock(mutex_);
  return operations_;
}

void FaultFs::Crash(Unsynced unsynced) {
  MutexLock lock(mutex_);
  ++crashes_;
  if (unsynced == Unsynced::kKept) {
    synced_names_ = names_;
  } else {
    names_ = synced_names_;
  }
  std::set<std::shared_ptr<Inode>> inodes;
  for (const auto& [path, inode] : names_) inodes.insert(inode);
  for (const auto& inode : inodes) inode->Lose(unsynced);
}

Result<std::unique_ptr<File>> FaultFs::Open(const std::string& path, OpenMode mode) {
  MutexLock lock(mutex_);
  VARVE_RETURN_IF_ERROR(Begin(path));
  VARVE_RETURN_IF_ERROR(CheckParent(path));
  std::shared_ptr<Inode> inode;
  if (const auto found = names_.find(path); found != names_.end()) inode = found->second;
  if (mode == OpenMode::kCreateNew && inode) return Error(Code::kAlreadyExists, path + ": File exists");
  if (!inode) {
    if (mode == OpenMode::kRead || mode == OpenMode::kReadWrite) return Get(path).error();
    inode = names_.emplace(path, std::make_shared<Inode>()).first->second;
  }
  if (mode == OpenMode::kCreateTruncate) inode->Resize(0);
  return std::unique_ptr<File>(std::make_unique<OpenFile>(*this, path, std::move(inode), mode, crashes_));
}

Status FaultFs::Rename(const std::string& from, const std::string& to) {
  MutexLock lock(mutex_);
  VARVE_RETURN_IF_ERROR(Begin(to));
  VARVE_RETURN_IF_ERROR(CheckParent(to));
  VARVE_ASSIGN_OR_RETURN(auto inode, Get(from));
  names_.erase(from);
  names_[to] = std::move(inode);
  return Ok();
}

Status FaultFs::Remove(const std::string& path) {
  MutexLock lock(mutex_);
  VARVE_RETURN_IF_ERROR(Begin(path));
  VARVE_ASSIGN_OR_RETURN(const auto inode, Get(path));
  names_.erase(path);
  return Ok();
}

Status FaultFs::MakeDirectories(const std::string& path) {
  MutexLock lock(mutex_);
  VARVE_RETURN_IF_ERROR(Begin(path));
  for (std::string directory = path; directories_.insert(directory).second;) directory = ParentOf(directory);
  return Ok();
}

Status FaultFs::SyncDirectory(const std::string& path) {
  MutexLock lock(mutex_);
  VARVE_RETURN_IF_ERROR(Begin(path));
  if (!directories_.contains(path)) return Error(Code::kNotFound, path + ": No such file or directory");
  const auto inside = [&](const auto& name) { return ParentOf(name.first) == path; };
  std::erase_if(synced_names_, inside);
  std::copy_if(names_.begin(), names_.end(), std::inserter(synced_names_, synced_names_.end()), inside);
  return Ok();
}

Result<std::vector<std::string>> FaultFs::List(const std::string& directory) {
  MutexLock lock(mutex_);
  VARVE_RETURN_IF_ERROR(Begin(directory));
  if (!directories_.contains(directory)) return Error(Code::kNotFound, directory + ": No such file or directory");
  std::vector<std::string> names;
  const auto add = [&](const std::string& path) {
    if (path != directory && ParentOf(path) == directory) names.push_back(path.substr(path.rfind('/') + 1));
  };
  for (const auto& [path, inode] : names_) add(path);
  for (const std::string& path : directories_) add(path);
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::uint64_t> FaultFs::FileSize(const std::string& path) {
  MutexLock lock(mutex_);
  VARVE_RETURN_IF_ERROR(Begin(path));
  VARVE_ASSIGN_OR_RETURN(const auto inode, Get(path));
  return inode->content.size();
}

Result<std::chrono::system_clock::time_point> FaultFs::ModifiedAt(const std::string& path) {
  MutexLock lock(mutex_);
  VARVE_RETURN_IF_ERROR(Begin(path));
  VARVE_RETURN_IF_ERROR(Get(path));
  return made_;
}

Result<std::uint64_t> FaultFs::FreeBytes(const std::string& directory) {
  MutexLock lock(mutex_);
  VARVE_RETURN_IF_ERROR(Begin(directory));
  return std::uint64_t{1} << 40;
}

Status FaultFs::Begin(const std::string& path) {
  ++operations_;
  if (!fault_ || operations_ < fault_->nth) return Ok();
  if (fault_->failing == Failing::kOnce && operations_ > fault_->nth) return Ok();
  return fault_->error.In(path);
}

Status FaultFs::CheckParent(const std::string& path) const {
  if (directories_.contains(ParentOf(path))) return Ok();
  return Error(Code::kNotFound, path + ": No such file or directory");
}

Result<std::shared_ptr<FaultFs::Inode>> FaultFs::Get(const std::string& path) const {
  if (const auto found = names_.find(path); found != names_.end()) return found->second;
  return Error(Code::kNotFound, path + ": No such file or directory");
}

}  // namespace varve
