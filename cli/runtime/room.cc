#include "cli/runtime/room.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <thread>
#include <tuple>

#include "cached/base/bytes.h"
#include "cached/base/fs.h"
#include "cached/base/log.h"
#include "cli/runtime/cgroups.h"
#include "cli/runtime/conmon.h"
#include "cli/runtime/connection.h"
#include "cli/runtime/endpoint.h"
#include "cli/runtime/names.h"
#include "cli/runtime/remove_tree.h"

namespace varve {
namespace {

constexpr int kExitUnseen = 255;
constexpr std::chrono::seconds kWatchersMax{2};
constexpr std::chrono::milliseconds kWatchersPoll{5};

bool IsId(std::string_view name) {
  return name.size() == kIdDigits && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool Exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

Error NoSuchContainer(const std::string& name) { return Error(Code::kNotFound, "No such container: " + name); }

std::string RoomLock(const ContainerRoom& room) { return room.path() + "/lock"; }
std::string NamesOf(const ContainerRoom& room) { return room.path() + "/names"; }
std::string NameLink(const ContainerRoom& room, const std::string& name) { return NamesOf(room) + "/" + name; }

// Empty if nobody has the name.
std::string IdOfName(const ContainerRoom& room, const std::string& name) {
  std::array<char, kIdDigits> id;
  const ssize_t n = ::readlink(NameLink(room, name).c_str(), id.data(), id.size());
  return n == static_cast<ssize_t>(id.size()) ? std::string(id.data(), id.size()) : std::string();
}

// The mark of a container that is thrown away at its end.
std::string VolatileMark(const std::string& directory) { return directory + "/volatile"; }

// No power failure leaves half a file, unless of what is volatile: that does not wait for the disk.
Status Replace(const ContainerRecord& record, const std::string& path, ByteSpan bytes) {
  if (record.options.at_end != AtEnd::kRemoved) return WriteFileAtomically(Fs::Real(), path, bytes);
  const std::string temporary = path + ".new";
  {
    VARVE_ASSIGN_OR_RETURN(const auto file, Fs::Real().Open(temporary, OpenMode::kCreateTruncate));
    VARVE_RETURN_IF_ERROR(file->WriteAt(0, bytes));
  }
  return Fs::Real().Rename(temporary, path);
}

Status TakeName(const ContainerRoom& room, const std::string& name, const std::string& id) {
  VARVE_ASSIGN_OR_RETURN(const UniqueFd taking, LockFile(RoomLock(room), LOCK_EX));  // no sweep of names meanwhile
  VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(NamesOf(room)));
  const std::string link = NameLink(room, name);
  if (::symlink(id.c_str(), link.c_str()) == 0) return Ok();
  if (errno != EEXIST) return ErrnoError(errno, link);
  const std::string owner = IdOfName(room, name);
  return Error(Code::kAlreadyExists,
               fmt::format("the container name \"{}\" is already in use by container {}; remove or rename that first",
                           name, owner.substr(0, kShortIdDigits)));
}

// The end that nobody recorded. conmon's exit file says how it was, if conmon lived to write it; when it was is known
// only then.
void TellUnseenEnd(const ContainerRoom& room, const ContainerRecord& record, ContainerState& state) {
  state.status = ContainerStatus::kExited;
  state.exit_code = kExitUnseen;
  state.error = "its end was not seen: it or its keeper was killed, the disk was full, or the machine stopped";
  state.finished = state.started;
  const Result<SeenEnd> seen = ReadExitFile(room.BundleOf(record.id), record.id);
  if (!seen.ok()) return;
  state.exit_code = seen->exit_code;
  state.out_of_memory = Exists(room.BundleOf(record.id) + "/oom");
  state.error.clear();
  state.finished = seen->time;
}

// A keeper that lives on has yet to record the end, and until then the container is what it was.
bool HasEndedUnseen(const ContainerState& state) {
  if (!state.live()) return false;
  const Result<std::string> boot = BootId();
  return boot.ok() && (*boot != state.boot || (!Lives(state.process) && !Lives(state.keeper_process)));
}

// What a container that does not live has outside of its directory. A process is there if somebody was killed between
// `runc create` and the state that says so: it waits for a start that does not come.
Status RemoveTracesOf(const ContainerRoom& room, const std::string& id) {
  VARVE_RETURN_IF_ERROR(EndProcessesIn(id));
  VARVE_RETURN_IF_ERROR(RemoveCgroups(id));
  return Disconnect(room, id);
}

// state.json goes first, so that the container is no more; the lock last, so that nobody else starts removing.
Status RemoveDirectory(const ContainerRoom& room, const std::string& id) {
  const std::string directory = room.DirectoryOf(id);
  VARVE_RETURN_IF_ERROR(RemoveTree(directory + "/state.json"));
  VARVE_RETURN_IF_ERROR(RemoveTracesOf(room, id));
  VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> names, Fs::Real().List(directory));
  for (const std::string& name : names) {
    if (name != "lock") VARVE_RETURN_IF_ERROR(RemoveTree(fmt::format("{}/{}", directory, name)));
  }
  return RemoveTree(directory);
}

// Opens what the maker of the container has made: in a directory that is about to go nothing comes to be.
Result<UniqueFd> LockIn(const ContainerRoom& room, const std::string& id, const char* name, int operation) {
  Result<UniqueFd> lock = LockFile(fmt::format("{}/{}", room.DirectoryOf(id), name), operation, 0);
  if (!lock.ok() && lock.error().code() == Code::kNotFound) return NoSuchContainer(id);
  return lock;
}

void AwaitWatchers(const ContainerRoom& room, const std::string& id) {
  const auto until = std::chrono::steady_clock::now() + kWatchersMax;
  for (;;) {
    const Result<UniqueFd> alone = LockIn(room, id, "watch", LOCK_EX | LOCK_NB);
    if (alone.ok() || alone.error().code() != Code::kUnavailable || std::chrono::steady_clock::now() > until) return;
    std::this_thread::sleep_for(kWatchersPoll);
  }
}

}  // namespace

