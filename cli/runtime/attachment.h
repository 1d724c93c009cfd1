#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cached/base/fd.h"
#include "cached/base/result.h"
#include "cli/runtime/detach_keys.h"
#include "cli/runtime/options.h"
#include "cli/runtime/process.h"
#include "cli/runtime/terminal.h"

namespace varve {

// How we are connected with what conmon holds.
struct AttachOptions {
  Stdin standard_input = Stdin::kEmpty;         // whether ours goes to it
  std::optional<std::string> detach_keys = {};  // ParseDetachKeys; nothing: docker's. They count where we type
  bool standard_output = true;                  // whether we show it
  bool standard_error = true;
};

// The streams of a container, or of an exec, as a client of conmon's attach socket has them. Not thread-safe; one at a
// time in a process.
class Attachment {
 public:
  // To what conmon holds with its socket in `directory`: from here on nothing that it says is missed.
  // kFailedPrecondition if nobody holds it any more.
  static Result<Attachment> Open(const std::string& directory);

  // Its terminal, which `conmon` holds, gets the size of ours and follows it.
  Status FollowSize(const ProcessId& conmon, Redraw redraw);

  enum class Outcome { kEnded, kDetached };
  // Passes on what is said and typed, to its terminal if it has one, until conmon has said all, or the keys that detach
  // are pressed, which is said on standard error. Call it once.
  Result<Outcome> Pass(const AttachOptions& options, Terminal terminal);

 private:
  explicit Attachment(UniqueFd socket) : socket_(std::move(socket)) {}

  UniqueFd socket_;
  std::unique_ptr<SizeFollowing> size_;
};

}  // namespace varve
