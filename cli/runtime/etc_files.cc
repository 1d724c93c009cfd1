#include "cli/runtime/etc_files.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "cached/base/fs.h"
#include "cli/runtime/inside.h"

namespace varve {
namespace {

constexpr std::uint64_t kHostFileBytesMax = 1 << 20;
constexpr std::string_view kLoopbackHosts =
    "127.0.0.1\tlocalhost\n"
    "::1\tlocalhost ip6-localhost ip6-loopback\n"
    "fe00::0\tip6-localnet\n"
    "ff00::0\tip6-mcastprefix\n"
    "ff02::1\tip6-allnodes\n"
    "ff02::2\tip6-allrouters\n";

Result<std::string> HostFile(const std::string& path) {
  Result<Bytes> bytes = ReadWholeFile(Fs::Real(), path, kHostFileBytesMax);
  if (!bytes.ok() && bytes.error().code() == Code::kNotFound) return std::string();
  if (!bytes.ok()) return bytes.error();
  return std::string(AsText(*bytes));
}

std::string WithoutLoopbackServers(std::string_view text) {
  std::string kept;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, std::min(text.find('\n'), text.size() - 1) + 1);
    text.remove_prefix(line.size());
    if (line.starts_with("nameserver") && (line.find(" 127.") != line.npos || line.find(" ::1") != line.npos)) continue;
    kept += line;
  }
  return kept;
}

Result<Mount> WriteEtcFile(const std::string& directory, const std::string& name, std::string_view text) {
  const std::string path = directory + "/" + name;
  VARVE_ASSIGN_OR_RETURN(const auto file, Fs::Real().Open(path, OpenMode::kCreateNew));
  VARVE_RETURN_IF_ERROR(file->WriteAt(0, AsBytes(text)));
  if (::fchmod(file->fd(), 0644) != 0) return ErrnoError(errno, path);
  return Mount{"/etc/" + name, "bind", path, {"rbind", "rprivate"}};
}

}  // namespace

Result<std::vector<Mount>> WriteEtcFiles(const std::string& directory, const std::string& hostname,
                                         const std::string& own_name, Network network) {
  std::string hosts(kLoopbackHosts);
  VARVE_ASSIGN_OR_RETURN(std::string resolv, HostFile("/etc/resolv.conf"));
  if (network == Network::kHost) {
    VARVE_ASSIGN_OR_RETURN(hosts, HostFile("/etc/hosts"));
  } else {
    resolv = WithoutLoopbackServers(resolv);
  }
  if (!hosts.empty() && !hosts.ends_with('\n')) hosts += '\n';
  if (!own_name.empty()) hosts += fmt::format("127.0.0.1\t{}\n", own_name);

  std::vector<Mount> mounts;
  const std::array<std::pair<std::string, std::string>, 3> files = {
      {{"hostname", hostname + "\n"}, {"hosts", hosts}, {"resolv.conf", resolv}}};
  for (const auto& [name, text] : files) {
    VARVE_ASSIGN_OR_RETURN(Mount mount, WriteEtcFile(directory, name, text));
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

Status AddDockerMarks(int root) {
  const UniqueFd mark(::openat(root, ".dockerenv", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0755));
  if (!mark.valid() && errno != EEXIST) return ErrnoError(errno, "/.dockerenv");
  const Result<UniqueFd> etc = OpenInside(root, "/etc", O_PATH | O_DIRECTORY);
  if (!etc.ok()) return etc.error().code() == Code::kNotFound ? Ok() : etc.error();
  if (::symlinkat("/proc/mounts", etc->get(), "mtab") != 0 && errno != EEXIST) return ErrnoError(errno, "/etc/mtab");
  return Ok();
}

}  // namespace varve
