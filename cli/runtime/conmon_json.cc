#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cached/base/fs.h"
#include "cli/runtime/conmon.h"
#include "cli/runtime/programs.h"
#include "cli/runtime/remove_tree.h"
#include "cli/runtime/runc.h"
#include "cli/runtime/time_text.h"

namespace varve {
namespace {

using Json = nlohmann::json;

constexpr int kSyncDescriptor = 3;
constexpr std::uint64_t kNumberFileBytesMax = 32;

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
  // From the bundle, its working directory: conmon takes a colon in the path for the end of it.
  const std::string log = std::filesystem::path(options.log).lexically_relative(bundle).string();
  add({"--log-path", "k8s-file:" + log, "--log-size-max", std::to_string(kContainerLogBytesMax)});
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

Result<int> ReadNumber(const std::string& path) {
  VARVE_ASSIGN_OR_RETURN(const Bytes bytes, ReadWholeFile(Fs::Real(), path, kNumberFileBytesMax));
  const std::string_view text = AsText(bytes);
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return Error(Code::kDataLoss, path + ": is not a number");
  return number;
}

}  // namespace

Result<int> ConmonReports::Next() {
  std::array<char, 4096> buffer;
  while (rest_.find('\n') == std::string::npos && rest_.size() < kSaidBytesMax) {
    const ssize_t n = ::read(channel_.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    rest_.append(buffer.data(), static_cast<std::size_t>(n));
  }
  const std::string text = rest_.substr(0, rest_.find('\n'));
  rest_.erase(0, text.size() + 1);
  const Json report = Json::parse(text, nullptr, false);
  if (!report.is_object() || !report.contains("data") || !report["data"].is_number_integer())
    return Error(Code::kInternal, fmt::format("conmon ended without a report: '{}'", text));
  if (const int number = report["data"].get<int>(); number >= 0) return number;
  const bool says_why = report.contains("message") && report["message"].is_string();
  return StartError(says_why ? report["message"].get<std::string>() : "runc failed and did not say why");
}

Result<Held> HoldByConmon(const ConmonOptions& options, const std::vector<UniqueFd>& descriptors) {
  VARVE_ASSIGN_OR_RETURN(const std::string conmon, FindProgram("conmon", "conmon"));
  VARVE_RETURN_IF_ERROR(ClearBundle(options.bundle));
  // It says that the kernel killed something for want of memory by a file in its working directory.
  if (::chdir(options.bundle.c_str()) != 0) return ErrnoError(errno, options.bundle);
  VARVE_ASSIGN_OR_RETURN(Pipe pipe, Pipe::Open());
  ConmonReports reports{std::move(pipe.reader)};
  std::vector<std::pair<int, int>> passed = {{pipe.writer.get(), kSyncDescriptor}};
  for (const UniqueFd& descriptor : descriptors)
    passed.emplace_back(descriptor.get(), kSyncDescriptor + static_cast<int>(passed.size()));
  VARVE_ASSIGN_OR_RETURN(const pid_t pid, Spawn({.arguments = Arguments(conmon, options),
                                                 .environment = {fmt::format("_OCI_SYNCPIPE={}", kSyncDescriptor)},
                                                 .descriptors = std::move(passed)}));
  pipe.writer.Reset();
  VARVE_ASSIGN_OR_RETURN(const int exit_code, AwaitExit(pid));  // it forks the one that stays
  if (exit_code != 0) return Error(Code::kInternal, fmt::format("conmon exits {}", exit_code));
  VARVE_ASSIGN_OR_RETURN(const pid_t first, reports.Next());
  VARVE_ASSIGN_OR_RETURN(const pid_t holder, ReadNumber(options.bundle + "/conmon.pid"));
  Held held;
  VARVE_ASSIGN_OR_RETURN(held.conmon, IdentifyProcess(holder));
  VARVE_ASSIGN_OR_RETURN(held.process, IdentifyProcess(first));
  return held;
}

// Reports come, and the word to go on is sent, by one socket: conmon reads a byte before it does anything, says when
// its socket is there, reads another, and then has runc begin.
Result<HeldExec> HeldExec::Open(const ConmonExecOptions& options,
                                const std::function<Result<pid_t>(const Program&)>& spawn) {
  VARVE_ASSIGN_OR_RETURN(const std::string conmon, FindProgram("conmon", "conmon"));
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return ErrnoError(errno, "socketpair");
  ConmonReports reports{UniqueFd(ends[0])};
  UniqueFd theirs(ends[1]);
  Program program{.arguments = {conmon, "--api-version", "1", "--sync", "--cid", options.id, "--cuuid", options.id},
                  .descriptors = {{theirs.get(), kSyncDescriptor}}};
  for (const char* name : {"_OCI_SYNCPIPE", "_OCI_STARTPIPE", "_OCI_ATTACHPIPE"})
    program.environment.push_back(fmt::format("{}={}", name, kSyncDescriptor));
  const std::vector<std::string> more = {"--runtime",
                                         options.runc,
                                         "--runtime-arg",
                                         "--root",
                                         "--runtime-arg",
                                         options.runc_root,
                                         "--bundle",
                                         options.directory,
                                         "--full-attach",
                                         "--exec",
                                         "--exec-attach",
                                         "--exec-process-spec",
                                         options.process_file,
                                         "--terminal",
                                         "--container-pidfile",
                                         options.directory + "/pid",
                                         "--log-path",
                                         "none"};
  program.arguments.insert(program.arguments.end(), more.begin(), more.end());
  VARVE_ASSIGN_OR_RETURN(const pid_t pid, spawn(program));
  theirs.Reset();
  VARVE_ASSIGN_OR_RETURN(const ProcessId process, IdentifyProcess(pid));
  HeldExec held(process, std::move(reports));
  VARVE_RETURN_IF_ERROR(held.GoOn());
  VARVE_RETURN_IF_ERROR(held.reports_.Next());
  return held;
}

Status HeldExec::GoOn() {
  return ::send(reports_.fd(), "", 1, MSG_NOSIGNAL) == 1 ? Ok() : Status(ErrnoError(errno, "conmon"));
}

Status HeldExec::Begin() {
  VARVE_RETURN_IF_ERROR(GoOn());
  VARVE_RETURN_IF_ERROR(reports_.Next());
  return Ok();
}

Result<int> HeldExec::AwaitExitCode() {
  VARVE_ASSIGN_OR_RETURN(const int exit_code, reports_.Next());
  VARVE_RETURN_IF_ERROR(AwaitExit(conmon_.pid));
  return exit_code;
}

Result<SeenEnd> ReadExitFile(const std::string& bundle, const std::string& id) {
  const std::string path = fmt::format("{}/exits/{}", bundle, id);
  VARVE_ASSIGN_OR_RETURN(const int exit_code, ReadNumber(path));
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return ErrnoError(errno, path);
  const auto time = std::chrono::seconds(info.st_mtim.tv_sec) + std::chrono::nanoseconds(info.st_mtim.tv_nsec);
  return SeenEnd{exit_code, TimeText(std::chrono::system_clock::time_point(time))};
}

}  // namespace varve
