#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"

namespace varve {
namespace {

struct NoOptions {};

Result<int> RunVerify(Session& session, const NoOptions&) {
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  std::uint64_t problems = 0;
  std::uint64_t frames = 0;
  VARVE_RETURN_IF_ERROR(daemon.Verify({}, [&](const v1::VerifyEvent& event) {
    frames = event.frames() != 0 ? event.frames() : frames;
    if (event.problem().empty()) return;
    ++problems;
    fmt::print(stderr, "{}\n", event.problem());
  }));
  fmt::print("{} problem{} found\n", problems, problems == 1 ? "" : "s");
  return problems == 0 ? 0 : 1;
}

// Only varve-cached opens the index, so it does the work, with the daemon down.
Result<int> RunRebuild(Session& session, const NoOptions&) {
  if (session.Lives("cached")) return Error(Code::kFailedPrecondition, "the daemon runs; first: varve system stop");
  return session.RunCached({"--rebuild-index"});
}

}  // namespace

void AddStore(Cli& cli) {
  CLI::App* store = cli.app.add_subcommand("store", "Check and repair what is stored");
  store->require_subcommand(1);
  SetAction(
      cli,
      store->add_subcommand("verify", "Read everything and check it; names what is damaged and what it belongs to"),
      std::make_shared<NoOptions>(), RunVerify);
  SetAction(
      cli,
      store->add_subcommand("rebuild-index", "Make the index anew from the packs alone; the daemon must be stopped"),
      std::make_shared<NoOptions>(), RunRebuild);
}

}  // namespace varve
