#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cached/base/fd.h"
#include "cached/base/result.h"
#include "cli/runtime/record.h"
#include "cli/runtime/volumes.h"

namespace varve {

struct Container {
  ContainerRecord record;
  ContainerState state;  // as it is, not only as it is stored: see ContainerRoom
  bool paused = false;   // it is running, and its processes are frozen
};
std::string_view StatusName(const Container& container);  // record.h's, or "paused"

class LockedContainer;

// Where containers are kept: one directory each, and a symlink for each name, whose making is what makes names unique.
//
//   lock                  held for the moment of making a directory or of sweeping
//   volumes/              what outlives containers (volumes.h)
//   names/<name>          a symlink that reads <id>
//   networks/             networks.h
//   <id>/container.json   the record; written once, but for a new name
//   <id>/state.json       the state; without it the container does not exist: half made, or half removed
//   <id>/state.json.other the one before, which the next is written over
//   <id>/volatile         empty; there if it is AtEnd::kRemoved: nothing of it is synced
//   <id>/lock             held (flock) by whoever changes the container, for the moment of the change
//   <id>/watch            held shared by whoever waits for its end and must see it before it is removed
//   <id>/network.json     how it is connected (endpoint.h)
//   <id>/upper, work      what it has written
//   <id>/bundle/          config.json and what else runc and conmon are given or make
//   <id>/log              what it has said, if conmon held it
//
// States are told as they are: a container whose process has ended while nobody recorded it (kill -9, a reboot) is
// exited, whatever state.json says. Thread-safe; any number of processes.
class ContainerRoom {
 public:
  explicit ContainerRoom(std::string directory) : directory_(std::move(directory)) {}

  const std::string& path() const { return directory_; }
  std::string DirectoryOf(const std::string& id) const { return directory_ + "/" + id; }
  std::string BundleOf(const std::string& id) const { return DirectoryOf(id) + "/bundle"; }
  std::string LogOf(const std::string& id) const { return DirectoryOf(id) + "/log"; }

  VolumeRoom volumes() const { return VolumeRoom(directory_ + "/volumes"); }
  // The ids of the containers that mount each volume, those too that are being made. With the lock of volumes held, no
  // container comes to have one without being among them.
  Result<std::map<std::string, std::vector<std::string>>> VolumeUsers() const;

  // `record.id` is new; an empty `record.name` becomes the first twelve digits of it. `fill` makes what else is in the
  // directory, whose path it gets; the container exists when all of that is done. kAlreadyExists if the name is taken.
  Result<LockedContainer> Create(ContainerRecord record, const std::function<Status(const std::string&)>& fill) const;

  // The one with this name, id, or prefix of an id. kNotFound; kInvalidArgument for a prefix of several.
  Result<Container> Find(const std::string& name) const;
  // Oldest first. What is damaged is left out, with a warning.
  Result<std::vector<Container>> List() const;
  Result<Container> Load(const std::string& id) const;  // kNotFound
  // Waits for its lock. kNotFound.
  Result<LockedContainer> Lock(const std::string& id) const;
  // Holds its `watch` until the result is destroyed. kNotFound.
  Result<UniqueFd> Watch(const std::string& id) const;

  // Removes what was half made or half removed, and containers with AtEnd::kRemoved whose end nobody saw, damaged or
  // not; of others that do not live ends and disconnects what somebody left who was killed.
  Status Sweep() const;

 private:
  friend class LockedContainer;
  Result<std::vector<std::string>> Ids() const;
  Result<ContainerRecord> LoadRecord(const std::string& id) const;
  // Those of a container that is gone, as far as no other has them.
  Status RemoveAnonymousVolumes(const ContainerRecord& record) const;
  Status RemoveLeftover(const std::string& id) const;
  enum class Leftover { kNothing, kTraces, kAll };
  Leftover LeftoverOf(const std::string& id) const;
  Status SweepNames() const;
  bool IsNobodys(const std::string& name) const;

  std::string directory_;
};

// What becomes of the volumes that were made for a container alone.
enum class AnonymousVolumes { kKept, kRemoved };

// A container that nobody else changes meanwhile.
class LockedContainer {
 public:
  Container& operator*() { return container_; }
  Container* operator->() { return &container_; }

  Status SaveState();
  // kAlreadyExists if the name is taken.
  Status Rename(const std::string& name);
  // Of one that does not live: ends processes that hold the place of a start that was not finished, and disconnects it
  // from its network (connection.h).
  Status RemoveTraces();
  // All of it. The caller has seen to it that nothing of it runs. Waits a moment for those who hold `watch`.
  Status Remove(AnonymousVolumes volumes = AnonymousVolumes::kRemoved);

 private:
  friend class ContainerRoom;
  LockedContainer(const ContainerRoom& room, UniqueFd lock, Container container);

  ContainerRoom room_;
  UniqueFd lock_;
  Container container_;
};

}  // namespace varve
