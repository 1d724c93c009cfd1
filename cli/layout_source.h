#pragma once

#include <string>

#include "cached/base/result.h"
#include "cached/client/daemon_client.h"
#include "cached/oci/platform.h"

namespace varve {

// Streams the image TAG of the OCI layout in DIR ("DIR[:TAG]") to the daemon. The tag becomes its name if it is a
// reference with a repository ("debian:12"); else the image is known by its id alone.
Status LoadFromLayout(DaemonClient& daemon, const std::string& source, const Platform& platform,
                      const DaemonClient::OnPullEvent& on_event);

}  // namespace varve
