#pragma once

#include "cached/base/fd.h"
#include "cached/base/result.h"
#include "cli/runtime/room.h"
#include "cli/session.h"

// What several commands do with containers beyond cli/runtime: they need the mount driver and the caller's terminal.

namespace varve {

// The detached root of its image. kNotFound, with what to do, if the image is not in the store any more.
Result<UniqueFd> RootOf(Session& session, const ContainerRecord& record);

// Starts it detached, on that root.
Status StartHeld(const Session& session, LockedContainer& container, UniqueFd root);

// kFailedPrecondition, in docker's words, if standard input is no terminal.
Status CheckTerminal();

// Runs it in the foreground. An error if it wants a terminal and standard input is none.
Result<int> RunAttached(const ContainerRoom& room, LockedContainer container, UniqueFd root);

}  // namespace varve
