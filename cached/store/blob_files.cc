// Why a file is never missing behind its record, nor left behind without one:
//
//   push:     written → synced → renamed → directory synced → record committed → visible
//   collect:  record erased, committed → file removed
//
// A crash between two steps leaves at worst a file without a record: the next start removes it, and a collection does.
// Both would be wrong while somebody is between "renamed" and "committed", and a file has one name only, so that (other
// than a chunk) it cannot be written anew elsewhere while an old one goes. So the lease table keeps the two apart:
// whoever pushes or mounts a blob leases it (LeaseTable::Session::Await) from before the rename until after the commit;
// the collector removes only what it has condemned, which is nothing that is leased, and whoever comes meanwhile waits
// for the one commit and the removals of that batch. At a start nobody else is there.
//
// Open files. A cached descriptor of a file that was removed would keep its space, so a file that is replaced or
// removed is forgotten *after* that has happened. An opening under way at that moment may have found the old file, and
// would cache it behind the forgetting: `replaced_` tells it that something has changed, and it caches nothing.

#include "cached/store/blob_files.h"

#include <fmt/core.h>

#include <algorithm>

#include "cached/content/sha256.h"

namespace varve {
namespace {

// Files that stay open.
constexpr std::size_t kOpenBlobsMax = 256;
constexpr std::size_t kUploadIdMax = 64;

bool IsUploadId(std::string_view id) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return !id.empty() && id.size() <= kUploadIdMax && std::ranges::all_of(id, allowed);
}

}  // namespace

Digest LeaseOfOriginal(const Digest& blob) {
  Digest lease;
  std::ranges::transform(blob.bytes, lease.bytes.begin(), [](std::byte byte) { return ~byte; });
  return lease;
}

Status BlobFiles::Recover(const std::function<Result<bool>(const Digest&)>& known) {
  for (const std::string& directory : {paths_.blobs(), paths_.uploads()}) {
    VARVE_RETURN_IF_ERROR(fs_.MakeDirectories(directory));
  }
  for (const std::string& parent : {paths_.root + "/blobs", paths_.root}) {
    VARVE_RETURN_IF_ERROR(fs_.SyncDirectory(parent));
  }
  VARVE_ASSIGN_OR_RETURN(const auto names, fs_.List(paths_.blobs()));
  for (const std::string& name : names) {
    const auto digest = Digest::FromHexText(name);
    const auto stays = digest.ok() ? known(*digest) : Result<bool>(false);
    if (!stays.ok()) return stays.error();
    if (!*stays) VARVE_RETURN_IF_ERROR(fs_.Remove(paths_.blobs() + "/" + name));
  }
  return RemoveUploadsBefore(std::chrono::system_clock::now() - kUploadAgeMax);
}

Result<std::string> BlobFiles::UploadPath(std::string_view repository, std::string_view id) const {
  if (!IsUploadId(id)) return Error(Code::kInvalidArgument, fmt::format("upload \"{}\": this is no upload's id", id));
  return fmt::format("{}/{}.{}", paths_.uploads(), Sha256Of(AsBytes(repository)).hex(), id);
}

Result<std::unique_ptr<File>> BlobFiles::CreateUpload(std::string_view repository, std::string_view id) {
  VARVE_ASSIGN_OR_RETURN(const std::string path, UploadPath(repository, id));
  return fs_.Open(path, OpenMode::kCreateNew);
}

Result<std::unique_ptr<File>> BlobFiles::OpenUpload(std::string_view repository, std::string_view id) {
  VARVE_ASSIGN_OR_RETURN(const std::string path, UploadPath(repository, id));
  return fs_.Open(path, OpenMode::kReadWrite);
}

Status BlobFiles::RemoveUpload(std::string_view repository, std::string_view id) {
  VARVE_ASSIGN_OR_RETURN(const std::string path, UploadPath(repository, id));
  return fs_.Remove(path);
}

Status BlobFiles::Publish(std::string_view repository, std::string_view id, const Digest& digest) {
  VARVE_ASSIGN_OR_RETURN(const std::string path, UploadPath(repository, id));
  VARVE_RETURN_IF_ERROR(fs_.Rename(path, PathOf(digest)));
  Forget(digest);
  return fs_.SyncDirectory(paths_.blobs());
}

Status BlobFiles::Write(const Digest& digest, ByteSpan bytes) {
  const std::string path = PathOf(digest);
  VARVE_RETURN_IF_ERROR(WriteFileAtomically(fs_, path, fmt::format("{}.{}.new", path, ++drafts_), bytes));
  Forget(digest);
  return Ok();
}

Result<std::shared_ptr<const File>> BlobFiles::Open(const Digest& digest) {
  std::uint64_t replaced = 0;
  {
    MutexLock lock(mutex_);
    const auto found = open_.find(digest);
    if (found != open_.end()) {
      recent_.splice(recent_.begin(), recent_, found->second.use);
      return found->second.file;
    }
    replaced = replaced_;
  }
  VARVE_ASSIGN_OR_RETURN(std::shared_ptr<const File> file, fs_.Open(PathOf(digest), OpenMode::kRead));
  std::shared_ptr<const File> evicted;  // closed without the mutex
  MutexLock lock(mutex_);
  if (replaced != replaced_ || open_.contains(digest)) return file;
  recent_.push_front(digest);
  open_[digest] = {file, recent_.begin()};
  if (open_.size() > kOpenBlobsMax) {
    evicted = std::move(open_.extract(recent_.back()).mapped().file);
    recent_.pop_back();
  }
  return file;
}

void BlobFiles::Forget(const Digest& digest) {
  std::shared_ptr<const File> forgotten;  // closed without the mutex
  MutexLock lock(mutex_);
  ++replaced_;
  const auto found = open_.find(digest);
  if (found == open_.end()) return;
  forgotten = std::move(found->second.file);
  recent_.erase(found->second.use);
  open_.erase(found);
}

Result<std::vector<Digest>> BlobFiles::List() const {
  VARVE_ASSIGN_OR_RETURN(const auto names, fs_.List(paths_.blobs()));
  std::vector<Digest> blobs;
  for (const std::string& name : names) {
    const auto digest = Digest::FromHexText(name);
    if (digest.ok()) blobs.push_back(*digest);
  }
  return blobs;
}

Status BlobFiles::Remove(const Digest& digest) {
  Status removed = fs_.Remove(PathOf(digest));
  Forget(digest);
  return removed;
}

Status BlobFiles::RemoveUploadsBefore(std::chrono::system_clock::time_point written) {
  VARVE_ASSIGN_OR_RETURN(const auto names, fs_.List(paths_.uploads()));
  for (const std::string& name : names) {
    const std::string path = paths_.uploads() + "/" + name;
    const auto modified = fs_.ModifiedAt(path);
    if (!modified.ok() && modified.error().code() == Code::kNotFound) continue;  // it has ended meanwhile
    if (!modified.ok()) return modified.error();
    if (*modified >= written) continue;
    Status removed = fs_.Remove(path);
    if (!removed.ok() && removed.error().code() != Code::kNotFound) return removed;
  }
  return Ok();
}

}  // namespace varve
