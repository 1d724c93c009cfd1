#include <fcntl.h>
#include <fmt/core.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <thread>

#include "cached/base/fs.h"
#include "cli/runtime/arguments.h"
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

// A file of one exec in the container's bundle, removed with it.
class ScratchFile {
 public:
  static Result<ScratchFile> Create(const std::string& bundle) {
    std::string path = bundle + "/exec-XXXXXX";
    const UniqueFd fd(::mkostemp(path.data(), O_CLOEXEC));
    if (!fd.valid()) return ErrnoError(errno, path);
    return ScratchFile(std::move(path));
  }
  ScratchFile(ScratchFile&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ScratchFile& operator=(ScratchFile&&) = delete;
  ~ScratchFile() {
    if (!path_.empty()) RemoveTree(path_).IgnoreError("it goes with the container");
  }
  const std::string& path() const { return path_; }

 private:
  explicit ScratchFile(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

// The container's own process, as far as `options` do not say otherwise.
Result<Json> ProcessOf(const std::string& bundle, const ProcessId& first, const ExecOptions& options) {
  VARVE_ASSIGN_OR_RETURN(const Bytes text, ReadWholeFile(Fs::Real(), bundle + "/config.json", kRecordBytesMax));
  Json process = Json::parse(AsText(text)).at("process");
  process["args"] = options.args;
  process["terminal"] = options.terminal == Terminal::kAllocated;
  VARVE_ASSIGN_OR_RETURN(process["env"], ExtendedEnvironment(process.at("env"), options.env));
  if (options.workdir) {
    VARVE_ASSIGN_OR_RETURN(process["cwd"], ContainerWorkingDirectory({}, *options.workdir));
  }
  if (options.user) {
    const std::string path = fmt::format("/proc/{}/root", first.pid);
    const UniqueFd root(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root.valid()) return ErrnoError(errno, path);
    VARVE_ASSIGN_OR_RETURN(const ContainerUser user, ResolveUserInside(root.get(), *options.user));
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

Result<int> RunExec(const Container& container, const Program& program) {
  VARVE_RETURN_IF_ERROR(EnterNamespacesOf(container));
  VARVE_ASSIGN_OR_RETURN(const pid_t pid, Spawn(program));
  return AwaitExit(pid);
}

std::vector<std::pair<int, int>> DescriptorsFor(const ExecOptions& options) {
  if (options.wait == ExecOptions::Wait::kForItsStart) return {{STDERR_FILENO, STDERR_FILENO}};
  std::vector<std::pair<int, int>> descriptors = {{STDOUT_FILENO, STDOUT_FILENO}, {STDERR_FILENO, STDERR_FILENO}};
  if (options.standard_input == Stdin::kPassed || options.terminal == Terminal::kAllocated)
    descriptors.emplace_back(STDIN_FILENO, STDIN_FILENO);
  return descriptors;
}

}  // namespace

Result<std::vector<std::string>> EnvironmentOf(const ContainerRoom& room, const std::string& id) try {
  VARVE_ASSIGN_OR_RETURN(const Bytes text,
                         ReadWholeFile(Fs::Real(), room.BundleOf(id) + "/config.json", kRecordBytesMax));
  return Json::parse(AsText(text)).at("process").at("env").get<std::vector<std::string>>();
} catch (const Json::exception& exception) {
  return Error(Code::kDataLoss, fmt::format("the bundle of container {} is damaged: {}", id, exception.what()));
}

Status EnterNamespacesOf(const Container& container) {
  if (container.state.keeper != Keeper::kRun) return Ok();
  if (::unshare(CLONE_FS) != 0) return ErrnoError(errno, "unshare");
  for (const auto& [name, type] : {std::pair("pid", CLONE_NEWPID), std::pair("mnt", CLONE_NEWNS)}) {
    const std::string path = fmt::format("/proc/{}/ns/{}", container.state.process.pid, name);
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid() || ::setns(fd.get(), type) != 0) return ErrnoError(errno, path);
  }
  return Ok();
}

Result<int> ExecInContainer(const ContainerRoom& room, const Container& container, const ExecOptions& options) try {
  VARVE_ASSIGN_OR_RETURN(const std::string runc, FindRunc());
  VARVE_ASSIGN_OR_RETURN(const UniqueFd running, OpenFirstProcess(container));
  VARVE_ASSIGN_OR_RETURN(const ProcessId first, FirstProcessOf(container));
  const std::string bundle = room.BundleOf(container.record.id);
  VARVE_ASSIGN_OR_RETURN(const Json process, ProcessOf(bundle, first, options));
  VARVE_ASSIGN_OR_RETURN(const ScratchFile process_file, ScratchFile::Create(bundle));
  VARVE_ASSIGN_OR_RETURN(const ScratchFile log, ScratchFile::Create(bundle));
  VARVE_RETURN_IF_ERROR(WriteFileAtomically(Fs::Real(), process_file.path(), AsBytes(process.dump())));
  Program program{
      .arguments = {runc, "--root", bundle + "/runc", "--log", log.path(), "exec", "--process", process_file.path()},
      .descriptors = DescriptorsFor(options)};
  if (options.wait == ExecOptions::Wait::kForItsStart) program.arguments.emplace_back("--detach");
  program.arguments.push_back(container.record.id);

  Result<int> exit_code = 0;
  std::thread thread([&] { exit_code = RunExec(container, program); });
  thread.join();
  if (!exit_code.ok() || *exit_code == 0) return exit_code;
  VARVE_ASSIGN_OR_RETURN(const Bytes said, ReadWholeFile(Fs::Real(), log.path(), kLogBytesMax));
  return StartFailure(AsText(said)).value_or(*exit_code);
} catch (const Json::exception& exception) {
  return Error(Code::kInvalidArgument,
               fmt::format("exec: an argument or variable cannot be passed on, or the bundle is "
                           "damaged: {}",
                           exception.what()));
}

}  // namespace varve
