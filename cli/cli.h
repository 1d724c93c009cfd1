#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cached/base/result.h"
#include "cli/session.h"

namespace varve {

// The command line: the parser, and what the command that was parsed does. An action returns the exit code of the
// process.
struct Cli {
  CLI::App& app;
  Session& session;
  std::function<Result<int>()> action;
};

// Makes `run` what `command` does; `options` is filled by the parser before.
template <class Options, class Run>
void SetAction(Cli& cli, CLI::App* command, const std::shared_ptr<Options>& options, Run run) {
  command->callback([&cli, options, run] { cli.action = [&cli, options, run] { return run(cli.session, *options); }; });
}

// Calls `act` with each of `names`. An error is said on standard error and makes the exit code 1; the others are done
// all the same.
int ForEach(const std::vector<std::string>& names, const std::function<Status(const std::string&)>& act);

// Prints what is about to happen and asks whether it is to; anything but yes is no.
bool Confirm(const std::string& what);

inline constexpr int kFailure = 1;       // of a command, but for run
inline constexpr int kOwnFailure = 125;  // docker's exit code for what the command line or varve itself got wrong

void AddAttach(Cli& cli);
void AddBench(Cli& cli);
void AddCommit(Cli& cli);
void AddCompletion(Cli& cli);
void AddContainer(Cli& cli);   // container prune
void AddContainers(Cli& cli);  // start, stop, restart, kill, pause, unpause, wait, rm, rename
void AddCopy(Cli& cli);
void AddCp(Cli& cli);
void AddDiff(Cli& cli);
void AddExec(Cli& cli);
void AddExplain(Cli& cli);
void AddExport(Cli& cli);
void AddHistory(Cli& cli);
void AddImages(Cli& cli);
void AddImport(Cli& cli);
void AddInspect(Cli& cli);
void AddLoad(Cli& cli);
void AddLogin(Cli& cli);  // login, logout
void AddLogs(Cli& cli);
void AddManifest(Cli& cli);  // manifest inspect
void AddMount(Cli& cli);     // mount, umount, mounts
void AddNetwork(Cli& cli);   // network ls, create, rm, inspect
void AddPort(Cli& cli);
void AddPs(Cli& cli);
void AddPull(Cli& cli);
void AddPush(Cli& cli);
void AddRmi(Cli& cli);
void AddRun(Cli& cli);  // run, create
void AddSave(Cli& cli);
void AddStats(Cli& cli);
void AddStore(Cli& cli);   // store verify, rebuild-index
void AddSystem(Cli& cli);  // system start, stop, status, df, prune
void AddSystemDf(Cli& cli, CLI::App* system);
void AddTag(Cli& cli);
void AddTags(Cli& cli);
void AddTop(Cli& cli);
void AddTree(Cli& cli);
void AddVolume(Cli& cli);  // volume create, ls, inspect, rm, prune

}  // namespace varve
