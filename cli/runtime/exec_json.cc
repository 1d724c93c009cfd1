#include <fcntl.h>
#include <fmt/core.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "cached/base/fs.h"
#include "cli/runtime/arguments.h"
#include "cli/runtime/conmon.h"
#include "cli/runtime/environment.h"
#include "cli/runtime/exec.h"
#include "cli/runtime/life.h"
#include "cli/runtime/programs.h"
#include "cli/runtime/remove_tree.h"
#include "cli/runtime/runc.h"
#include "cli/runtime/user.h"

namespace varve {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kLogBytesMax = 1 << 20;

// What one exec needs on disk, in the container's bundle; removed with it.
class ScratchDirectory {
 public:
  static Result<ScratchDirectory> Create(const std::string& bundle) {
    std::string path = bundle + "/exec-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) return ErrnoError(errno, path);
    return ScratchDirectory(std::move(path));
  }
  ScratchDirectory(ScratchDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ScratchDirectory& operator=(ScratchDirectory&&) = delete;
  ~ScratchDirectory() {
    if (!path_.empty()) RemoveTree(path_).IgnoreError("it goes with the container");
  }
  const std::string& path() const { return path_; }

 private:
  explicit ScratchDirectory(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

// The container's own process, as far as `options` do not say otherwise.
Result<Json> ProcessOf(const std::string& bundle, const ProcessId& first, const ExecOptions& options,
                       const std::vector<std::string>& groups) {
  VARVE_ASSIGN_OR_RETURN(const Bytes text, ReadWholeFile(Fs::Real(), bundle + "/config.json", kRecordBytesMax));
  Json process = Json::parse(AsText(text)).at("process");
  process["args"] = options.args;
  process["terminal"] = options.terminal == Terminal::kAllocated;
  const std::optional<winsize> size = OurTerminalSize();
  if (options.terminal == Terminal::kAllocated && size)
    process["consoleSize"] = {{"height", size->ws_row}, {"width", size->ws_col}};
  VARVE_ASSIGN_OR_RETURN(process["env"], ExtendedEnvironment(process.at("env"), options.env));
  if (options.workdir) {
    VARVE_ASSIGN_OR_RETURN(process["cwd"], ContainerWorkingDirectory({}, *options.workdir));
  }
  if (options.user) {
    const std::string path = fmt::format("/proc/{}/root", first.pid);
    const UniqueFd root(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root.valid()) return ErrnoError(errno, path);
    VARVE_ASSIGN_OR_RETURN(const ContainerUser user, ResolveUserInside(root.get(), *options.user, groups));
    process["user"] = {{"uid", user.uid}, {"gid", user.gid}, {"additionalGids", user.groups}};
    Json& capabilities = process["capabilities"];
    for (const char* set : {"permitted", "effective"}) {
      if (user.uid == 0) {
        capabilities[set] = capabilities["bounding"];
      } else {
        capabilities.erase(set);
      }
    }
  }
  return process;
}

Result<pid_t> SpawnInside(const Container& container, const Program& program) {
  Result<pid_t> pid = 0;
  std::thread thread([&] {
    const Status entered = EnterRuncsNamespaces(container);
    pid = entered.ok() ? Spawn(program) : entered.error();
  });
  thread.join();
  return pid;
}

std::vector<std::pair<int, int>> DescriptorsFor(const ExecOptions& options) {
  if (options.wait == ExecOptions::Wait::kForItsStart) return {{STDERR_FILENO, STDERR_FILENO}};
  std::vector<std::pair<int, int>> descriptors = {{STDOUT_FILENO, STDOUT_FILENO}, {STDERR_FILENO, STDERR_FILENO}};
  if (options.attach.standard_input != Stdin::kEmpty) descriptors.emplace_back(STDIN_FILENO, STDIN_FILENO);
  return descriptors;
}

// By runc alone.
Result<int> ExecPlain(const Container& container, const ExecOptions& options, const ConmonExecOptions& exec) {
  const std::string log_path = exec.directory + "/log";
  Program program{
      .arguments = {exec.runc, "--root", exec.runc_root, "--log", log_path, "exec", "--process", exec.process_file},
      .descriptors = DescriptorsFor(options)};
  if (options.wait == ExecOptions::Wait::kForItsStart) program.arguments.emplace_back("--detach");
  program.arguments.push_back(exec.id);
  VARVE_ASSIGN_OR_RETURN(const pid_t pid, SpawnInside(container, program));
  Result<int> exit_code = AwaitExit(pid);
  if (!exit_code.ok() || *exit_code == 0) return exit_code;
  const Result<Bytes> said = ReadWholeFile(Fs::Real(), log_path, kLogBytesMax);
  return said.ok() ? StartFailure(AsText(*said)).value_or(*exit_code) : exit_code;
}

// By conmon, so that the caller can leave it.
Result<int> ExecOnTerminal(const Container& container, const ExecOptions& options, const ConmonExecOptions& exec) {
  const auto spawn = [&](const Program& program) { return SpawnInside(container, program); };
  VARVE_ASSIGN_OR_RETURN(HeldExec held, HeldExec::Open(exec, spawn));
  VARVE_ASSIGN_OR_RETURN(Attachment attachment, Attachment::Open(exec.directory));
  const Status begun = held.Begin();
  if (!begun.ok()) {
    fmt::print(stderr, "Error: {}\n", begun.error().message());
    return StartExitCode(begun.error());
  }
  if (options.wait == ExecOptions::Wait::kForItsStart) return 0;
  attachment.FollowSize(held.conmon(), Redraw::kNo).IgnoreError("it has ended by now");
  VARVE_ASSIGN_OR_RETURN(const Attachment::Outcome outcome, attachment.Pass(options.attach, Terminal::kAllocated));
  return outcome == Attachment::Outcome::kDetached ? 0 : held.AwaitExitCode();
}

}  // namespace

Result<std::vector<std::string>> EnvironmentOf(const ContainerRoom& room, const std::string& id) try {
  VARVE_ASSIGN_OR_RETURN(const Bytes text,
                         ReadWholeFile(Fs::Real(), room.BundleOf(id) + "/config.json", kRecordBytesMax));
  return Json::parse(AsText(text)).at("process").at("env").get<std::vector<std::string>>();
} catch (const Json::exception& exception) {
  return Error(Code::kDataLoss, fmt::format("the bundle of container {} is damaged: {}", id, exception.what()));
}

Result<int> ExecInContainer(const ContainerRoom& room, const Container& container, const ExecOptions& options) try {
  VARVE_ASSIGN_OR_RETURN(const std::string runc, FindRunc());
  VARVE_ASSIGN_OR_RETURN(const UniqueFd running, OpenFirstProcess(container));
  VARVE_ASSIGN_OR_RETURN(const ProcessId first, FirstProcessOf(container));
  if (container.paused) {
    return Error(Code::kFailedPrecondition,
                 fmt::format("container {} is paused, unpause the container before exec", container.record.name));
  }
  const std::string bundle = room.BundleOf(container.record.id);
  VARVE_ASSIGN_OR_RETURN(const Json process,
                         ProcessOf(bundle, first, options, container.record.options.security.groups));
  VARVE_ASSIGN_OR_RETURN(const ScratchDirectory scratch, ScratchDirectory::Create(bundle));
  const ConmonExecOptions exec{.runc = runc,
                               .runc_root = bundle + "/runc",
                               .id = container.record.id,
                               .process_file = scratch.path() + "/process.json",
                               .directory = scratch.path()};
  VARVE_RETURN_IF_ERROR(WriteFileAtomically(Fs::Real(), exec.process_file, AsBytes(process.dump())));
  return options.terminal == Terminal::kAllocated ? ExecOnTerminal(container, options, exec)
                                                  : ExecPlain(container, options, exec);
} catch (const Json::exception& exception) {
  return Error(Code::kInvalidArgument,
               fmt::format("exec: an argument or variable cannot be passed on, or the bundle is "
                           "damaged: {}",
                           exception.what()));
}

}  // namespace varve
