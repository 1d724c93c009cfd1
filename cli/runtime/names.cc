#include "cli/runtime/names.h"

#include <fmt/core.h>
#include <sys/file.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "cached/base/bytes.h"
#include "cached/base/check.h"

namespace varve {
namespace {

constexpr std::size_t kNameBytesMax = 255;

}  // namespace

std::string NewId() {
  std::array<std::byte, kIdDigits / 2> random;
  VARVE_CHECK(::getrandom(random.data(), random.size(), 0) == static_cast<ssize_t>(random.size()));
  return ToHex(random);
}

Status CheckName(std::string_view what, std::string_view name) {
  const auto plain = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto inner = [&](char c) { return plain(c) || c == '_' || c == '.' || c == '-'; };
  if (name.size() >= 2 && name.size() <= kNameBytesMax && plain(name[0]) && std::ranges::all_of(name, inner))
    return Ok();
  return Error(Code::kInvalidArgument,
               fmt::format("invalid {} name ({}): only [a-zA-Z0-9][a-zA-Z0-9_.-]+ is allowed", what, name));
}

Result<UniqueFd> LockFile(const std::string& path, int operation, int flags) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | flags, 0600));
  if (!fd.valid()) return ErrnoError(errno, path);
  while (::flock(fd.get(), operation) != 0) {
    if (errno != EINTR) return ErrnoError(errno, path);
  }
  return fd;
}

}  // namespace varve
