// varve: what docker users know, on images that are never extracted. Flags → options → the command's action.

#include <cstdio>
#include <exception>
#include <string>

#include "cli/cli.h"
#include "cli/listing/print.h"

namespace varve {
namespace {

// What is wrong with the command line, and where its help is.
void PrintUsageError(const CLI::App& app, const std::string& first, const CLI::ParseError& error) {
  std::string help = app.get_name();
  for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
    at = at->get_subcommands().back();
    help += " " + at->get_name();
  }
  const bool unknown = app.get_subcommands().empty() && !first.empty() && !first.starts_with('-');
  std::fprintf(stderr, "Error: %s; see '%s --help'\n", unknown ? ("unknown command: " + first).c_str() : error.what(),
               help.c_str());
}

int Main(int argc, char** argv) {
  CLI::App app("Mount, run and store container images as deduplicated, verified chunks.", "varve");
  app.set_version_flag("--version", "varve " VARVE_VERSION);
  app.set_help_all_flag("--help-all", "show the help of every command");
  app.require_subcommand(1);
  const Result<RootPaths> paths = RootPaths::FromEnvironment();
  if (!paths.ok()) {
    std::fprintf(stderr, "Error: %s\n", paths.error().message().c_str());
    return kOwnFailure;
  }
  Session session(*paths);
  Cli cli{app, session, {}};
  for (const auto add :
       {AddAttach, AddBench, AddCommit,  AddCompletion, AddContainer, AddContainers, AddCopy,   AddCp,
        AddDiff,   AddExec,  AddExplain, AddExport,     AddHistory,   AddImages,     AddImport, AddInspect,
        AddLoad,   AddLogin, AddLogs,    AddManifest,   AddMount,     AddNetwork,    AddPort,   AddPs,
        AddPull,   AddPush,  AddRmi,     AddRun,        AddSave,      AddStats,      AddStore,  AddSystem,
        AddTag,    AddTags,  AddTop,     AddTree,       AddVolume})
    add(cli);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help and the like
    PrintUsageError(app, argc > 1 ? argv[1] : "", error);
    return kOwnFailure;
  }
  const Result<int> outcome = cli.action();
  if (outcome.ok()) return *outcome;
  std::fprintf(stderr, "Error: %s\n", Harmless(outcome.error().message()).c_str());
  return app.got_subcommand("run") || app.got_subcommand("create") ? kOwnFailure : kFailure;
}

}  // namespace
}  // namespace varve

int main(int argc, char** argv) try {
  return varve::Main(argc, argv);
} catch (const std::exception& error) {  // a library's
  std::fprintf(stderr, "varve: %s\n", error.what());
  return varve::kOwnFailure;
}
