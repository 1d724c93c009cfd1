#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "cached/base/fs.h"
#include "cli/runtime/conmon.h"
#include "cli/runtime/programs.h"
#include "cli/runtime/remove_tree.h"
#include "cli/runtime/runc.h"

namespace varve {
namespace {

using Json = nlohmann::json;

constexpr int kSyncDescriptor = 3;
constexpr std::uint64_t kPidFileBytesMax = 32;

// What conmon and runc make in a bundle, and would find of a run before.
Status ClearBundle(const std::string& bundle) {
  for (const char* name : {"attach", "ctl", "winsz", "oom", "pid", "conmon.pid", "exits", "sockets", "runc"})
    VARVE_RETURN_IF_ERROR(RemoveTree(bundle + "/" + name));
  for (const char* name : {"exits", "sockets"}) VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(bundle + "/" + name));
  return Ok();
}

std::vector<std::string> Arguments(const std::string& conmon, const ConmonOptions& options) {
  const std::string& bundle = options.bundle;
  std::vector<std::string> arguments = {conmon, "--api-version", "1", "--cid", options.id, "--cuuid", options.id};
  const auto add = [&](std::initializer_list<std::string> more) { arguments.insert(arguments.end(), more); };
  add({"--name", options.name, "--runtime", options.runc, "--runtime-arg", "--root", "--runtime-arg",
       bundle + "/runc"});
  add({"--bundle", bundle, "--container-pidfile", bundle + "/pid", "--conmon-pidfile", bundle + "/conmon.pid"});
  add({"--exit-dir", bundle + "/exits", "--socket-dir-path", bundle + "/sockets", "--full-attach"});
  add({"--log-path", "k8s-file:" + options.log, "--log-size-max", std::to_string(kContainerLogBytesMax)});
  if (options.at_end == AtEnd::kRemoved) add({"--no-sync-log"});
  // A terminal has its input in any case; --stdin would close that when a client goes.
  if (options.terminal == Terminal::kAllocated) {
    add({"--terminal"});
  } else if (options.standard_input != Stdin::kEmpty) {
    add({"--stdin"});
    if (options.standard_input == Stdin::kOpen) add({"--leave-stdin-open"});
  }
  for (std::size_t n = 0; n < options.exit_command.size(); ++n)
    add({n == 0 ? "--exit-command" : "--exit-command-arg", options.exit_command[n]});
  return arguments;
}

// One object: {"data": pid} or {"data": -1, "message": "what runc said"}.
Result<pid_t> ReadReport(int reader) {
  std::string text;
  std::array<char, 4096> buffer;
  for (ssize_t n = 0; text.find('\n') == std::string::npos && text.size() < kSaidBytesMax;) {
    n = ::read(reader, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  const Json report = Json::parse(text, nullptr, false);
  if (!report.is_object() || !report.contains("data") || !report["data"].is_number_integer())
    return Error(Code::kInternal, fmt::format("conmon ended without a report: '{}'", text));
  if (const pid_t pid = report["data"].get<pid_t>(); pid > 0) return pid;
  const bool says_why = report.contains("message") && report["message"].is_string();
  return StartError(says_why ? report["message"].get<std::string>() : "runc create failed and did not say why");
}

Result<ProcessId> ReadPid(const std::string& path) {
  VARVE_ASSIGN_OR_RETURN(const Bytes text, ReadWholeFile(Fs::Real(), path, kPidFileBytesMax));
  return IdentifyProcess(std::atoi(std::string(AsText(text)).c_str()));
}

}  // namespace

Result<Held> HoldByConmon(const ConmonOptions& options) {
  VARVE_ASSIGN_OR_RETURN(const std::string conmon, FindProgram("conmon", "conmon"));
  VARVE_RETURN_IF_ERROR(ClearBundle(options.bundle));
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return ErrnoError(errno, "pipe");
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  VARVE_ASSIGN_OR_RETURN(const pid_t pid, Spawn({.arguments = Arguments(conmon, options),
                                                 .environment = {fmt::format("_OCI_SYNCPIPE={}", kSyncDescriptor)},
                                                 .descriptors = {{writer.get(), kSyncDescriptor}}}));
  writer.Reset();
  VARVE_ASSIGN_OR_RETURN(const int exit_code, AwaitExit(pid));  // it forks the one that stays
  if (exit_code != 0) return Error(Code::kInternal, fmt::format("conmon exits {}", exit_code));
  VARVE_ASSIGN_OR_RETURN(const pid_t first, ReadReport(reader.get()));
  Held held;
  VARVE_ASSIGN_OR_RETURN(held.conmon, ReadPid(options.bundle + "/conmon.pid"));
  VARVE_ASSIGN_OR_RETURN(held.process, IdentifyProcess(first));
  return held;
}

}  // namespace varve
