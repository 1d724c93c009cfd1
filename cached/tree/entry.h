#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace varve {

enum class EntryType : std::uint8_t { kFile, kHardLink, kSymlink, kCharDevice, kBlockDevice, kDirectory, kFifo };

// A run of a sparse file's bytes that is stored; what lies between runs reads as zeros.
struct Segment {
  std::uint64_t offset;
  std::uint64_t length;
};

// One entry of a layer's tar, whatever dialect it was written in. Strings are raw bytes: any encoding, nothing
// normalised.
struct Entry {
  EntryType type = EntryType::kFile;
  std::string path;
  std::string link_target;  // hard links and symlinks
  std::uint32_t mode = 0;   // permission bits, setuid, setgid and sticky
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t size_bytes = 0;  // logical: a sparse file's holes count
  std::int64_t mtime_seconds = 0;
  std::uint32_t mtime_nanoseconds = 0;
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  std::map<std::string, std::string> xattrs;
  std::vector<Segment> segments;  // sorted; empty unless sparse
  bool sparse = false;
};

}  // namespace varve
