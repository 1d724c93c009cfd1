#include "cached/http/file_body.h"

#include <fcntl.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

namespace varve {
namespace {

constexpr std::uint64_t kSliceBytes = 1 << 20;
constexpr std::uint64_t kAheadBytes = 4 << 20;  // read from the disk at once

bool InMemory(const File& file, std::uint64_t last_byte) {
  char byte = 0;
  const iovec into{.iov_base = &byte, .iov_len = 1};
  return ::preadv2(file.fd(), &into, 1, static_cast<off_t>(last_byte), RWF_NOWAIT) >= 0 || errno != EAGAIN;
}

void ReadFromDisk(const File& file, std::uint64_t offset, std::uint64_t last_byte) {
  ::posix_fadvise(file.fd(), static_cast<off_t>(offset), kAheadBytes, POSIX_FADV_WILLNEED);
  std::array<std::byte, 1> byte{};
  file.ReadAt(last_byte, byte).IgnoreError("sendfile fails for the same reason, and says so");
}

}  // namespace

Task<Status> SendFileBody(Channel& channel, WorkerSeat& seat, const HttpFileBody& body, std::uint64_t& sent_bytes) {
  const File& file = *body.file;
  while (sent_bytes < body.length_bytes) {
    const std::uint64_t offset = body.offset_bytes + sent_bytes;
    const std::uint64_t length = std::min(kSliceBytes, body.length_bytes - sent_bytes);
    const std::uint64_t last_byte = offset + length - 1;
    if (!InMemory(file, last_byte)) {
      seat.Start([&file, offset, last_byte] { ReadFromDisk(file, offset, last_byte); });
      co_await seat.Finish();
    }
    const Status sent = co_await channel.SendFile(file, offset, length);
    if (!sent.ok()) co_return sent;
    sent_bytes += length;
  }
  co_return Ok();
}

}  // namespace varve
