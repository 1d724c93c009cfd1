#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cached/base/result.h"
#include "cli/runtime/room.h"

namespace varve {

// One entry of a container's log, which conmon writes in the form of Kubernetes:
//
//   2026-11-24T11:12:19.616516248+00:00 stdout F hello        F: the whole line, or its last part
//   2026-11-24T11:12:19.616601085+00:00 stderr P a part of    P: without the newline
struct LogEntry {
  std::string_view time;
  std::string_view stream;
  std::string_view text;
  bool whole = true;
};
// Nothing for what is not of that form.
std::optional<LogEntry> ParseLogLine(std::string_view line);

enum class Follow { kNo, kUntilItEnds };
enum class Times { kHidden, kShown };
struct LogOptions {
  Follow follow = Follow::kNo;
  Times times = Times::kHidden;
  std::optional<std::size_t> tail_lines;  // the last ones alone
  std::optional<std::chrono::system_clock::time_point> since;
  std::optional<std::chrono::system_clock::time_point> until = {};
};

// Gives what a container has said to `print`, in order: the descriptor that it was said on, and a line or a part of
// one. With kUntilItEnds it goes on until the container ends, or until `until`. What conmon has thrown away (conmon.h)
// is missing. kFailedPrecondition if it has no log, since it is run by RunAsChild (container.h).
Status ReadContainerLog(const ContainerRoom& room, const std::string& id, const LogOptions& options,
                        const std::function<Status(int, std::string_view)>& print);

}  // namespace varve
