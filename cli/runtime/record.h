#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cached/base/bytes.h"
#include "cached/base/result.h"
#include "cli/runtime/options.h"
#include "cli/runtime/process.h"

// What is stored of a container (docs/design/containers.md): what was asked for, which never changes but for its name,
// and what has become of it.

namespace varve {

struct ContainerRecord {
  std::string id;                    // 64 hex digits
  std::string name;                  // of its own
  std::string image;                 // as it was asked for
  std::string image_id;              // "sha256:…" of the config
  std::string chain_id;              // hex: what its root is mounted from
  std::string created;               // RFC 3339, as all times here
  std::vector<std::string> command;  // what it executes: entrypoint and arguments
  std::string stop_signal;           // "SIGTERM" or whatever the image or the caller named
  RunOptions options;
  std::vector<ContainerMount> mounts = {};  // what its options and its image have come to
};

enum class ContainerStatus { kCreated, kRunning, kRestarting, kExited };

// Who sees to a live container, and records its end.
enum class Keeper {
  kNobody,
  kRun,     // a `varve run` as whose child it runs, with runc as pid 1 of a pid namespace (namespaces.h)
  kConmon,  // which holds it, whether somebody is attached or not
};

// What somebody wants of a live container, for whoever records its end.
enum class Wish { kNone, kStop, kRestart };

struct ContainerState {
  ContainerStatus status = ContainerStatus::kCreated;
  Keeper keeper = Keeper::kNobody;
  ProcessId keeper_process = {};  // when it has ended, the end of the container is recorded
  // With its end the container's processes have ended: its first process or, with Keeper::kRun, runc; while it is
  // restarting, the process that is about to restart it.
  ProcessId process = {};
  std::string boot = {};      // the BootId() under which those two ran
  std::string started = {};   // empty: never
  std::string finished = {};  // empty: not yet
  int exit_code = 0;          // while its restart policy has it run again: of the run before
  std::string error = {};     // why it could not start, or what else is to be said of its end
  bool out_of_memory = false;
  Wish wish = Wish::kNone;
  std::uint32_t restarts = 0;  // by its restart policy, since it was started

  bool live() const { return status == ContainerStatus::kRunning || status == ContainerStatus::kRestarting; }
};

// More than the kernel lets a command line and an environment be.
inline constexpr std::uint64_t kRecordBytesMax = 16 << 20;

std::string RecordJson(const ContainerRecord& record);
std::string StateJson(const ContainerState& state);
// kDataLoss if `json` is not one of ours, kFailedPrecondition if a newer varve wrote it.
Result<ContainerRecord> ParseRecord(ByteSpan json);
Result<ContainerState> ParseState(ByteSpan json);

std::string_view MountKindName(MountKind kind);       // "volume", "bind", …
std::string_view StatusName(ContainerStatus status);  // as docker calls it: "created", "running", …

}  // namespace varve
