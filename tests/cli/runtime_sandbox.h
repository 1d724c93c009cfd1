#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <utility>

#include "cached/base/fd.h"
#include "cli/runtime/container.h"
#include "tests/support/temp_dir.h"

namespace varve {

// A container that a process of its own runs, as `varve run` would. Its standard output is ours to read.
class StartedRun {
 public:
  StartedRun(pid_t pid, UniqueFd output, UniqueFd errors);
  StartedRun(StartedRun&&) = default;
  ~StartedRun();  // kills it, if it was not awaited

  pid_t pid() const { return pid_.get(); }
  std::string ReadLine();
  // What is left of its output, once nobody can write to it any more.
  std::string ReadAll();
  // The exit code, 128 + signal if one ended it. Then Errors() is complete.
  int Await();
  std::string Errors() const;

 private:
  class Pid {
   public:
    explicit Pid(pid_t pid) : pid_(pid) {}
    Pid(Pid&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}
    pid_t get() const { return pid_; }
    void Clear() { pid_ = 0; }

   private:
    pid_t pid_;
  };

  Pid pid_;
  UniqueFd output_;
  UniqueFd errors_;
};

struct Ran {
  int exit_code;
  std::string output;
  std::string errors;
};

// A tiny image (sh and some commands of this machine with their libraries) and a place for containers.
class Sandbox {
 public:
  Sandbox();

  StartedRun Start(const RunOptions& options, int standard_input = STDIN_FILENO) const;
  Ran Run(const RunOptions& options, int standard_input = STDIN_FILENO) const;
  Ran Shell(const std::string& script) const;

  ContainerRoom room() const { return ContainerRoom(state_root()); }
  std::string state_root() const { return directory_ / "containers"; }
  std::string image_root() const { return directory_ / "image"; }
  std::string path(std::string_view name) const { return directory_ / name; }
  std::size_t ContainerDirectories() const;

 private:
  RunImage Image() const;
  Result<int> RunToTheEnd(RunOptions options) const;  // and nothing stays

  TempDir directory_;
};

RunOptions ShellOptions(const std::string& script);

}  // namespace varve