std::string_view StatusName(const Container& container) {
  return container.paused ? "paused" : StatusName(container.state.status);
}

Result<std::vector<std::string>> ContainerRoom::Ids() const {
  if (!Exists(directory_)) return std::vector<std::string>();
  VARVE_ASSIGN_OR_RETURN(std::vector<std::string> names, Fs::Real().List(directory_));
  std::erase_if(names, [](const std::string& name) { return !IsId(name); });
  return names;
}

Result<LockedContainer> ContainerRoom::Create(ContainerRecord record,
                                              const std::function<Status(const std::string&)>& fill) const {
  const std::string& id = record.id;
  if (record.name.empty()) record.name = id.substr(0, kShortIdDigits);
  VARVE_RETURN_IF_ERROR(CheckName("container", record.name));
  VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(directory_));
  const std::string directory = DirectoryOf(id);
  UniqueFd lock;
  {
    VARVE_ASSIGN_OR_RETURN(const UniqueFd creating, LockFile(RoomLock(*this), LOCK_EX));
    if (::mkdir(directory.c_str(), 0700) != 0) return ErrnoError(errno, directory);
    VARVE_ASSIGN_OR_RETURN(lock, LockFile(directory + "/lock", LOCK_EX));
  }
  if (record.options.at_end == AtEnd::kRemoved)
    VARVE_RETURN_IF_ERROR(Fs::Real().Open(VolatileMark(directory), OpenMode::kCreateNew));
  LockedContainer container(*this, std::move(lock), {.record = record, .state = {}});
  const auto make = [&]() -> Status {
    VARVE_RETURN_IF_ERROR(Fs::Real().Open(directory + "/watch", OpenMode::kCreateNew));
    VARVE_RETURN_IF_ERROR(Replace(record, directory + "/container.json", AsBytes(RecordJson(record))));
    VARVE_RETURN_IF_ERROR(fill(directory));
    VARVE_RETURN_IF_ERROR(TakeName(*this, record.name, id));
    return container.SaveState();
  };
  const Status made = make();
  if (made.ok()) return container;
  container.Remove().IgnoreError("the first error says why, and a sweep removes it");
  return made.error();
}

Result<ContainerRecord> ContainerRoom::LoadRecord(const std::string& id) const {
  const std::string path = DirectoryOf(id) + "/container.json";
  const Result<Bytes> record = ReadWholeFile(Fs::Real(), path, kRecordBytesMax);
  if (!record.ok()) return record.error().code() == Code::kNotFound ? NoSuchContainer(id) : record.error();
  return ParseRecord(*record).In(path);
}

Result<std::map<std::string, std::vector<std::string>>> ContainerRoom::VolumeUsers() const {
  VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> ids, Ids());
  std::map<std::string, std::vector<std::string>> users;
  for (const std::string& id : ids) {
    const Result<ContainerRecord> record = LoadRecord(id);
    if (!record.ok() && record.error().code() == Code::kNotFound) continue;
    if (!record.ok()) return record.error();
    for (const ContainerMount& mount : record->mounts) {
      if (mount.kind == MountKind::kVolume) users[mount.name].push_back(id);
    }
  }
  return users;
}

