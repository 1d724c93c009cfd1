// Reads a mounted tree in the three ways that containers do, and says how long the tree took and what was read.
//   varve_read_tree walk DIR            every entry: readdir, lstat
//   varve_read_tree all DIR             the same, and every byte of every regular file
//   varve_read_tree files DIR LIST      the files that LIST names, one path below DIR a line: open, read, close
// Prints one JSON object: seconds, entries, bytes, and checksum, the XXH3 of every path, size and byte that was read,
// in the order of the paths: two trees with the same checksum gave the same answers. With CHECK set in the environment
// it covers the bytes, otherwise only paths and sizes, so that the time is the tree's and not the hash's. Entries are
// visited in the order in which the directory returns them, as find and tar do.

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "cached/base/bytes.h"
#include "cached/base/fd.h"
#include "cached/content/sha256.h"

namespace varve {
namespace {

constexpr std::size_t kBufferBytes = 128 << 10;

[[noreturn]] void Fail(const std::string& path) {
  fmt::print(stderr, "varve_read_tree: {}: {}\n", path, std::strerror(errno));
  std::exit(1);
}

class Reader {
 public:
  explicit Reader(bool check) : check_(check), buffer_(kBufferBytes) {}

  void Walk(int parent, const char* name, const std::string& path, bool contents) {
    UniqueFd opened(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!opened.valid()) Fail(path);
    DIR* directory = ::fdopendir(opened.Release());
    while (const dirent* entry = ::readdir(directory)) {
      const std::string_view child = entry->d_name;
      if (child == "." || child == "..") continue;
      const std::string below = path + "/" + entry->d_name;
      struct stat info{};
      if (::fstatat(::dirfd(directory), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) Fail(below);
      ++entries_;
      if (S_ISDIR(info.st_mode)) {
        Walk(::dirfd(directory), entry->d_name, below, contents);
      } else if (S_ISREG(info.st_mode) && contents) {
        ReadFile(::dirfd(directory), entry->d_name, below);
      }
      if (!S_ISREG(info.st_mode) || !contents) seen_.emplace_back(below, S_ISREG(info.st_mode) ? info.st_size : 0);
    }
    ::closedir(directory);
  }

  void ReadFile(int parent, const char* name, const std::string& path) {
    const UniqueFd file(::openat(parent, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file.valid()) Fail(path);
    std::uint64_t sum = 0;
    while (true) {
      const ssize_t n = ::read(file.get(), buffer_.data(), buffer_.size());
      if (n < 0) Fail(path);
      if (n == 0) break;
      bytes_ += static_cast<std::uint64_t>(n);
      sum = check_ ? sum * 31 + Xxh3Of(ByteSpan(buffer_).first(static_cast<std::size_t>(n)))
                   : sum + static_cast<std::uint64_t>(n);
    }
    seen_.emplace_back(path, sum);
  }

  void CountEntry() { ++entries_; }

  void Print(std::chrono::duration<double> spent) {
    std::ranges::sort(seen_);
    std::string all;
    for (const auto& [path, sum] : seen_) all += fmt::format("{} {}\n", path, sum);
    fmt::print("{{\"seconds\": {:.6f}, \"entries\": {}, \"bytes\": {}, \"checksum\": \"{:016x}\"}}\n", spent.count(),
               entries_, bytes_, Xxh3Of(AsBytes(all)));
  }

 private:
  const bool check_;
  Bytes buffer_;
  std::uint64_t entries_ = 0;
  std::uint64_t bytes_ = 0;
  std::vector<std::pair<std::string, std::uint64_t>> seen_;  // path below the root: what was read of it
};

std::vector<std::string> LinesOf(const std::string& path) {
  std::ifstream list(path);
  if (!list) Fail(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(list, line);) lines.push_back(line);
  return lines;
}

int Main(int argc, char** argv) {
  const std::string mode = argc > 2 ? argv[1] : "";
  if (!((mode == "walk" || mode == "all") && argc == 3) && !(mode == "files" && argc == 4)) {
    fmt::print(stderr, "usage: varve_read_tree walk|all DIR, or files DIR LIST\n");
    return 2;
  }
  Reader reader(std::getenv("CHECK") != nullptr);
  const std::vector<std::string> list = mode == "files" ? LinesOf(argv[3]) : std::vector<std::string>();
  const UniqueFd root(::open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) Fail(argv[2]);
  const auto start = std::chrono::steady_clock::now();
  if (mode != "files") reader.Walk(root.get(), ".", "", mode == "all");
  for (const std::string& path : list) {
    reader.ReadFile(root.get(), path.c_str(), path);
    reader.CountEntry();
  }
  reader.Print(std::chrono::steady_clock::now() - start);
  return 0;
}

}  // namespace
}  // namespace varve

int main(int argc, char** argv) { return varve::Main(argc, argv); }
