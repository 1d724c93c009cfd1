#include "cli/runtime/etc_files.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <sstream>
#include <string_view>

#include "cached/base/fs.h"
#include "cli/runtime/inside.h"
#include "cli/runtime/name_service.h"

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

constexpr std::array<const char*, 3> kNames = {"hostname", "hosts", "resolv.conf"};

Status WriteEtcFile(const std::string& directory, const std::string& name, std::string_view text) {
  const std::string path = directory + "/" + name;
  VARVE_ASSIGN_OR_RETURN(const auto file, Fs::Real().Open(path, OpenMode::kCreateNew));
  VARVE_RETURN_IF_ERROR(file->WriteAt(0, AsBytes(text)));
  return ::fchmod(file->fd(), 0644) == 0 ? Ok() : ErrnoError(errno, path);
}

// Puts `fresh` for the lines that end in the word `id`. In place, since the file may be mounted.
Status ReplaceHost(const std::string& hosts, const std::string& id, const std::string& fresh) {
  VARVE_ASSIGN_OR_RETURN(const std::string before, HostFile(hosts));
  std::istringstream lines(before);
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    if (!line.ends_with("\t" + id) && !line.ends_with(" " + id)) text += line + "\n";
  }
  text += fresh;
  VARVE_ASSIGN_OR_RETURN(const auto file, Fs::Real().Open(hosts, OpenMode::kReadWrite));
  VARVE_RETURN_IF_ERROR(file->WriteAt(0, AsBytes(text)));
  return file->Truncate(text.size());
}

}  // namespace

Result<std::vector<Mount>> WriteEtcFiles(const std::string& directory, const std::string& hostname,
                                         const std::string& own_name, const NetworkOptions& network) {
  const bool on_host = network.kind() == NetworkKind::kHost;
  std::string hosts(kLoopbackHosts);
  VARVE_ASSIGN_OR_RETURN(std::string resolv, HostFile("/etc/resolv.conf"));
  if (on_host) {
    VARVE_ASSIGN_OR_RETURN(hosts, HostFile("/etc/hosts"));
  }
  if (!hosts.empty() && !hosts.ends_with('\n')) hosts += '\n';
  hosts += HostLines(network);
  if (!own_name.empty()) hosts += fmt::format("127.0.0.1\t{}\n", own_name);
  if (!on_host && AsksResolved(resolv)) {
    VARVE_ASSIGN_OR_RETURN(resolv, HostFile(kResolvedConf));
  }
  resolv = ResolvConf(resolv, network);

  const std::array<std::string, kNames.size()> texts = {hostname + "\n", hosts, resolv};
  for (std::size_t n = 0; n < kNames.size(); ++n) VARVE_RETURN_IF_ERROR(WriteEtcFile(directory, kNames[n], texts[n]));
  return MountsOfEtcFiles(directory);
}

std::vector<Mount> MountsOfEtcFiles(const std::string& directory) {
  std::vector<Mount> mounts;
  mounts.reserve(kNames.size());
  for (const std::string_view name : kNames) {
    mounts.push_back(
        {fmt::format("/etc/{}", name), "bind", fmt::format("{}/{}", directory, name), {"rbind", "rprivate"}});
  }
  return mounts;
}

Status SetHost(const std::string& hosts, const std::string& address, const std::string& names, const std::string& id) {
  return ReplaceHost(hosts, id, fmt::format("{}\t{}{}{}\n", address, names, names.empty() ? "" : " ", id));
}

Status DropHost(const std::string& hosts, const std::string& id) { return ReplaceHost(hosts, id, ""); }

Status AddDockerMarks(int root) {
  const UniqueFd mark(::openat(root, ".dockerenv", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0755));
  if (!mark.valid() && errno != EEXIST) return ErrnoError(errno, "/.dockerenv");
  const Result<UniqueFd> etc = OpenInside(root, "/etc", O_PATH | O_DIRECTORY);
  if (!etc.ok()) return etc.error().code() == Code::kNotFound ? Ok() : etc.error();
  if (::symlinkat("/proc/mounts", etc->get(), "mtab") != 0 && errno != EEXIST) return ErrnoError(errno, "/etc/mtab");
  return Ok();
}

}  // namespace varve