Status ContainerRoom::RemoveAnonymousVolumes(const ContainerRecord& record) const {
  if (std::ranges::none_of(record.mounts, &ContainerMount::anonymous)) return Ok();
  VARVE_ASSIGN_OR_RETURN(LockedVolumes locked, volumes().Lock());
  VARVE_ASSIGN_OR_RETURN(const auto users, VolumeUsers());
  for (const ContainerMount& mount : record.mounts) {
    if (mount.anonymous && !users.contains(mount.name)) VARVE_RETURN_IF_ERROR(locked.Remove(mount.name));
  }
  return Ok();
}

// Its lock is held.
Status ContainerRoom::RemoveLeftover(const std::string& id) const {
  const Result<ContainerRecord> record = LoadRecord(id);
  VARVE_RETURN_IF_ERROR(RemoveDirectory(*this, id));
  return record.ok() ? RemoveAnonymousVolumes(*record) : Ok();
}

Result<Container> ContainerRoom::Load(const std::string& id) const {
  const std::string directory = DirectoryOf(id);
  const Result<Bytes> state = ReadWholeFile(Fs::Real(), directory + "/state.json", kRecordBytesMax);
  if (!state.ok()) return state.error().code() == Code::kNotFound ? NoSuchContainer(id) : state.error();
  Container container;
  VARVE_ASSIGN_OR_RETURN(container.record, LoadRecord(id));
  VARVE_ASSIGN_OR_RETURN(container.state, ParseState(*state).In(directory + "/state.json"));
  if (HasEndedUnseen(container.state)) TellUnseenEnd(*this, container.record, container.state);
  container.paused = container.state.status == ContainerStatus::kRunning && IsFrozen(id);
  return container;
}

Result<std::vector<Container>> ContainerRoom::List() const {
  VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> ids, Ids());
  std::vector<Container> containers;
  for (const std::string& id : ids) {
    Result<Container> container = Load(id);
    if (container.ok()) {
      containers.push_back(std::move(*container));
    } else if (container.error().code() != Code::kNotFound) {
      LogWarning("{}", container.error().message());
    }
  }
  std::ranges::sort(containers, {}, [](const Container& container) { return container.record.created; });
  return containers;
}

Result<Container> ContainerRoom::Find(const std::string& name) const {
  if (const std::string id = CheckName("container", name).ok() ? IdOfName(*this, name) : ""; !id.empty()) {
    Result<Container> container = Load(id);
    if (container.ok() || container.error().code() != Code::kNotFound) return container;
  }
  VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> ids, Ids());
  std::vector<Container> matches;
  for (const std::string& id : ids) {
    if (name.empty() || !id.starts_with(name)) continue;
    Result<Container> container = Load(id);
    if (container.ok()) {
      matches.push_back(std::move(*container));
    } else if (container.error().code() != Code::kNotFound) {
      return container;
    }
  }
  if (matches.empty()) return NoSuchContainer(name);
  if (matches.size() > 1) {
    return Error(Code::kInvalidArgument,
                 fmt::format("{} is the beginning of the ids of {} containers: give more of it", name, matches.size()));
  }
  return std::move(matches.front());
}

Result<LockedContainer> ContainerRoom::Lock(const std::string& id) const {
  VARVE_ASSIGN_OR_RETURN(UniqueFd lock, LockIn(*this, id, "lock", LOCK_EX));
  VARVE_ASSIGN_OR_RETURN(Container container, Load(id));  // it may have been removed while we waited
  return LockedContainer(*this, std::move(lock), std::move(container));
}

Result<UniqueFd> ContainerRoom::Watch(const std::string& id) const { return LockIn(*this, id, "watch", LOCK_SH); }

// Needs the lock of the container: what of it is to be swept.
ContainerRoom::Leftover ContainerRoom::LeftoverOf(const std::string& id) const {
  const Result<Container> container = Load(id);
  if (!container.ok() && container.error().code() == Code::kNotFound) return Leftover::kAll;
  if (!container.ok())  // damaged: not ours to throw away, unless by a power failure that nothing of it was to survive
    return Exists(VolatileMark(DirectoryOf(id))) ? Leftover::kAll : Leftover::kNothing;
  if (container->state.live()) return Leftover::kNothing;
  const bool ended = container->state.status == ContainerStatus::kExited;
  if (ended && container->record.options.at_end == AtEnd::kRemoved) return Leftover::kAll;
  return HasEndpoint(DirectoryOf(id)) || !ProcessesIn(id).empty() ? Leftover::kTraces : Leftover::kNothing;
}

