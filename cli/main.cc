// varve: what docker users know, on images that are never extracted. Flags → options → the command's action.

#include <cstdio>
#include <exception>

#include "cli/cli.h"
#include "cli/runtime/container.h"

namespace varve {
namespace {

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
  for (const auto add : {AddBench, AddExplain, AddHistory, AddImages, AddInspect, AddMount, AddPull, AddRmi, AddRun,
                         AddStore, AddSystem, AddTag})
    add(cli);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kOwnFailure;
  }
  const Result<int> outcome = cli.action();
  if (outcome.ok()) return *outcome;
  std::fprintf(stderr, "Error: %s\n", outcome.error().message().c_str());
  return app.got_subcommand("run") ? kOwnFailure : kFailure;
}

}  // namespace
}  // namespace varve

int main(int argc, char** argv) try {
  return varve::Main(argc, argv);
} catch (const std::exception& error) {  // a library's
  std::fprintf(stderr, "varve: %s\n", error.what());
  return varve::kOwnFailure;
}
