#pragma once

#include <signal.h>
#include <sys/ioctl.h>

#include <memory>
#include <optional>

#include "cached/base/fd.h"
#include "cached/base/result.h"
#include "cli/runtime/process.h"

// The caller's terminal, and how a container's is made to be like it.

namespace varve {

// kFailedPrecondition, in docker's words, if standard input is no terminal.
Status CheckTerminal();

// While it lives, standard input, a terminal, hands each key on as it is: no echo, no lines, no signals. What it was
// comes back with the end of this, or of the process by a signal that has no handler of its own.
class RawInput {
 public:
  static Result<std::unique_ptr<RawInput>> Begin();
  ~RawInput();
  RawInput(const RawInput&) = delete;
  RawInput& operator=(const RawInput&) = delete;

 private:
  RawInput() = default;
};

// The end of a container's terminal that conmon holds.
Result<UniqueFd> TerminalHeldBy(const ProcessId& conmon);

// Of ours, which is standard input or, if that is none, standard output. Nothing if neither is.
std::optional<winsize> OurTerminalSize();

enum class Redraw { kNo, kAsked };  // whether a program is to draw what it shows anew, even if the size is the same

// While it lives, the terminal with this end has the size of ours, if we have one. One at a time in a process.
class SizeFollowing {
 public:
  SizeFollowing(UniqueFd terminal, Redraw redraw);
  ~SizeFollowing();
  SizeFollowing(const SizeFollowing&) = delete;
  SizeFollowing& operator=(const SizeFollowing&) = delete;

 private:
  UniqueFd terminal_;
  struct sigaction before_{};
};

}  // namespace varve
