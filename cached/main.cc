// varve-cached: flags → options → wiring.

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>

#include "cached/base/fd.h"
#include "cached/base/fs.h"
#include "cached/base/log.h"
#include "cached/base/root_paths.h"
#include "cached/config.h"
#include "cached/server/server.h"
#include "cached/store/rebuild.h"

namespace varve {
namespace {

// The heap that an ingest has grown goes back to the system only if few arenas hold it, and no large block lies between
// small ones: measured in docs/design/threading.md, "Memory".
constexpr int kHeapArenas = 2;
constexpr int kOwnMappingBytesMin = 1 << 20;

// Held for the life of the process: one daemon a root.
Result<UniqueFd> TakeLock(const RootPaths& paths) {
  VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(paths.run()));
  UniqueFd lock(::open(paths.lock("cached").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.valid()) return ErrnoError(errno, paths.lock("cached"));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
    return Error(Code::kFailedPrecondition, paths.root + ": a varve-cached runs there already");
  return lock;
}

// SIGTERM and SIGINT, in all threads made from now on, become readable on a descriptor.
Result<UniqueFd> StopSignals() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::sigaddset(&set, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  UniqueFd fd(::signalfd(-1, &set, SFD_CLOEXEC));
  if (!fd.valid()) return ErrnoError(errno, "signalfd");
  return fd;
}

Status RunDaemon(const RootPaths& paths, const ServerOptions& options) {
  VARVE_ASSIGN_OR_RETURN(const UniqueFd lock, TakeLock(paths));
  VARVE_ASSIGN_OR_RETURN(const UniqueFd stop, StopSignals());
  VARVE_RETURN_IF_ERROR(
      WriteFileAtomically(Fs::Real(), paths.pid("cached"), AsBytes(std::to_string(::getpid()) + "\n")));
  const Status served = Serve(paths, options, stop.get());
  Fs::Real().Remove(paths.pid("cached")).IgnoreError("a stale pid file is harmless: the lock tells who lives");
  return served;
}

Status RunRebuild(const RootPaths& paths) {
  VARVE_ASSIGN_OR_RETURN(const UniqueFd lock, TakeLock(paths));
  VARVE_ASSIGN_OR_RETURN(const RebuildOutcome outcome, RebuildIndex(Fs::Real(), paths));
  for (const std::string& line : outcome.damage) std::fprintf(stderr, "%s\n", line.c_str());
  std::printf("%llu packs, %llu frames: %llu chunks, %llu layers, %llu images, %llu names, %llu originals\n",
              static_cast<unsigned long long>(outcome.packs), static_cast<unsigned long long>(outcome.frames),
              static_cast<unsigned long long>(outcome.chunks), static_cast<unsigned long long>(outcome.layers),
              static_cast<unsigned long long>(outcome.images), static_cast<unsigned long long>(outcome.names),
              static_cast<unsigned long long>(outcome.originals));
  return Ok();
}

int Main(int argc, char** argv) {
  CLI::App app(
      "The cache daemon of varve: keeps images as chunks and serves them on a unix socket. Started by varve when "
      "needed.");
  app.set_version_flag("--version", VARVE_VERSION);
  bool rebuild = false;
  bool log_to_file = false;
  std::string config_file;
  app.add_flag("--rebuild-index", rebuild, "make the index anew from the packs, then exit");
  app.add_flag("--log-to-file", log_to_file, "log to run/cached.log below the root instead of standard error");
  app.add_option("--config", config_file,
                 "read this file instead of /etc/varve/cached.toml and $VARVE_ROOT/cached.toml");
  CLI11_PARSE(app, argc, argv);
  if (::geteuid() != 0) {
    std::fprintf(stderr, "varve-cached: must run as root (rootless is not supported yet)\n");
    return 1;
  }
  ::mallopt(M_ARENA_MAX, kHeapArenas);               // NOLINT(concurrency-mt-unsafe): no thread runs yet
  ::mallopt(M_MMAP_THRESHOLD, kOwnMappingBytesMin);  // NOLINT(concurrency-mt-unsafe)
  ::umask(0077);                                     // RocksDB and the socket's directory ask for more than they need
  const Result<RootPaths> paths = RootPaths::FromEnvironment();
  if (!paths.ok()) {
    std::fprintf(stderr, "varve-cached: %s\n", paths.error().message().c_str());
    return 1;
  }
  if (log_to_file) {
    const Status made = Fs::Real().MakeDirectories(paths->run());
    const Status opened = made.ok() ? LogToFile(paths->log("cached")) : made;
    if (!opened.ok()) std::fprintf(stderr, "varve-cached: %s\n", opened.error().message().c_str());
  }
  const auto config = LoadConfig(*paths, config_file);
  if (config.ok()) SetLogLevel(config->log_level);
  const Status outcome = !config.ok() ? config.error()
                         : rebuild    ? RunRebuild(*paths)
                                      : RunDaemon(*paths, config->server);
  if (outcome.ok()) return 0;
  LogError("{}", outcome.error().message());
  return 1;
}

}  // namespace
}  // namespace varve

int main(int argc, char** argv) try {
  return varve::Main(argc, argv);
} catch (const std::exception& error) {  // a library's
  std::fprintf(stderr, "varve-cached: %s\n", error.what());
  return 1;
}
