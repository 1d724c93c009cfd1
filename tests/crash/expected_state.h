#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "cached/base/fd.h"

namespace varve {

// The image that a name stands for; none: there is no such name.
using NamedImage = std::optional<std::size_t>;

// What a process that works on a store wants and what it was told, a line each, so that who kills it knows what must be
// there. A line is whole or absent: it is one write. Thread-safe.
class ExpectedLog {
 public:
  explicit ExpectedLog(const std::string& path);  // appends

  void Begin(const std::string& name, NamedImage image);  // before the store is asked
  void Done(const std::string& name, NamedImage image);   // behind its acknowledgement
  void Slot(const std::string& key, std::uint32_t slot);  // given

 private:
  void Append(const std::string& line);
  const UniqueFd file_;
};

struct ExpectedState {
  std::map<std::string, std::set<NamedImage>> names;  // what each may stand for now
  std::map<std::string, std::uint32_t> slots;

  static ExpectedState Read(const std::string& path);
};

}  // namespace varve
