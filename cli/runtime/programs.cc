#include "cli/runtime/programs.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string_view>

#include "cached/base/check.h"

namespace varve {
namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
  return value == nullptr ? "" : fmt::format("{}={}", name, value);
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

class Actions {
 public:
  Actions() { VARVE_CHECK(::posix_spawn_file_actions_init(&actions_) == 0); }
  ~Actions() { ::posix_spawn_file_actions_destroy(&actions_); }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;

  void Pass(const std::vector<std::pair<int, int>>& descriptors) {
    int last = STDERR_FILENO;
    for (int standard = STDIN_FILENO; standard <= STDERR_FILENO; ++standard) {
      const bool named = std::ranges::any_of(descriptors, [&](const auto& pair) { return pair.second == standard; });
      if (!named) Check(::posix_spawn_file_actions_addopen(&actions_, standard, "/dev/null", O_RDWR, 0));
    }
    for (const auto& [ours, theirs] : descriptors) {
      Check(::posix_spawn_file_actions_adddup2(&actions_, ours, theirs));
      last = std::max(last, theirs);
    }
    Check(::posix_spawn_file_actions_addclosefrom_np(&actions_, last + 1));
  }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  static void Check(int error) { VARVE_CHECK(error == 0); }

  posix_spawn_file_actions_t actions_{};
};

class Attributes {
 public:
  Attributes() {
    VARVE_CHECK(::posix_spawnattr_init(&attributes_) == 0);
    sigset_t all, none;
    ::sigfillset(&all);
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  }
  ~Attributes() { ::posix_spawnattr_destroy(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;

  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

}  // namespace

std::string FindIn(std::string_view directories, const std::string& name) {
  while (!directories.empty()) {
    const std::string_view directory = directories.substr(0, directories.find(':'));
    directories.remove_prefix(std::min(directory.size() + 1, directories.size()));
    std::string candidate = fmt::format("{}/{}", directory, name);
    if (directory.starts_with('/') && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

Result<std::string> FindProgram(const std::string& name, const std::string& package) {
  const char* path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
  std::string found = FindIn(path == nullptr ? "" : path, name);
  if (!found.empty()) return found;
  return Error(Code::kFailedPrecondition,
               fmt::format("{} is not on PATH: install it (Debian: apt-get install {})", name, package));
}

Result<pid_t> Spawn(const Program& program) {
  std::vector<std::string> arguments = program.arguments, environment = program.environment;
  for (const char* name : {"PATH", "VARVE_ROOT", "CNI_PATH"}) {
    if (std::string variable = Variable(name); !variable.empty()) environment.push_back(std::move(variable));
  }
  // From above them all, so that none lies where another is put.
  int last = STDERR_FILENO;
  for (const auto& [ours, theirs] : program.descriptors) last = std::max(last, theirs);
  std::vector<UniqueFd> held;
  std::vector<std::pair<int, int>> descriptors;
  for (const auto& [ours, theirs] : program.descriptors) {
    held.emplace_back(::fcntl(ours, F_DUPFD_CLOEXEC, last + 1));
    if (!held.back().valid()) return ErrnoError(errno, "pass a descriptor on");
    descriptors.emplace_back(held.back().get(), theirs);
  }
  Actions actions;
  actions.Pass(descriptors);
  const Attributes attributes;
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, arguments[0].c_str(), actions.get(), attributes.get(),
                                  Pointers(arguments).data(), Pointers(environment).data());
  if (error != 0) return ErrnoError(error, arguments[0]);
  return pid;
}

Result<int> AwaitExit(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) != pid) {
    if (errno != EINTR) return ErrnoError(errno, "wait");
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : kExitSignalBase + WTERMSIG(status);
}

Result<Pipe> Pipe::Open() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return ErrnoError(errno, "pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Result<Said> RunProgram(Program program) {
  VARVE_ASSIGN_OR_RETURN(Pipe pipe, Pipe::Open());
  const auto standard_error = [](const auto& pair) { return pair.second == STDERR_FILENO; };
  if (std::ranges::none_of(program.descriptors, standard_error))
    program.descriptors.emplace_back(pipe.writer.get(), STDERR_FILENO);
  program.descriptors.emplace_back(pipe.writer.get(), STDOUT_FILENO);
  VARVE_ASSIGN_OR_RETURN(const pid_t pid, Spawn(program));
  pipe.writer.Reset();
  std::string text;
  std::array<char, 4096> buffer;
  for (ssize_t n = 0; (n = ::read(pipe.reader.get(), buffer.data(), buffer.size())) != 0;) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError(errno, program.arguments[0]);
    text.append(buffer.data(), std::min(static_cast<std::size_t>(n), kSaidBytesMax - text.size()));
  }
  VARVE_ASSIGN_OR_RETURN(const int exit_code, AwaitExit(pid));
  return Said{exit_code, std::move(text)};
}

}  // namespace varve
