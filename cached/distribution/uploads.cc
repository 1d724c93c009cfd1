#include "cached/distribution/uploads.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>

#include "cached/base/check.h"

namespace varve {
namespace {

// Pages are given to the disk as they come, so that the sync at the end finds little left to do.
constexpr std::uint64_t kWritebackBytes = 8 << 20;
constexpr std::size_t kRereadBytes = 1 << 20;

// 128 random bits as the UUID that other registries give (RFC 4122, version 4): nobody guesses another's upload.
std::string RandomId() {
  std::array<std::byte, 16> bytes{};
  VARVE_CHECK(::RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size())) == 1);
  bytes[6] = (bytes[6] & std::byte{0x0f}) | std::byte{0x40};
  bytes[8] = (bytes[8] & std::byte{0x3f}) | std::byte{0x80};
  const std::string hex = ToHex(bytes);
  return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4), hex.substr(16, 4),
                     hex.substr(20));
}

// An identifier comes back from clients, and names a file.
bool IsId(std::string_view id) {
  return id.size() == 36 &&
         std::ranges::all_of(id, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '-'; });
}

Status HashFile(const File& file, Sha256& hash, std::uint64_t size_bytes) {
  Bytes block(kRereadBytes);
  for (std::uint64_t at = 0; at < size_bytes;) {
    VARVE_ASSIGN_OR_RETURN(const std::size_t read, file.ReadAt(at, block));
    if (read == 0) return Error(Code::kDataLoss, "an upload's file became shorter while it was read");
    hash.Update(ByteSpan(block).first(read));
    at += read;
  }
  return Ok();
}

}  // namespace

Result<Uploads::Hold> Uploads::Start(const std::string& repository) {
  Name name{repository, RandomId()};
  Running running;
  VARVE_ASSIGN_OR_RETURN(running.file, files_.CreateUpload(name.repository, name.id));
  running.held = true;
  const MutexLock lock(mutex_);
  CloseOldest();
  Running& entry = running_.emplace(name, std::move(running)).first->second;
  return Hold(this, std::move(name), &entry);
}

Result<Uploads::Hold> Uploads::Continue(const Name& name) {
  if (!IsId(name.id)) return Error(Code::kNotFound, fmt::format("there is no upload \"{}\"", name.id.substr(0, 64)));
  {
    const MutexLock lock(mutex_);
    auto found = running_.find(name);
    if (found != running_.end() && !found->second.held && clock_.Now() - found->second.used > kUploadAgeMax) {
      running_.erase(found);  // a collection may have taken its file
      found = running_.end();
    }
    if (found != running_.end()) {
      if (std::exchange(found->second.held, true))
        return Error(Code::kAborted, fmt::format("another request appends to upload {}", name.id));
      return Hold(this, name, &found->second);
    }
    // Held from now on, and without a file until TakeUp has read it: nobody else does the same meanwhile.
    CloseOldest();
    running_[name].held = true;
  }
  return TakeUp(name);
}

Result<Uploads::Hold> Uploads::TakeUp(const Name& name) {
  Running* running = nullptr;
  {
    const MutexLock lock(mutex_);
    running = &running_.at(name);
  }
  Hold hold(this, name, running);
  const auto read = [&]() -> Status {
    VARVE_ASSIGN_OR_RETURN(running->file, files_.OpenUpload(name.repository, name.id));
    VARVE_ASSIGN_OR_RETURN(running->size_bytes, running->file->Size());
    return HashFile(*running->file, running->hash, running->size_bytes);
  };
  const Status outcome = read();
  if (outcome.ok()) return hold;
  hold.Forget();
  if (outcome.error().code() == Code::kNotFound)
    return Error(Code::kNotFound, fmt::format("there is no upload {} in {}", name.id, name.repository));
  return outcome.error().In("upload " + name.id);
}

void Uploads::CloseOldest() {
  if (running_.size() < kOpenMax) return;
  auto oldest = running_.end();
  for (auto at = running_.begin(); at != running_.end(); ++at) {
    if (!at->second.held && (oldest == running_.end() || at->second.used < oldest->second.used)) oldest = at;
  }
  if (oldest != running_.end()) running_.erase(oldest);
}

Uploads::Hold::~Hold() {
  if (uploads_ == nullptr) return;
  if (sealed_) {
    Forget();
    return;
  }
  const MutexLock lock(uploads_->mutex_);
  running_->used = uploads_->clock_.Now();
  running_->held = false;
}

void Uploads::Hold::Forget() {
  Uploads* const uploads = std::exchange(uploads_, nullptr);
  const MutexLock lock(uploads->mutex_);
  uploads->running_.erase(name_);
}

Status Uploads::Hold::Append(ByteSpan piece) {
  VARVE_RETURN_IF_ERROR(running_->file->WriteAt(running_->size_bytes, piece));
  running_->hash.Update(piece);
  const std::uint64_t before = running_->size_bytes;
  running_->size_bytes += piece.size();
  const std::uint64_t whole = running_->size_bytes / kWritebackBytes * kWritebackBytes;
  if (whole > before) {  // a hint: what goes wrong shows at the sync
    const std::uint64_t from = before / kWritebackBytes * kWritebackBytes;
    ::sync_file_range(running_->file->fd(), static_cast<off64_t>(from), static_cast<off64_t>(whole - from),
                      SYNC_FILE_RANGE_WRITE);
  }
  return Ok();
}

Status Uploads::Hold::Seal(const Digest& digest) {
  sealed_ = true;
  const Digest got = running_->hash.Finish();
  if (got != digest) {
    VARVE_RETURN_IF_ERROR(Cancel());
    return Error(Code::kOutOfRange,
                 fmt::format("what was uploaded has the digest {}, not {}", got.ToString(), digest.ToString()));
  }
  Status sealed = running_->file->Truncate(running_->size_bytes);  // a write that failed may have left more
  if (sealed.ok()) sealed = running_->file->Sync();
  return std::move(sealed).In("upload " + name_.id);
}

Status Uploads::Hold::Cancel() {
  const Status removed = uploads_->files_.RemoveUpload(name_.repository, name_.id);
  Forget();
  return !removed.ok() && removed.error().code() == Code::kNotFound ? Ok() : removed;  // given up, for its age
}

}  // namespace varve
