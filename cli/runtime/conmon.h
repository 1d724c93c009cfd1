#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cached/base/fd.h"
#include "cached/base/result.h"
#include "cli/runtime/options.h"
#include "cli/runtime/process.h"
#include "cli/runtime/programs.h"

namespace varve {

// The most that is kept of what a container says. conmon begins a new log when one is full, so that at least what was
// said since is there.
inline constexpr std::uint64_t kContainerLogBytesMax = 16 << 20;

// What conmon tells its caller: lines with an object, {"data": N} or {"data": -1, "message": "what runc said"}.
class ConmonReports {
 public:
  explicit ConmonReports(UniqueFd channel) : channel_(std::move(channel)) {}

  int fd() const { return channel_.get(); }
  // The number of the next one. An error is its message.
  Result<int> Next();

 private:
  UniqueFd channel_;
  std::string rest_;
};

struct ConmonOptions {
  std::string runc;
  std::string id;
  std::string name;
  std::string bundle;
  std::string log;
  Stdin standard_input = Stdin::kEmpty;
  Terminal terminal = Terminal::kNone;
  AtEnd at_end = AtEnd::kKept;            // of its log: synced or not
  std::vector<std::string> exit_command;  // with arguments: runs when the container has ended
};

struct Held {
  ProcessId process;  // the container's first
  ProcessId conmon;
};

// Has conmon create the container of a bundle, by `runc create`, and hold it: it stays in the caller's mount namespace
// and outlives the caller. Call it on a thread of InPrivateNamespaces, whose working directory the bundle becomes. The
// container waits for `runc start`. An error is what runc said; then nothing is held. conmon keeps `descriptors` open.
Result<Held> HoldByConmon(const ConmonOptions& options, const std::vector<UniqueFd>& descriptors);

struct ConmonExecOptions {
  std::string runc;
  std::string runc_root;
  std::string id;
  std::string process_file;  // what to execute, as in the OCI runtime-spec, on a terminal
  std::string directory;     // for what conmon makes, its socket (attachment.h) among it
};

// A command on a terminal in a container that runs, by `runc exec`. conmon holds it and outlives us.
class HeldExec {
 public:
  // `spawn` starts conmon where runc can speak of the container; it waits there for Begin.
  static Result<HeldExec> Open(const ConmonExecOptions& options,
                               const std::function<Result<pid_t>(const Program&)>& spawn);

  const ProcessId& conmon() const { return conmon_; }
  // The command begins. An error is what runc said.
  Status Begin();
  // Call it once it runs; conmon has ended then as well.
  Result<int> AwaitExitCode();

 private:
  HeldExec(const ProcessId& conmon, ConmonReports reports) : conmon_(conmon), reports_(std::move(reports)) {}

  Status GoOn();

  ProcessId conmon_;  // a child of ours
  ConmonReports reports_;
};

// How the container of a bundle has ended, as conmon has written it down, and when that was.
struct SeenEnd {
  int exit_code;
  std::string time;  // RFC 3339
};
Result<SeenEnd> ReadExitFile(const std::string& bundle, const std::string& id);

}  // namespace varve
