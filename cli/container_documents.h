#pragma once

#include <map>
#include <string>

#include "cached/base/bytes.h"
#include "cached/base/result.h"
#include "cli/runtime/room.h"

namespace varve {

// As docker says it in ps: "Up 5 minutes", "Exited (0) About an hour ago", …
std::string StatusText(const Container& container);
// The command in quotes, at most so many characters of it.
std::string CommandText(const ContainerRecord& record, std::size_t most);

// A line of `stats`, as docker shows it.
struct StatsRow {
  std::string id;
  std::string name;
  std::string cpu;     // "0.50%"
  std::string memory;  // "1.5MiB / 7.6GiB"
  std::string memory_share;
  std::string network;  // "1.2kB / 0B": received and sent
  std::string block;    // read and written
  std::string processes;
};
std::string StatsRowJson(const StatsRow& row);

// What its image and `--label` have given it.
std::map<std::string, std::string> LabelsOf(const ContainerRecord& record);
// A row of `ps`, with `id`, `command` and `ports` as they are to be shown.
std::string ContainerRowJson(const Container& container, const std::string& id, const std::string& command,
                             const std::string& ports);
// docker's `container inspect`, one object. Of a container that runs, `pid` is its first process; else 0.
Result<std::string> InspectContainerJson(const ContainerRoom& room, const Container& container, pid_t pid);

}  // namespace varve
