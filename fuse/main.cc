#include <fcntl.h>
#include <fmt/core.h>
#include <getopt.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "cached/base/fs.h"
#include "cached/base/log.h"
#include "cached/base/root_paths.h"
#include "cached/client/mounts_client.h"
#include "fuse/content_reader.h"
#include "fuse/driver.h"
#include "fuse/image_fs.h"
#include "fuse/image_registry.h"
#include "fuse/kernel_mount.h"
#include "fuse/mount_server.h"
#include "fuse/session.h"

namespace varve {
namespace {

constexpr unsigned kReadAheadKib = 1024;

struct Options {
  std::size_t cache_mib = 16;
  unsigned wait_seconds = 30;
  Session::Options session;
};

constexpr char kUsage[] =
    "usage: varve-fuse [OPTION]...\n"
    "Serves the images of the node at $VARVE_ROOT (/var/lib/varve) as file systems. varve starts it when it is "
    "needed.\n"
    "  --cache-mib N      keep at most N MiB of decoded content (16)\n"
    "  --wait-seconds N   how long a read waits for content that is absent (30)\n"
    "  --workers N        threads that serve the kernel (8)\n"
    "  --help             this text\n"
    "  --version          the version\n";

// 1 to `most`, or an error that names the option.
Result<unsigned> ParseNumber(std::string_view option, std::string_view text, unsigned most) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number == 0 || number > most) {
    return Error(Code::kInvalidArgument,
                 fmt::format("--{} takes a number from 1 to {}, not \"{}\"", option, most, text));
  }
  return number;
}

// NOLINTBEGIN(concurrency-mt-unsafe): nothing but main runs yet
Result<Options> ParseOptions(int argc, char** argv) {
  static constexpr option kOptions[] = {
      {"cache-mib", required_argument, nullptr, 'c'}, {"wait-seconds", required_argument, nullptr, 's'},
      {"workers", required_argument, nullptr, 'w'},   {"help", no_argument, nullptr, 'h'},
      {"version", no_argument, nullptr, 'v'},         {}};
  Options options;
  for (int choice; (choice = ::getopt_long(argc, argv, "", kOptions, nullptr)) != -1;) {
    switch (choice) {
      case 'c': {
        VARVE_ASSIGN_OR_RETURN(options.cache_mib, ParseNumber("cache-mib", optarg, 1u << 20));
        break;
      }
      case 's': {
        VARVE_ASSIGN_OR_RETURN(options.wait_seconds, ParseNumber("wait-seconds", optarg, 86'400));
        break;
      }
      case 'w': {
        VARVE_ASSIGN_OR_RETURN(options.session.workers, ParseNumber("workers", optarg, 256));
        break;
      }
      case 'h':
        std::fputs(kUsage, stdout);
        std::exit(0);
      case 'v':
        std::puts("varve-fuse " VARVE_VERSION);
        std::exit(0);
      default:
        return Error(Code::kInvalidArgument, "see varve-fuse --help");
    }
  }
  if (optind < argc)
    return Error(Code::kInvalidArgument, fmt::format("what is \"{}\"? see varve-fuse --help", argv[optind]));
  return options;
}
// NOLINTEND(concurrency-mt-unsafe)

// Held as long as the process lives: one varve-fuse a root.
Result<UniqueFd> Lock(const std::string& path) {
  UniqueFd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.valid()) return ErrnoError(errno, path);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return Error(Code::kAlreadyExists, fmt::format("{}: another varve-fuse serves this root", path));
  }
  return lock;
}

const ImageRegistry* mapped_images = nullptr;

// A file that shrank or cannot be read any more under its mapping: say which, then die of it. Not safe in general after
// a signal, but this one interrupts the very load that failed, which is never inside the allocator.
void OnBusError(int signal, siginfo_t* info, void* /*context*/) {
  const std::string name = mapped_images == nullptr ? std::string() : mapped_images->MappingAt(info->si_addr);
  LogError("{} cannot be read any more: varve-fuse ends; the next command starts it anew",
           name.empty() ? "a file that was being mapped" : name);
  ::signal(signal, SIG_DFL);
}

