#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/caller_world.h"
#include "cli/cli.h"
#include "cli/transfer_progress.h"

namespace varve {
namespace {

struct NoOptions {};

struct VerifyOptions {
  bool repair = false;
  std::string tls_verify = "true";
};

Result<int> RunRepair(DaemonClient& daemon, const VerifyOptions& options) {
  const TlsMode tls = options.tls_verify == "false" ? TlsMode::kSkip : TlsMode::kVerify;
  const auto access = [&](const std::string& repository) { return AnswerAccess<v1::RepairRequest>(repository, tls); };
  TransferProgress transfers(TransferProgress::StyleOfOutput());
  std::uint64_t problems = 0;
  std::uint64_t left = 0;
  VARVE_RETURN_IF_ERROR(daemon.Repair(access, [&](const v1::RepairEvent& event) {
    if (!event.verify().problem().empty()) {
      ++problems;
      fmt::print(stderr, "{}\n", event.verify().problem());
    }
    v1::PullEvent layers;
    *layers.mutable_layers() = event.layers();
    transfers.Show(layers);
    if (event.has_object()) {
      const v1::RepairEvent::Object& object = event.object();
      fmt::print(object.repaired() ? stdout : stderr, "{}: {}: {}\n", object.name(),
                 object.repaired() ? "repaired" : "not repaired", object.outcome());
    }
    left += event.left();
  }));
  fmt::print("{} problem{} found, {} object{} still damaged\n", problems, problems == 1 ? "" : "s", left,
             left == 1 ? "" : "s");
  return left == 0 ? 0 : 1;
}

Result<int> RunVerify(Session& session, const VerifyOptions& options) {
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  if (options.repair) return RunRepair(daemon, options);
  std::uint64_t problems = 0;
  VARVE_RETURN_IF_ERROR(daemon.Verify({}, [&](const v1::VerifyEvent& event) {
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
  auto options = std::make_shared<VerifyOptions>();
  CLI::App* verify =
      store->add_subcommand("verify", "Read everything and check it; names what is damaged and what it belongs to");
  verify->add_flag("--repair-from-registry", options->repair,
                   "make good what is damaged, with the registries that it came from");
  verify->add_option("--tls-verify", options->tls_verify, "false: accept any certificate, or plain HTTP")
      ->check(CLI::IsMember({"true", "false"}));
  SetAction(cli, verify, options, RunVerify);
  SetAction(
      cli,
      store->add_subcommand("rebuild-index", "Make the index anew from the packs alone; the daemon must be stopped"),
      std::make_shared<NoOptions>(), RunRebuild);
}

}  // namespace varve
