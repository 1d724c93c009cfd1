#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "cli/runtime/cgroups.h"
#include "cli/runtime/life.h"
#include "cli/runtime/names.h"
#include "cli/runtime/room.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RuntimeRoomTest : public testing::Test {
 protected:
  const ContainerRoom& room() const { return room_; }

  Result<LockedContainer> Create(const std::string& name, AtEnd at_end = AtEnd::kKept) const {
    ContainerRecord record{.id = NewId(),
                           .name = name,
                           .image = "image",
                           .image_id = "sha256:0",
                           .chain_id = "0",
                           .created = "2026-01-01T00:00:00.000000000Z",
                           .command = {"true"},
                           .stop_signal = "SIGTERM",
                           .options = {}};
    record.options.at_end = at_end;
    return room_.Create(std::move(record), [](const std::string&) { return Ok(); });
  }

  // One that somebody ran who does not live any more.
  std::string Abandon(const std::string& name, AtEnd at_end) const {
    LockedContainer container = std::move(*Create(name, at_end));
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(0);
    ::waitpid(pid, nullptr, 0);
    container->state.status = ContainerStatus::kRunning;
    container->state.keeper = Keeper::kConmon;
    container->state.process = container->state.keeper_process = {.pid = pid, .start_ticks = 1};
    container->state.boot = *BootId();
    container->state.started = "2026-01-01T00:00:01.000000000Z";
    EXPECT_TRUE(container.SaveState().ok());
    return container->record.id;
  }

 private:
  const TempDir directory_;
  const ContainerRoom room_{directory_ / "containers"};
};

TEST_F(RuntimeRoomTest, ARoomThatIsNotThereIsEmpty) {
  EXPECT_THAT(*room().List(), IsEmpty());
  EXPECT_EQ(room().Find("web").error().message(), "No such container: web");
  EXPECT_TRUE(room().Sweep().ok());
}

TEST_F(RuntimeRoomTest, AContainerIsFoundByNameIdAndBeginningOfItsId) {
  const std::string id = (*Create("web"))->record.id;
  for (const std::string& name : {std::string("web"), id, id.substr(0, 12), id.substr(0, 1)})
    EXPECT_EQ(room().Find(name)->record.id, id) << name;
  EXPECT_EQ(room().Find("we").error().code(), Code::kNotFound);
  EXPECT_EQ(room().Find("").error().code(), Code::kNotFound);
}

TEST_F(RuntimeRoomTest, ABeginningOfSeveralIdsIsRefused) {
  std::vector<std::string> ids;
  ids.reserve(17);
  for (int n = 0; n < 17; ++n) ids.push_back((*Create(""))->record.id);  // two of them begin with the same of 16 digits
  std::ranges::sort(ids);
  const auto twin = std::ranges::adjacent_find(ids, {}, [](const std::string& id) { return id[0]; });
  EXPECT_THAT(room().Find(twin->substr(0, 1)).error().message(), HasSubstr("give more of it"));
}

TEST_F(RuntimeRoomTest, WithoutANameItIsTheShortId) {
  const std::string id = (*Create(""))->record.id;
  EXPECT_EQ(room().Load(id)->record.name, id.substr(0, 12));
}

TEST_F(RuntimeRoomTest, ANameIsUniqueUntilItsContainerIsRemoved) {
  {
    LockedContainer first = std::move(*Create("web"));
    EXPECT_THAT(Create("web").error().message(),
                HasSubstr("already in use by container " + first->record.id.substr(0, 12)));
    EXPECT_EQ(room().List()->size(), 1u) << "the one that was refused is not left behind";
    ASSERT_TRUE(first.Remove().ok());
  }
  EXPECT_TRUE(Create("web").ok());
}

TEST_F(RuntimeRoomTest, BadNamesAreRefused) {
  for (const char* name : {"-x", "a/b", "x", "..", "a b"})
    EXPECT_EQ(Create(name).error().code(), Code::kInvalidArgument) << name;
}

