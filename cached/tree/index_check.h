#pragma once

#include <fmt/core.h>
#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "cached/base/result.h"
#include "cached/tree/path.h"

// What the checks of both indexes share. Internal to cached/tree.
namespace varve {

template <class... T>
Error Broken(fmt::format_string<T...> format, T&&... arguments) {
  return Error(Code::kDataLoss, fmt::format(format, std::forward<T>(arguments)...));
}

inline bool InRange(std::uint64_t first, std::uint64_t count, std::uint64_t size) {
  return first <= size && count <= size - first;
}

// FlatBuffers' verifier sees to 4 bytes only. An empty vector may lie anywhere.
template <class T>
bool IsAligned(std::span<const T> items) {
  return items.empty() || reinterpret_cast<std::uintptr_t>(items.data()) % alignof(T) == 0;
}

inline bool ModeIsKnown(std::uint32_t mode) {
  constexpr std::uint32_t kPermissions = 07777;
  const bool known =
      S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode) || S_ISCHR(mode) || S_ISBLK(mode) || S_ISFIFO(mode);
  return known && (mode & ~(S_IFMT | kPermissions)) == 0;
}

// A directory's names: in range, valid, sorted bytewise, no two the same.
template <class Entry>
Status CheckNames(std::span<const Entry> entries, std::string_view pool) {
  std::string_view last;
  for (const Entry& entry : entries) {
    if (!InRange(entry.name(), entry.name_length(), pool.size())) return Broken("a name is out of range");
    const std::string_view name = pool.substr(entry.name(), entry.name_length());
    if (!IsValidName(name)) return Broken("\"{}\" is no name", name);
    if (name <= last) return Broken("\"{}\" does not come after \"{}\"", name, last);
    last = name;
  }
  return Ok();
}

// Both indexes number their inodes breadth first: walking the directories by ordinal, and each one's entries in order,
// an inode that is met for the first time is the next one. So if each name passes Visit, each directory passes Enter
// before its names and Finish holds at the end, then every inode has a name, a directory exactly one, and no directory
// is below itself.
class BreadthFirst {
 public:
  explicit BreadthFirst(std::size_t inodes, std::size_t entries) : inodes_(inodes), entries_(entries) {}

  // Directories own consecutive ranges of entries.
  Status Enter(std::size_t directory, std::uint64_t first, std::uint64_t count) {
    if (directory >= next_inode_) return Broken("it has no name");
    if (first != next_entry_ || count > entries_ - first) return Broken("its entries are out of place");
    next_entry_ += count;
    return Ok();
  }
  Status Visit(std::uint64_t ordinal, bool is_directory) {
    const bool is_new = ordinal == next_inode_;
    if (ordinal == 0 || ordinal > next_inode_ || (is_directory && !is_new))
      return Broken("names inode {} out of order", ordinal);
    if (is_new) ++next_inode_;
    return Ok();
  }
  Status Finish() const {
    if (next_inode_ != inodes_) return Broken("inode {} has no name", next_inode_);
    if (next_entry_ != entries_) return Broken("entry {} is in no directory", next_entry_);
    return Ok();
  }

 private:
  const std::size_t inodes_;
  const std::size_t entries_;
  std::size_t next_inode_ = 1;
  std::size_t next_entry_ = 0;
};

// The inode of this index that an entry names, if any.
using OwnInode = std::optional<std::uint32_t>;

// What both indexes are: inodes in breadth-first order from the root directory on, `entries` of directories with names
// in `pool`, and in each inode how many names it has. `check_inode(inode)` says what else an inode has to be,
// `check_entry(entry, directory)` what an entry has to be, and the OwnInode that it names.
template <class Index, class CheckInode, class CheckEntry>
Status CheckTree(const Index& index, std::size_t entries, std::string_view pool, const CheckInode& check_inode,
                 const CheckEntry& check_entry) {
  const auto inodes = index.inodes();
  if (!IsAligned(inodes)) return Broken("a vector is not aligned");
  if (inodes.empty() || !S_ISDIR(inodes[0].mode())) return Broken("there is no root directory");
  for (std::size_t i = 0; i < inodes.size(); ++i) {
    if (!ModeIsKnown(inodes[i].mode())) return Broken("inode {}: mode {:o}", i, inodes[i].mode());
    if (inodes[i].mtime_nanoseconds() >= 1'000'000'000)
      return Broken("inode {}: {} nanoseconds", i, inodes[i].mtime_nanoseconds());
    const Status sound = check_inode(inodes[i]);
    if (!sound.ok()) return sound.error().In(fmt::format("inode {}", i));
  }
  BreadthFirst order(inodes.size(), entries);
  std::vector<std::uint32_t> names(inodes.size());
  for (std::size_t i = 0; i < inodes.size(); ++i) {
    if (!S_ISDIR(inodes[i].mode())) continue;
    VARVE_RETURN_IF_ERROR(order.Enter(i, inodes[i].first(), inodes[i].count()).In(fmt::format("directory {}", i)));
    names[i] = 2;
    VARVE_RETURN_IF_ERROR(CheckNames(index.entries(inodes[i]), pool).In(fmt::format("directory {}", i)));
    for (const auto& entry : index.entries(inodes[i])) {
      const auto within = [&](const Error& error) {
        return error.In(fmt::format("\"{}\" in directory {}", index.name(entry), i));
      };
      const Result<OwnInode> own = check_entry(entry, i);
      if (!own.ok()) return within(own.error());
      const OwnInode& target = *own;
      if (!target) continue;
      if (*target >= inodes.size()) return within(Broken("there is no inode {}", *target));
      const bool is_directory = S_ISDIR(inodes[*target].mode());
      ++names[is_directory ? i : *target];
      const Status visited = order.Visit(*target, is_directory);
      if (!visited.ok()) return within(visited.error());
    }
  }
  VARVE_RETURN_IF_ERROR(order.Finish());
  for (std::size_t i = 0; i < inodes.size(); ++i) {
    if (inodes[i].nlink() != names[i])
      return Broken("inode {}: nlink {}, but {} names", i, inodes[i].nlink(), names[i]);
  }
  return Ok();
}

}  // namespace varve
