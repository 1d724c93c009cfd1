#include "fuse/session.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "cached/base/log.h"

namespace varve {
namespace {

// The worker's own descriptor of the connection: what it reads from it must be answered through it. libfuse's public
// interface knows one descriptor for all; the custom I/O below is where each worker takes its own instead.
thread_local int worker_device = -1;

// FUSE_INIT, while this worker answers it.
thread_local std::uint64_t init_request = 0;

ssize_t ReadRequest(int device, void* buffer, std::size_t size, void* /*fs*/) {
  const ssize_t n = ::read(worker_device >= 0 ? worker_device : device, buffer, size);
  if (n == 0) {  // a test closed its end, as an unmount does
    errno = ENODEV;
    return -1;
  }
  const auto* header = static_cast<const fuse_in_header*>(buffer);
  if (n > 0 && header->opcode == FUSE_INIT) init_request = header->unique;
  return n;
}

// libfuse 3.14 takes FUSE_CAP_PARALLEL_DIROPS and does not pass it on: without it the kernel looks up one name a
// directory at a time.
ssize_t WriteInitReply(int device, std::span<iovec> parts) {
  fuse_init_out init{};
  std::memcpy(&init, parts[1].iov_base, std::min(parts[1].iov_len, sizeof(init)));
  init.flags |= FUSE_PARALLEL_DIROPS;
  parts[1].iov_base = &init;
  return ::writev(device, parts.data(), static_cast<int>(parts.size()));
}

ssize_t WriteReply(int device, iovec* parts, int count, void* /*fs*/) {
  if (worker_device >= 0) device = worker_device;
  if (init_request != 0 && static_cast<const fuse_out_header*>(parts->iov_base)->unique == init_request) {
    init_request = 0;
    if (count == 2) return WriteInitReply(device, {parts, 2});
  }
  return ::writev(device, parts, count);
}

// A descriptor with a queue of its own of requests under way; of a socket, just another descriptor.
Result<UniqueFd> CloneDevice(int device) {
  struct stat info{};
  if (::fstat(device, &info) != 0) return ErrnoError(errno, "fstat");
  if (!S_ISCHR(info.st_mode)) {
    UniqueFd copy(::fcntl(device, F_DUPFD_CLOEXEC, 0));
    if (!copy.valid()) return ErrnoError(errno, "dup");
    return copy;
  }
  UniqueFd clone(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (!clone.valid()) return ErrnoError(errno, "/dev/fuse");
  auto source = static_cast<std::uint32_t>(device);
  if (::ioctl(clone.get(), FUSE_DEV_IOC_CLONE, &source) != 0) return ErrnoError(errno, "/dev/fuse: FUSE_DEV_IOC_CLONE");
  return clone;
}

}  // namespace

void Session::Free::operator()(fuse_session* session) const { fuse_session_destroy(session); }

Result<std::unique_ptr<Session>> Session::Start(ImageFs& fs, UniqueFd device, const Options& options) {
  char name[] = "varve-fuse";
  char* arguments[] = {name, nullptr};
  fuse_args args = FUSE_ARGS_INIT(1, arguments);
  fuse_session* session = fuse_session_new(&args, &ImageFs::Operations(), sizeof(fuse_lowlevel_ops), &fs);
  fuse_opt_free_args(&args);
  if (session == nullptr) return Error(Code::kInternal, "libfuse refuses a session");
  std::unique_ptr<Session> started(new Session(fs, session, options));
  const fuse_custom_io io{.writev = WriteReply, .read = ReadRequest, .splice_receive = nullptr, .splice_send = nullptr};
  if (const int error = fuse_session_custom_io(session, &io, device.get()); error != 0)
    return ErrnoError(-error, "libfuse");
  device.Release();  // the session's now
  fs.ahead().Start(
      [session = started.get()](NodeId file, ByteSpan content) { session->StoreInPageCache(file, content); });
  VARVE_RETURN_IF_ERROR(started->StartWorkers());
  return started;
}

Status Session::StartWorkers() {
  for (unsigned i = 0; i < options_.workers; ++i) {
    VARVE_ASSIGN_OR_RETURN(UniqueFd device, CloneDevice(fuse_session_fd(session_.get())));
    workers_.emplace_back([this, own = std::move(device)]() mutable { Work(std::move(own)); });
  }
  return Ok();
}

Session::~Session() {
  for (std::thread& worker : workers_) worker.join();
  fs_.ahead().Stop();
}

void Session::Work(UniqueFd device) {
  worker_device = device.get();
  fuse_buf buffer{};
  while (fuse_session_exited(session_.get()) == 0) {
    turn_.Take();
    const int size = fuse_session_receive_buf(session_.get(), &buffer);
    if (size > 0) fuse_session_process_buf(session_.get(), &buffer);
    if (size == 0 || (size < 0 && size != -EINTR && size != -EAGAIN)) break;
  }
  Turn::Pass();
  std::free(buffer.mem);
}

void Session::StoreInPageCache(NodeId file, ByteSpan content) {
  fuse_bufvec buffers = FUSE_BUFVEC_INIT(content.size());
  buffers.buf[0].mem = const_cast<std::byte*>(content.data());  // libfuse only reads it
  // ENOENT: the kernel has not looked the file up, or has forgotten it.
  fuse_lowlevel_notify_store(session_.get(), file.number(), 0, &buffers, static_cast<fuse_buf_copy_flags>(0));
}

void Session::InvalidateRootEntry(const std::string& name) {
  // ENOENT: the kernel has no such entry, which is what we want.
  fuse_lowlevel_notify_inval_entry(session_.get(), kMountRoot.number(), name.c_str(), name.size());
}

}  // namespace varve
