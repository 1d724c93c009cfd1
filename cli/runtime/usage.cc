#include "cli/runtime/usage.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace varve {
namespace {

// The number behind `key` in a file of "KEY NUMBER" lines; 0 if it is not there. Without a key: the first word.
std::uint64_t NumberIn(const std::string& path, const std::string& key = {}) {
  std::ifstream file(path);
  std::uint64_t number = 0;
  if (key.empty()) return file >> number ? number : 0;
  for (std::string word; file >> word;) {
    if (word == key && file >> number) return number;
  }
  return 0;
}

// The sum over all devices of a file of blkio, v1: lines "8:0 Read 4096".
std::uint64_t SumOf(const std::string& path, const std::string& operation) {
  std::ifstream file(path);
  std::uint64_t sum = 0, number = 0;
  for (std::string word; file >> word;) {
    if (word == operation && file >> number) sum += number;
  }
  return sum;
}

// The same of io.stat, v2: lines "8:0 rbytes=4096 wbytes=0 …".
std::uint64_t SumOfPairs(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  std::uint64_t sum = 0;
  for (std::string word; file >> word;) {
    std::uint64_t number = 0;
    if (word.starts_with(key + "=") &&
        std::from_chars(word.data() + key.size() + 1, word.data() + word.size(), number).ec == std::errc())
      sum += number;
  }
  return sum;
}

void ReadUnified(const std::string& cgroup, Usage& usage) {
  usage.cpu_ns = NumberIn(cgroup + "/cpu.stat", "usage_usec") * 1000;
  usage.memory_bytes = NumberIn(cgroup + "/memory.current");
  const std::uint64_t inactive = NumberIn(cgroup + "/memory.stat", "inactive_file");
  usage.memory_bytes -= std::min(inactive, usage.memory_bytes);
  usage.memory_limit_bytes = NumberIn(cgroup + "/memory.max");
  usage.read_bytes = SumOfPairs(cgroup + "/io.stat", "rbytes");
  usage.written_bytes = SumOfPairs(cgroup + "/io.stat", "wbytes");
  usage.processes = NumberIn(cgroup + "/pids.current");
}

void ReadHierarchies(const std::string& root, const std::string& path, Usage& usage) {
  const std::string memory = root + "/memory" + path, blkio = root + "/blkio" + path;
  usage.cpu_ns = NumberIn(root + "/cpuacct" + path + "/cpuacct.usage");
  usage.memory_bytes = NumberIn(memory + "/memory.usage_in_bytes");
  const std::uint64_t inactive = NumberIn(memory + "/memory.stat", "total_inactive_file");
  usage.memory_bytes -= std::min(inactive, usage.memory_bytes);
  usage.memory_limit_bytes = NumberIn(memory + "/memory.limit_in_bytes");
  usage.read_bytes = SumOf(blkio + "/blkio.throttle.io_service_bytes_recursive", "Read");
  usage.written_bytes = SumOf(blkio + "/blkio.throttle.io_service_bytes_recursive", "Write");
  usage.processes = NumberIn(root + "/pids" + path + "/pids.current");
}

// /proc/PID/net/dev: two lines of headers, then "eth0: RECEIVED PACKETS …", the ninth number being what was sent.
void ReadNetwork(pid_t first, Usage& usage) {
  const std::string process = "/proc/" + std::to_string(first);
  std::error_code error;
  const auto theirs = std::filesystem::read_symlink(process + "/ns/net", error);
  if (error || theirs == std::filesystem::read_symlink("/proc/self/ns/net", error)) return;
  std::ifstream file(process + "/net/dev");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || line.find(" lo:") != std::string::npos) continue;
    std::istringstream numbers(line.substr(colon + 1));
    std::uint64_t number = 0;
    for (int n = 0; n < 9 && numbers >> number; ++n) {
      if (n == 0) usage.received_bytes += number;
      if (n == 8) usage.sent_bytes += number;
    }
  }
}

}  // namespace

Result<Usage> ReadUsage(const std::string& id, pid_t first, const std::string& cgroup_root) {
  Usage usage;
  const std::string path = CgroupPathOf(id);
  const bool unified = IsUnified(cgroup_root);
  if (::access((cgroup_root + (unified ? "" : "/memory") + path).c_str(), F_OK) != 0)
    return Error(Code::kNotFound, "container " + id + " has no cgroup");
  if (unified) {
    ReadUnified(cgroup_root + path, usage);
  } else {
    ReadHierarchies(cgroup_root, path, usage);
  }
  const std::uint64_t memory = NumberIn("/proc/meminfo", "MemTotal:") * 1024;
  if (usage.memory_limit_bytes == 0 || usage.memory_limit_bytes > memory) usage.memory_limit_bytes = memory;
  ReadNetwork(first, usage);
  return usage;
}

}  // namespace varve
