#pragma once

#include <functional>
#include <string>

#include "cached/base/fd.h"
#include "cached/base/result.h"
#include "cli/runtime/container.h"
#include "cli/runtime/container_files.h"
#include "cli/runtime/room.h"
#include "cli/session.h"

// What several commands do with containers beyond cli/runtime: they need the mount driver.

namespace varve {

// The detached root of its image, and of those that it mounts too. kNotFound, with what to do, if an image is not in
// the store any more.
Result<UniqueFd> RootOf(Session& session, const ContainerRecord& record);
Result<ContainerRoots> RootsOf(Session& session, const ContainerRecord& record);

// Calls `work` with the container of that name and the root of its files (cli/runtime/container_files.h). One that does
// not run is not started, removed or changed by others meanwhile. `work` runs in a mount namespace of its own, so that
// it must start no process that is to stay.
Status WithFilesOf(Session& session, const std::string& name, ShownMounts shown,
                   const std::function<Status(const Container& container, int root)>& work);

// Starts it on those roots, held by conmon, as StartHeld (cli/runtime/container.h) does.
Status StartOn(const Session& session, LockedContainer& container, ContainerRoots roots,
               const std::function<Status()>& before_start = Ok);

}  // namespace varve
