#include "cli/runtime/process.h"

#include <fmt/core.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <sstream>

#include "cached/base/fs.h"

extern "C" {  // glibc 2.36 forgot it
#include <sys/pidfd.h>
}

namespace varve {
namespace {

constexpr std::uint64_t kProcFileBytesMax = 1 << 20;

Error Ended(pid_t pid) { return Error(Code::kNotFound, fmt::format("process {} has ended", pid)); }

// Files of /proc have no size to go by, and are read as far as they go.
Result<std::string> ReadProc(const std::string& path) {
  VARVE_ASSIGN_OR_RETURN(const auto file, Fs::Real().Open(path, OpenMode::kRead));
  std::string text(4096, '\0');
  std::size_t size = 0;
  for (;;) {
    const std::span<char> room(text.data() + size, text.size() - size);
    VARVE_ASSIGN_OR_RETURN(const std::size_t n, file->ReadAt(size, std::as_writable_bytes(room)));
    size += n;
    if (n == 0 || size > kProcFileBytesMax) break;
    if (size == text.size()) text.resize(2 * size);
  }
  text.resize(size);
  return text;
}

// Whether `pid` is the first process of a pid namespace one below that of its parent.
bool BeginsNamespace(pid_t pid) {
  const Result<std::string> status = ReadProc(fmt::format("/proc/{}/status", pid));
  if (!status.ok()) return false;
  const std::size_t at = status->find("\nNSpid:");
  if (at == std::string::npos) return false;
  std::istringstream ids(status->substr(at + 7, status->find('\n', at + 1) - at - 7));
  pid_t innermost = 0;
  for (pid_t id = 0; ids >> id;) innermost = id;
  return innermost == 1;
}

}  // namespace

Result<std::string> BootId() {
  VARVE_ASSIGN_OR_RETURN(std::string id, ReadProc("/proc/sys/kernel/random/boot_id"));
  while (id.ends_with('\n')) id.pop_back();
  return id;
}

Result<ProcessId> IdentifyProcess(pid_t pid) {
  constexpr int kStartField = 22, kFirstFieldBehindName = 3;
  const Result<std::string> stat = ReadProc(fmt::format("/proc/{}/stat", pid));
  if (!stat.ok()) return Ended(pid);
  const std::size_t name_end = stat->rfind(')');  // the name may hold anything
  if (name_end == std::string::npos) return Error(Code::kInternal, fmt::format("/proc/{}/stat is not understood", pid));
  std::istringstream fields(stat->substr(name_end + 1));
  std::string field;
  for (int n = kFirstFieldBehindName; n <= kStartField && fields >> field; ++n) {
    if (n == kFirstFieldBehindName && (field == "Z" || field == "X")) return Ended(pid);
  }
  ProcessId process{.pid = pid, .start_ticks = 0};
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), process.start_ticks);
  if (error != std::errc()) return Error(Code::kInternal, fmt::format("/proc/{}/stat is not understood", pid));
  return process;
}

bool Lives(const ProcessId& process) {
  if (process.pid <= 0) return false;
  const Result<ProcessId> now = IdentifyProcess(process.pid);
  return now.ok() && now->start_ticks == process.start_ticks;
}

Result<UniqueFd> OpenProcess(const ProcessId& process) {
  UniqueFd pidfd(process.pid > 0 ? ::pidfd_open(process.pid, 0) : -1);
  // Looked at after the pidfd stands for somebody: from here on it cannot become another.
  if (!pidfd.valid() || !Lives(process)) return Ended(process.pid);
  return pidfd;
}

Result<ProcessId> FirstProcessBelow(pid_t parent) {
  const std::string tasks = fmt::format("/proc/{}/task", parent);
  const Result<std::vector<std::string>> threads = Fs::Real().List(tasks);
  if (!threads.ok()) return Ended(parent);
  for (const std::string& thread : *threads) {
    const Result<std::string> text = ReadProc(fmt::format("{}/{}/children", tasks, thread));
    if (!text.ok()) continue;  // a thread that has just ended
    std::istringstream children(*text);
    for (pid_t child = 0; children >> child;) {
      if (BeginsNamespace(child)) return IdentifyProcess(child);
    }
  }
  return Error(Code::kNotFound, fmt::format("process {} has not begun its container yet", parent));
}

}  // namespace varve
