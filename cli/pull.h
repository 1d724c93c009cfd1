#pragma once

#include <string>

#include "cli/caller_world.h"
#include "cli/session.h"
#include "cli/transfer_progress.h"

namespace varve {

struct PullOptions {
  std::string source;    // a reference, or an ImageLocation in files
  std::string platform;  // empty: the host's
  std::string tls_verify = "true";
};

// `varve pull`, and what `varve run` does for an image that is not here.
Status PullFrom(DaemonClient& daemon, const PullOptions& options, TransferProgress& progress);

}  // namespace varve