Status ContainerRoom::Sweep() const {
  if (!Exists(directory_)) return Ok();
  std::vector<std::tuple<std::string, UniqueFd, Leftover>> leftovers;
  {
    VARVE_ASSIGN_OR_RETURN(const UniqueFd listing, LockFile(RoomLock(*this), LOCK_EX));
    VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> ids, Ids());
    for (const std::string& id : ids) {
      Result<UniqueFd> lock = LockIn(*this, id, "lock", LOCK_EX | LOCK_NB);
      // Its maker was killed before it made the lock, or somebody who removes it has just removed that.
      if (!lock.ok() && lock.error().code() == Code::kNotFound) ::rmdir(DirectoryOf(id).c_str());
      const Leftover leftover = lock.ok() ? LeftoverOf(id) : Leftover::kNothing;
      if (leftover != Leftover::kNothing) leftovers.emplace_back(id, std::move(*lock), leftover);
    }
  }
  for (const auto& [id, lock, leftover] : leftovers) {
    const Status removed = leftover == Leftover::kAll ? RemoveLeftover(id) : RemoveTracesOf(*this, id);
    if (removed.ok() || removed.error().code() == Code::kFailedPrecondition) continue;  // that one is still dying
    LogWarning("container {} is not swept: {}", id.substr(0, kShortIdDigits), removed.error().message());
  }
  return SweepNames();
}

// Whether nobody of that name is there: its container has gone, or who renamed it was killed between two names.
// Containers that are about to exist have a record, and whoever renames one has its lock.
bool ContainerRoom::IsNobodys(const std::string& name) const {
  const std::string id = IdOfName(*this, name);
  if (!Exists(DirectoryOf(id))) return true;
  const auto is_its = [&] {
    const Result<ContainerRecord> record = LoadRecord(id);
    return !record.ok() || record->name == name;
  };
  if (is_its()) return false;
  const Result<UniqueFd> lock = LockIn(*this, id, "lock", LOCK_EX | LOCK_NB);
  return lock.ok() && !is_its();
}

Status ContainerRoom::SweepNames() const {
  if (!Exists(NamesOf(*this))) return Ok();
  VARVE_ASSIGN_OR_RETURN(const UniqueFd sweeping, LockFile(RoomLock(*this), LOCK_EX));
  VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> names, Fs::Real().List(NamesOf(*this)));
  for (const std::string& name : names) {
    if (IsNobodys(name)) VARVE_RETURN_IF_ERROR(RemoveTree(NameLink(*this, name)));
  }
  return Ok();
}

LockedContainer::LockedContainer(const ContainerRoom& room, UniqueFd lock, Container container)
    : room_(room), lock_(std::move(lock)), container_(std::move(container)) {}

// Written over the state before the last, which the last changes places with: a container that has been started can be
// stopped and removed on a disk that it has filled.
Status LockedContainer::SaveState() {
  const std::string directory = room_.DirectoryOf(container_.record.id);
  const std::string path = directory + "/state.json", other = path + ".other";
  const std::string text = StateJson(container_.state);
  const bool synced = container_.record.options.at_end != AtEnd::kRemoved;
  Fs& fs = Fs::Real();
  {
    VARVE_ASSIGN_OR_RETURN(const auto file,
                           fs.Open(other, Exists(other) ? OpenMode::kReadWrite : OpenMode::kCreateTruncate));
    VARVE_RETURN_IF_ERROR(file->WriteAt(0, AsBytes(text)));
    VARVE_RETURN_IF_ERROR(file->Truncate(text.size()));
    if (synced) VARVE_RETURN_IF_ERROR(file->Sync());
  }
  // The first state has nothing to change places with, and some file systems cannot do it.
  if (::renameat2(AT_FDCWD, other.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE) != 0)
    VARVE_RETURN_IF_ERROR(fs.Rename(other, path));
  return synced ? fs.SyncDirectory(directory) : Ok();
}

Status LockedContainer::Rename(const std::string& name) {
  VARVE_RETURN_IF_ERROR(CheckName("container", name));
  VARVE_RETURN_IF_ERROR(TakeName(room_, name, container_.record.id));
  const std::string before = std::exchange(container_.record.name, name);
  const std::string path = room_.DirectoryOf(container_.record.id) + "/container.json";
  Status saved = Replace(container_.record, path, AsBytes(RecordJson(container_.record)));
  const Status freed = RemoveTree(NameLink(room_, saved.ok() ? before : name));
  return saved.ok() ? freed : saved;
}

Status LockedContainer::RemoveTraces() { return RemoveTracesOf(room_, container_.record.id); }

Status LockedContainer::Remove(AnonymousVolumes volumes) {
  AwaitWatchers(room_, container_.record.id);
  const std::string& name = container_.record.name;
  if (IdOfName(room_, name) == container_.record.id) VARVE_RETURN_IF_ERROR(RemoveTree(NameLink(room_, name)));
  VARVE_RETURN_IF_ERROR(RemoveDirectory(room_, container_.record.id));
  return volumes == AnonymousVolumes::kRemoved ? room_.RemoveAnonymousVolumes(container_.record) : Ok();
}

}  // namespace varve
