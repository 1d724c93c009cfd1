#include "cached/server/driver_sessions.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>

#include "cached/base/fd.h"
#include "cached/base/log.h"
#include "cached/server/grpc_status.h"

namespace varve {
namespace {

constexpr std::chrono::seconds kReleaseTimeout{5};
constexpr std::chrono::seconds kClosePacksTimeout{5};

std::uint64_t RequestOf(const v1::DriverEvent& event) {
  if (event.has_released()) return event.released().request();
  if (event.has_packs_closed()) return event.packs_closed().request();
  return 0;
}

}  // namespace

grpc::Status DriverSessions::Describe(grpc::ServerContext*, const v1::DescribeRequest* request,
                                      v1::DescribeReply* reply) {
  VARVE_GRPC_ASSIGN_OR_RETURN(const Digest digest, Digest::FromHexText(request->chain_id()));
  const ChainId chain_id{digest};
  LeaseTable::Session session(store_.leases());
  const bool alive = session.Touch(digest);
  VARVE_GRPC_ASSIGN_OR_RETURN(const auto record, store_.FindImage(chain_id));
  if (!record || !alive) return ToGrpc(Error(Code::kNotFound, "image index " + chain_id.hex() + ": is not stored"));
  VARVE_GRPC_RETURN_IF_ERROR(Pin(chain_id));
  VARVE_GRPC_ASSIGN_OR_RETURN(const MappedImage image, store_.index_files().OpenImage(chain_id));
  VARVE_GRPC_ASSIGN_OR_RETURN(const std::uint32_t slot, store_.SlotOf(chain_id));
  reply->set_slot(slot);
  for (const std::string& diff_id : record->diff_ids()) {
    VARVE_GRPC_ASSIGN_OR_RETURN(const Digest layer_id, Digest::FromBytes(AsBytes(diff_id)));
    VARVE_GRPC_ASSIGN_OR_RETURN(const MappedLayer layer, store_.index_files().OpenLayer(layer_id));
    VARVE_GRPC_RETURN_IF_ERROR(store_.index_files().OpenLocators(layer, LocatorTable::Access::kReadOnly));
    VARVE_GRPC_ASSIGN_OR_RETURN(const std::uint32_t layer_slot, store_.SlotOf(layer_id));
    v1::DescribeReply::Layer& described = *reply->add_layers();
    described.set_diff_id(layer_id.hex());
    described.set_slot(layer_slot);
  }
  return grpc::Status::OK;
}

grpc::Status DriverSessions::Resolve(grpc::ServerContext*, const v1::ResolveRequest* request, v1::ResolveReply* reply) {
  VARVE_GRPC_ASSIGN_OR_RETURN(const Digest diff_id, Digest::FromHexText(request->diff_id()));
  const auto locator = store_.ResolveLocator(diff_id, request->ordinal());
  if (!locator.ok()) return ToGrpc(locator.error().In("image " + request->image()));
  reply->set_locator(locator->Pack());
  return grpc::Status::OK;
}

grpc::Status DriverSessions::Attend(grpc::ServerContext*, Stream* stream) {
  {
    MutexLock lock(mutex_);
    stream_ = stream;
    answered_.NotifyAll();  // whoever waits for an answer of the driver before gets none
  }
  LogInfo("the driver attends");
  v1::DriverEvent event;
  while (stream->Read(&event)) {
    if (event.has_serving()) {
      for (const std::string& hex : event.serving().chain_ids()) {
        const auto digest = Digest::FromHexText(hex);
        const Status pinned = digest.ok() ? Pin(ChainId{*digest}) : Status(digest.error());
        if (!pinned.ok()) LogError("pin {}: {}", hex, pinned.error().message());
      }
    } else {
      TakeAnswer(std::move(event));
    }
  }
  MutexLock write_lock(write_mutex_);  // whoever writes to the stream now does so for the last time
  MutexLock lock(mutex_);
  if (stream_ == stream) stream_ = nullptr;
  answered_.NotifyAll();
  return grpc::Status::OK;
}

void DriverSessions::TakeAnswer(v1::DriverEvent event) {
  MutexLock lock(mutex_);
  const std::uint64_t request = RequestOf(event);
  if (!asked_.contains(request)) return;  // its asker has given up
  answers_.emplace(request, std::move(event));
  answered_.NotifyAll();
}

std::optional<v1::DriverEvent> DriverSessions::Ask(v1::DriverCommand command, std::chrono::milliseconds timeout) {
  std::uint64_t request;
  Stream* stream;
  {
    MutexLock write_lock(write_mutex_);
    {
      MutexLock lock(mutex_);
      request = next_request_++;
      stream = stream_;
      if (stream == nullptr) return std::nullopt;
      asked_.insert(request);
    }
    if (command.has_release()) command.mutable_release()->set_request(request);
    if (command.has_close_packs()) command.mutable_close_packs()->set_request(request);
    stream->Write(command);
  }
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  MutexLock lock(mutex_);
  while (!answers_.contains(request) && stream_ == stream && std::chrono::steady_clock::now() < deadline) {
    answered_.WaitFor(lock, deadline - std::chrono::steady_clock::now());
  }
  asked_.erase(request);
  auto answer = answers_.extract(request);
  if (answer.empty()) return std::nullopt;
  return std::move(answer.mapped());
}

Status DriverSessions::Pin(const ChainId& chain_id) {
  Database::Batch batch;
  batch.Put(Column::kPin, KeyOf(chain_id.digest), "");
  return store_.CommitLocal(std::move(batch));
}

Status DriverSessions::Unpin(const std::vector<ChainId>& released) {
  Database::Batch batch;
  for (const ChainId& chain_id : released) batch.Erase(Column::kPin, KeyOf(chain_id.digest));
  return store_.CommitLocal(std::move(batch));
}

Result<std::vector<ChainId>> DriverSessions::Pinned() const {
  std::vector<ChainId> pinned;
  VARVE_RETURN_IF_ERROR(store_.database().Scan(Column::kPin, [&](std::string_view key, std::string_view) -> Status {
    VARVE_ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(AsBytes(key)));
    pinned.push_back(ChainId{digest});
    return Ok();
  }));
  return pinned;
}