TEST_F(RuntimeRoomTest, RenamingFreesTheNameAndTakesTheOther) {
  LockedContainer container = std::move(*Create("web"));
  ASSERT_TRUE(container.Rename("site").ok());
  EXPECT_EQ(room().Find("site")->record.name, "site");
  EXPECT_EQ(room().Find("web").error().code(), Code::kNotFound);
  const auto other = Create("web");
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(container.Rename("web").error().code(), Code::kAlreadyExists);
  EXPECT_EQ(room().Find("site")->record.name, "site");
}

// Killed before the record has the new name, or before the old one is freed: one of two names is the container's.
TEST_F(RuntimeRoomTest, ANameThatAKilledRenameLeftIsSwept) {
  const std::string id = (*Create("web"))->record.id;
  std::filesystem::create_symlink(id, room().path() + "/names/site");
  EXPECT_EQ(Create("site").error().code(), Code::kAlreadyExists);
  ASSERT_TRUE(room().Sweep().ok());
  EXPECT_TRUE(Create("site").ok());
  EXPECT_EQ(room().Find("web")->record.id, id);
}

// So that a container can be stopped and removed on a disk that it has filled.
TEST_F(RuntimeRoomTest, AStateIsWrittenOverTheOneBeforeTheLast) {
  LockedContainer container = std::move(*Create("web"));
  const std::string path = room().DirectoryOf(container->record.id) + "/state.json";
  const auto save = [&](int exit_code) {
    container->state.exit_code = exit_code;
    EXPECT_TRUE(container.SaveState().ok());
    EXPECT_EQ(room().Find("web")->state.exit_code, exit_code);
    struct stat info{};
    EXPECT_EQ(::stat(path.c_str(), &info), 0);
    return info.st_ino;
  };
  const auto first = save(1);
  const auto second = save(123456);
  EXPECT_NE(first, second);
  EXPECT_EQ(save(3), first);
  EXPECT_EQ(save(4), second);
}

TEST_F(RuntimeRoomTest, AnEndThatNobodySawIsToldAsOne) {
  const std::string id = Abandon("web", AtEnd::kKept);
  const ContainerState state = room().Load(id)->state;
  EXPECT_EQ(state.status, ContainerStatus::kExited);
  EXPECT_EQ(state.exit_code, 255);
  EXPECT_THAT(state.error, HasSubstr("not seen"));
}

TEST_F(RuntimeRoomTest, TheExitFileOfConmonSaysHowAnUnseenEndWas) {
  const std::string id = Abandon("web", AtEnd::kKept);
  std::filesystem::create_directories(room().BundleOf(id) + "/exits");
  std::ofstream(room().BundleOf(id) + "/exits/" + id) << "3";
  EXPECT_EQ(room().Load(id)->state.exit_code, 3);
  EXPECT_EQ(room().Load(id)->state.error, "");
}

TEST_F(RuntimeRoomTest, ProcessesOfAnotherBootDoNotLive) {
  LockedContainer container = std::move(*Create("web"));
  container->state.status = ContainerStatus::kRunning;
  container->state.process = container->state.keeper_process = *IdentifyProcess(::getpid());
  container->state.boot = *BootId();
  ASSERT_TRUE(container.SaveState().ok());
  EXPECT_EQ(room().Load(container->record.id)->state.status, ContainerStatus::kRunning);
  container->state.boot = "another";
  ASSERT_TRUE(container.SaveState().ok());
  EXPECT_EQ(room().Load(container->record.id)->state.status, ContainerStatus::kExited);
}

TEST_F(RuntimeRoomTest, SweepingRemovesWhatWasToBeRemovedAndKeepsTheRest) {
  Abandon("kept", AtEnd::kKept);
  Abandon("thrown-away", AtEnd::kRemoved);
  const std::string half_made = room().DirectoryOf(NewId()), hardly_made = room().DirectoryOf(NewId());
  std::filesystem::create_directories(half_made + "/upper");
  std::ofstream(half_made + "/lock").flush();
  std::filesystem::create_directories(hardly_made);
  ASSERT_TRUE(room().Sweep().ok());
  ASSERT_EQ(room().List()->size(), 1u);
  EXPECT_EQ(room().List()->front().record.name, "kept");
  EXPECT_FALSE(std::filesystem::exists(half_made));
  EXPECT_FALSE(std::filesystem::exists(hardly_made));
  EXPECT_TRUE(Create("thrown-away").ok()) << "its name is free again";
}

