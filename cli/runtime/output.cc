#include "cli/runtime/output.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace varve {

Status WriteOutput(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {  // who shares it with us may have made it non-blocking
      pollfd room{.fd = fd, .events = POLLOUT, .revents = 0};
      ::poll(&room, 1, -1);
    } else if (errno != EINTR) {
      return ErrnoError(errno, "output");
    }
  }
  return Ok();
}

}  // namespace varve
