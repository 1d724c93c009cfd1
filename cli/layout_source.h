#pragma once

#include <string>

#include "cached/base/result.h"
#include "cached/client/daemon_client.h"
#include "cached/oci/platform.h"

namespace varve {

// Streams the image TAG of the OCI layout in DIR ("DIR[:TAG]") to the daemon. A tag that is a reference with a
// repository ("debian:12") becomes its name; else that is localhost/DIR:TAG, of the last part of DIR. An image without
// a tag in a directory that cannot name a repository is known by its id alone.
Status LoadFromLayout(DaemonClient& daemon, const std::string& source, const Platform& platform,
                      const DaemonClient::OnPullEvent& on_event);

}  // namespace varve
