#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "cached/base/fd.h"
#include "cached/base/result.h"
#include "cli/runtime/attachment.h"
#include "cli/runtime/container.h"
#include "cli/runtime/room.h"
#include "cli/session.h"

// Commands that stay connected with a container until it ends or the caller detaches.

namespace varve {

struct ForegroundOptions {
  AttachOptions attach;
  bool signals_are_its = true;  // --sig-proxy
};

void AddDetachKeys(CLI::App* command, AttachOptions& options);             // --detach-keys
void AddForegroundOptions(CLI::App* command, ForegroundOptions& options);  // and --sig-proxy

// Before anything is done that these options could make vain: are the keys known, and is standard input a terminal if
// one is to be typed into? Then those of docker's config.json take the place of none.
Status CheckForeground(AttachOptions& options, Terminal terminal);

// Starts a container, which does not run, and stays with it. Returns its exit code, docker's code if it cannot be
// started (why is printed), or 0 once detached.
Result<int> StartInForeground(Session& session, LockedContainer container, ContainerRoots roots,
                              ForegroundOptions options);

// Connects with one that runs, and stays with it. kFailedPrecondition if it does not run, or belongs to a `varve run`.
Result<int> AttachTo(const ContainerRoom& room, const Container& container, ForegroundOptions options);

// Prints why a container did not start; docker's exit code for it.
int ReportStart(const Error& error);

}  // namespace varve