void HandleBusErrors(const ImageRegistry& images) {
  mapped_images = &images;
  struct sigaction action{};
  action.sa_sigaction = OnBusError;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &action, nullptr);
}

sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT}) sigaddset(&signals, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

Status Serve(const Options& options, const RootPaths& paths) {
  const sigset_t stop_signals = BlockStopSignals();
  VARVE_RETURN_IF_ERROR(EnterPrivateMountNamespace(paths));
  VARVE_ASSIGN_OR_RETURN(KernelMount made, KernelMount::Create(paths.rootfs()));

  MountsClient mounts(paths.socket("cached"), {.resolve_timeout = std::chrono::seconds(options.wait_seconds)});
  ImageRegistry images(paths, mounts);
  HandleBusErrors(images);
  ContentReader content(paths.packs(), options.cache_mib << 20, mounts, images);
  ImageFs fs(images, content);
  VARVE_ASSIGN_OR_RETURN(const auto session, Session::Start(fs, made.TakeDevice(), options.session));
  const KernelMount mount = std::move(made);  // unmounted before the session waits for its workers
  if (const Status status = mount.SetReadAhead(kReadAheadKib); !status.ok()) {
    LogWarning("{}; large files are read in smaller requests", status.error().message());
  }
  Driver driver(images, content, *session, paths.rootfs());
  MountsClient::Attendance attendance(mounts, driver);

  const auto answer = [&](const DriverRequest& request) -> Result<DriverReply> {
    DriverReply reply{.pid = ::getpid(), .version = VARVE_VERSION, .mount = {}};
    if (!request.mount) return reply;
    VARVE_ASSIGN_OR_RETURN(const auto added, images.Add(*request.mount));
    if (added == ImageRegistry::Added::kNow) attendance.Announce();
    VARVE_ASSIGN_OR_RETURN(reply.mount, mount.CloneImage(*request.mount));
    return reply;
  };
  VARVE_ASSIGN_OR_RETURN(const auto server, MountServer::Start(paths.socket("fuse"), answer));
  LogInfo("varve-fuse {} serves {} as process {}", VARVE_VERSION, paths.root, ::getpid());
  int signal = 0;
  ::sigwait(&stop_signals, &signal);
  LogInfo("varve-fuse ends by signal {}", signal);
  return Ok();
}

Status Run(const Options& options) {
  VARVE_ASSIGN_OR_RETURN(const RootPaths paths, RootPaths::FromEnvironment());
  if (::geteuid() != 0) return Error(Code::kPermissionDenied, "varve-fuse needs root");
  ::umask(0077);
  for (const std::string& directory : {paths.run(), paths.sockets})
    VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(directory));
  VARVE_ASSIGN_OR_RETURN(const UniqueFd lock, Lock(paths.lock("fuse")));
  VARVE_RETURN_IF_ERROR(LogToFile(paths.log("fuse")));
  VARVE_RETURN_IF_ERROR(WriteFileAtomically(Fs::Real(), paths.pid("fuse"), AsBytes(fmt::format("{}\n", ::getpid()))));
  const Status status = Serve(options, paths);
  Fs::Real().Remove(paths.pid("fuse")).IgnoreError("it is stale then, which every reader expects");
  if (!status.ok()) LogError("{}", status.error().message());
  return status;
}

}  // namespace
}  // namespace varve

int main(int argc, char** argv) {
  // Decoded content comes and goes in pieces of 64 KiB and more: given back at once, it does not fragment the heap, and
  // fewer arenas hold on to less.
  ::mallopt(M_ARENA_MAX, 2);              // NOLINT(concurrency-mt-unsafe): no thread runs yet
  ::mallopt(M_MMAP_THRESHOLD, 64 << 10);  // NOLINT(concurrency-mt-unsafe)
  const auto options = varve::ParseOptions(argc, argv);
  const varve::Status status = options.ok() ? varve::Run(*options) : varve::Status(options.error());
  if (status.ok()) return 0;
  std::fprintf(stderr, "varve-fuse: %s\n", status.error().message().c_str());
  return 1;
}
