#pragma once

#include <string>
#include <vector>

#include "cached/base/fd.h"
#include "cached/base/result.h"
#include "cached/base/root_paths.h"
#include "cached/client/daemon_client.h"
#include "cached/content/digest.h"

namespace varve {

// A command's way to the two processes of a node: it starts what is needed and not there. Holding run/lock while it
// does so, any number of first commands start one of each.
class Session {
 public:
  explicit Session(RootPaths paths) : paths_(std::move(paths)) {}

  const RootPaths& paths() const { return paths_; }

  // A client of the daemon of this version, started if need be. kFailedPrecondition if one of another version runs.
  // Mounts of the caller whose varve-fuse has died are mounted anew.
  Result<DaemonClient> Daemon();
  // The detached, read-only root of an image that `daemon` was asked for in order to use it, from varve-fuse, started
  // if need be.
  Result<UniqueFd> ImageRoot(DaemonClient& daemon, const v1::ImageDetail& image);
  // The same of an image that was asked for long ago. kNotFound if it is not there any more; the daemon must run.
  Result<UniqueFd> ImageRoot(const ChainId& chain_id);

  // True while the process ("cached" or "fuse") lives.
  bool Lives(const std::string& process) const;
  // Ends varve-fuse, then the daemon, and waits until they are gone. Without them nothing happens.
  Status Stop();
  // Runs varve-cached in the foreground and returns its exit code.
  Result<int> RunCached(const std::vector<std::string>& arguments) const;

 private:
  Status Start(const std::string& process);
  void WarnOfOrphans() const;
  Status Spawn(const std::string& process) const;
  bool Answers(const std::string& process) const;
  Status StopDriver();
  pid_t PidOf(const std::string& process) const;
  Status AwaitEnd(const std::string& process) const;

  const RootPaths paths_;
};

}  // namespace varve
