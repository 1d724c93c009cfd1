#include "cli/foreground.h"

#include <fmt/core.h>

#include <memory>
#include <optional>

#include "cached/base/check.h"
#include "cli/auth_file.h"
#include "cli/cli.h"
#include "cli/containers.h"
#include "cli/runtime/container.h"
#include "cli/runtime/life.h"
#include "cli/runtime/runc.h"
#include "cli/runtime/signals.h"

namespace varve {
namespace {

// Our connection with a container that conmon holds.
class Foreground {
 public:
  // Signals are the container's from here on: if we ended while it starts, nobody would finish that.
  Foreground(const ContainerRoom& room, const ForegroundOptions& options) : room_(room), options_(options) {
    if (options.signals_are_its) forwarding_ = std::make_unique<SignalForwarding>(TerminalSignals::kForwarded);
  }

  // From here on nothing that it says is missed, and signals reach it. It runs, if only by its state.
  Status Connect(const Container& container, Redraw redraw) {
    run_ = container.state;
    const ContainerRecord& record = container.record;
    terminal_ = record.options.terminal;
    VARVE_ASSIGN_OR_RETURN(watch_, EndWatch::Open(room_, record.id, EndWatch::WakeOn::kEnd));
    VARVE_ASSIGN_OR_RETURN(Attachment attachment, Attachment::Open(room_.BundleOf(record.id)));
    if (terminal_ == Terminal::kAllocated) VARVE_RETURN_IF_ERROR(attachment.FollowSize(run_.keeper_process, redraw));
    attachment_.emplace(std::move(attachment));
    VARVE_ASSIGN_OR_RETURN(process_, OpenFirstProcess(container));
    if (forwarding_ != nullptr) forwarding_->To(process_);
    return Ok();
  }

  // The exit code of its run, or 0 once the caller has detached. Call it once, after Connect.
  Result<int> Stay() {
    VARVE_CHECK(attachment_ && watch_);
    VARVE_ASSIGN_OR_RETURN(const Attachment::Outcome outcome, attachment_->Pass(options_.attach, terminal_));
    forwarding_.reset();
    if (outcome == Attachment::Outcome::kDetached) return 0;
    VARVE_ASSIGN_OR_RETURN(const Container ended, watch_->AwaitEndOf(run_, std::nullopt));
    if (ended.record.options.at_end == AtEnd::kRemoved) VARVE_RETURN_IF_ERROR(watch_->AwaitRemoval(ended));
    return ended.state.exit_code;
  }

 private:
  const ContainerRoom& room_;
  const ForegroundOptions& options_;
  ContainerState run_;
  Terminal terminal_ = Terminal::kNone;
  std::optional<EndWatch> watch_;
  std::optional<Attachment> attachment_;
  UniqueFd process_;
  std::unique_ptr<SignalForwarding> forwarding_;
};

// Nobody misses a log of it, there is nothing to detach from, and it is to start fast (docs/design/containers.md).
bool RunsAsChild(const RunOptions& run, const ForegroundOptions& options) {
  const bool shows_all = options.attach.standard_output && options.attach.standard_error;
  return run.at_end == AtEnd::kRemoved && run.terminal == Terminal::kNone && options.signals_are_its && shows_all;
}

}  // namespace

void AddDetachKeys(CLI::App* command, AttachOptions& options) {
  command->add_option("--detach-keys", options.detach_keys,
                      "what to type to leave its terminal: keys such as a or ctrl-a, joined by commas; '' for none");
}

void AddForegroundOptions(CLI::App* command, ForegroundOptions& options) {
  AddDetachKeys(command, options.attach);
  command->add_flag("--sig-proxy", options.signals_are_its,
                    "send it the signals that we get (the default); --sig-proxy=false: they end us alone");
}

Status CheckForeground(AttachOptions& options, Terminal terminal) {
  if (options.detach_keys) VARVE_RETURN_IF_ERROR(ParseDetachKeys(*options.detach_keys));
  if (terminal == Terminal::kNone || options.standard_input == Stdin::kEmpty) return Ok();
  VARVE_RETURN_IF_ERROR(CheckTerminal());
  if (options.detach_keys) return Ok();
  VARVE_ASSIGN_OR_RETURN(options.detach_keys, ConfiguredDetachKeys());
  if (options.detach_keys)
    VARVE_RETURN_IF_ERROR(ParseDetachKeys(*options.detach_keys).In("detachKeys of docker's config.json"));
  return Ok();
}

int ReportStart(const Error& error) {
  fmt::print(stderr, "Error: {}\n", error.message());
  return StartExitCode(error);
}

Result<int> StartInForeground(Session& session, LockedContainer container, ContainerRoots roots,
                              ForegroundOptions options) {
  VARVE_RETURN_IF_ERROR(CheckForeground(options.attach, container->record.options.terminal));
  const ContainerRoom room(session.paths().containers());
  if (RunsAsChild(container->record.options, options)) {
    container->record.options.standard_input = options.attach.standard_input;
    return RunAsChild(room, std::move(container), std::move(roots));
  }
  Foreground foreground(room, options);
  {
    LockedContainer starting = std::move(container);
    const auto connect = [&] { return foreground.Connect(*starting, Redraw::kNo); };
    const Status started = StartOn(session, starting, std::move(roots), connect);
    if (!started.ok()) return ReportStart(started.error());
  }
  return foreground.Stay();
}

Result<int> AttachTo(const ContainerRoom& room, const Container& container, ForegroundOptions options) {
  const std::string& name = container.record.name;
  if (container.state.status != ContainerStatus::kRunning)
    return Error(Code::kFailedPrecondition, fmt::format("container {} is not running: start it first", name));
  if (container.state.keeper == Keeper::kRun) {
    return Error(Code::kFailedPrecondition,
                 fmt::format("container {} is a child of the varve run --rm that shows what it says: "
                             "only containers that are kept, have a terminal or run detached can be attached to",
                             name));
  }
  VARVE_RETURN_IF_ERROR(CheckForeground(options.attach, container.record.options.terminal));
  Foreground foreground(room, options);
  VARVE_RETURN_IF_ERROR(foreground.Connect(container, Redraw::kAsked));
  return foreground.Stay();
}

}  // namespace varve