// Its files go one by one, the lock last. Who looks at it then must not make any of them again.
TEST_F(RuntimeRoomTest, InADirectoryThatIsBeingRemovedNothingIsMade) {
  const std::string directory = room().DirectoryOf(NewId());
  std::filesystem::create_directories(directory + "/upper");
  const std::string id = std::filesystem::path(directory).filename();
  EXPECT_EQ(EndWatch::Open(room(), id, EndWatch::WakeOn::kEnd).error().code(), Code::kNotFound);
  EXPECT_EQ(room().Lock(id).error().code(), Code::kNotFound);
  ASSERT_TRUE(room().Sweep().ok());
  std::filesystem::remove(directory + "/upper");
  EXPECT_TRUE(std::filesystem::is_empty(directory));
}

// A process in the cgroup of a container of whose start nobody knows.
pid_t LeaveProcess(const std::string& id) {
  const std::string cgroup = std::string(kCgroupRoot) + (IsUnified() ? "" : "/pids") + CgroupPathOf(id);
  std::filesystem::create_directories(cgroup);
  const pid_t pid = ::fork();
  if (pid == 0) ::pause();
  std::ofstream(cgroup + "/cgroup.procs") << pid;
  EXPECT_THAT(ProcessesIn(id), testing::ElementsAre(pid));
  return pid;
}

bool WasKilled(pid_t pid) {
  int status = 0;
  return ::waitpid(pid, &status, WNOHANG) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

TEST_F(RuntimeRoomTest, WhatAStartLeavesThatWasKilledInTheMiddleIsSwept) {
  const std::string id = (*Create("web"))->record.id;
  const pid_t pid = LeaveProcess(id);
  ASSERT_TRUE(room().Sweep().ok());
  EXPECT_TRUE(WasKilled(pid));
  EXPECT_EQ(room().Load(id)->state.status, ContainerStatus::kCreated);
}

TEST_F(RuntimeRoomTest, AndItIsNotInTheWayOfARemoval) {
  LockedContainer container = std::move(*Create("web"));
  const pid_t pid = LeaveProcess(container->record.id);
  const Status removed = container.Remove();
  EXPECT_TRUE(removed.ok()) << removed.error().message();
  EXPECT_TRUE(WasKilled(pid));
  EXPECT_THAT(*room().List(), IsEmpty());
}

TEST_F(RuntimeRoomTest, ADamagedRecordIsNamedAndNotThrownAway) {
  const std::string id = (*Create("web"))->record.id;
  std::ofstream(room().DirectoryOf(id) + "/container.json") << "{";
  EXPECT_THAT(room().Find("web").error().message(), HasSubstr("container.json: damaged"));
  EXPECT_THAT(*room().List(), IsEmpty());
  ASSERT_TRUE(room().Sweep().ok());
  EXPECT_TRUE(std::filesystem::exists(room().DirectoryOf(id) + "/container.json"));
}

// Nothing of a container with --rm is synced: its files may come back empty.
TEST_F(RuntimeRoomTest, SweepingRemovesWhatAPowerFailureLeavesOfAContainerToBeRemoved) {
  for (const char* damaged : {"container.json", "state.json"}) {
    const std::string directory = room().DirectoryOf((*Create("web", AtEnd::kRemoved))->record.id);
    std::filesystem::resize_file(directory + "/" + damaged, 0);
    ASSERT_TRUE(room().Sweep().ok());
    EXPECT_FALSE(std::filesystem::exists(directory)) << damaged;
  }
}

}  // namespace
}  // namespace varve