// varve-fuse holds this lock while it lives.
bool DriverSessions::DriverLives() const {
  const UniqueFd lock(::open(store_.paths().lock("fuse").c_str(), O_RDWR | O_CLOEXEC));
  return lock.valid() && ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0;
}

Result<std::vector<ChainId>> DriverSessions::ReleaseUnused(std::span<const ChainId> candidates) {
  VARVE_ASSIGN_OR_RETURN(std::vector<ChainId> pinned, Pinned());
  if (!attended() && !DriverLives()) {
    VARVE_RETURN_IF_ERROR(Unpin(pinned));
    return std::vector<ChainId>();
  }
  v1::DriverCommand command;
  command.mutable_release();
  for (const ChainId& chain_id : candidates) {
    if (std::find(pinned.begin(), pinned.end(), chain_id) != pinned.end())
      command.mutable_release()->add_chain_ids(chain_id.hex());
  }
  if (command.release().chain_ids().empty()) return pinned;
  const auto answer = Ask(std::move(command), kReleaseTimeout);
  if (!answer || !answer->has_released()) {
    LogWarning("the driver did not answer; all {} mounted images are kept", pinned.size());
    return pinned;
  }
  std::vector<ChainId> released;
  for (const std::string& hex : answer->released().chain_ids()) {
    VARVE_ASSIGN_OR_RETURN(const Digest digest, Digest::FromHexText(hex));
    released.push_back(ChainId{digest});
  }
  VARVE_RETURN_IF_ERROR(Unpin(released));
  std::erase_if(pinned, [&](const ChainId& chain_id) {
    return std::find(released.begin(), released.end(), chain_id) != released.end();
  });
  return pinned;
}

void DriverSessions::ClosePacks(std::span<const PackId> packs) {
  if (packs.empty() || !attended()) return;
  v1::DriverCommand command;
  for (const PackId pack : packs) command.mutable_close_packs()->add_packs(pack.number);
  if (!Ask(std::move(command), kClosePacksTimeout))
    LogWarning("the driver did not close {} packs in time; their space comes back when it does", packs.size());
}

bool DriverSessions::attended() const {
  MutexLock lock(mutex_);
  return stream_ != nullptr;
}

}  // namespace varve
