#include "cli/runtime/container_log.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <memory>
#include <vector>

#include "cached/base/fs.h"
#include "cli/runtime/life.h"
#include "cli/runtime/time_text.h"

namespace varve {
namespace {

constexpr std::size_t kReadBytes = 1 << 16;
constexpr std::size_t kLineBytesMax = 1 << 20;  // conmon cuts at far less

// Takes the first word off `text`.
std::string_view TakeWord(std::string_view& text) {
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(word.size() + 1, text.size()));
  return word;
}

// A log as it grows, through the files that follow each other under its name.
class GrowingLog {
 public:
  explicit GrowingLog(std::string path) : path_(std::move(path)) {}

  // Calls `use` for each line that is complete by now.
  Status ReadOn(const std::function<Status(std::string_view)>& use) {
    if (file_ == nullptr) VARVE_RETURN_IF_ERROR(Reopen());
    for (;;) {
      VARVE_RETURN_IF_ERROR(ReadToEnd(use));
      struct stat now{}, ours{};
      if (::stat(path_.c_str(), &now) != 0 || ::fstat(file_->fd(), &ours) != 0 || now.st_ino == ours.st_ino)
        return Ok();
      VARVE_RETURN_IF_ERROR(ReadToEnd(use));  // what was written before the new one took its name
      VARVE_RETURN_IF_ERROR(Reopen());
    }
  }

 private:
  Status Reopen() {
    VARVE_ASSIGN_OR_RETURN(file_, Fs::Real().Open(path_, OpenMode::kRead));
    offset_ = 0;
    rest_.clear();
    return Ok();
  }

  Status ReadToEnd(const std::function<Status(std::string_view)>& use) {
    std::vector<std::byte> buffer(kReadBytes);
    for (;;) {
      VARVE_ASSIGN_OR_RETURN(const std::size_t n, file_->ReadAt(offset_, buffer));
      if (n == 0) return Ok();
      offset_ += n;
      rest_ += AsText(std::span(buffer).first(n));
      std::size_t begin = 0;
      for (std::size_t end = 0; (end = rest_.find('\n', begin)) != std::string::npos; begin = end + 1)
        VARVE_RETURN_IF_ERROR(use(std::string_view(rest_).substr(begin, end - begin)));
      rest_.erase(0, begin);
      if (rest_.size() > kLineBytesMax) return Error(Code::kDataLoss, path_ + ": is not a log of conmon");
    }
  }

  std::string path_;
  std::unique_ptr<File> file_;
  std::uint64_t offset_ = 0;
  std::string rest_;
};

class Printer {
 public:
  Printer(const LogOptions& options, const std::function<Status(int, std::string_view)>& print)
      : options_(options), print_(print) {}

  Status Take(std::string_view line) {
    const std::optional<LogEntry> entry = ParseLogLine(line);
    if (!entry) return Ok();
    if (options_.since || options_.until) {
      const auto time = ParseTime(std::string(entry->time));
      if (time.ok() && options_.since && *time < *options_.since) return Ok();
      if (time.ok() && options_.until && *time > *options_.until) return Ok();
    }
    std::string text;
    if (options_.times == Times::kShown && !in_line_) text = fmt::format("{} ", entry->time);
    in_line_ = !entry->whole;
    text += entry->text;
    if (entry->whole) text += '\n';
    const int fd = entry->stream == "stderr" ? STDERR_FILENO : STDOUT_FILENO;
    if (!holds_back_) return print_(fd, text);
    if (begins_line_) held_.emplace_back();
    begins_line_ = entry->whole;
    held_.back().emplace_back(fd, std::move(text));
    if (held_.size() > options_.tail_lines.value_or(0)) held_.pop_front();
    if (held_.empty()) held_.emplace_back();  // of a tail of nothing: the line that is being dropped
    return Ok();
  }

  // From now on what is taken is printed at once.
  Status EndOfTail() {
    holds_back_ = false;
    if (options_.tail_lines == 0) held_.clear();
    for (const auto& line : held_) {
      for (const auto& [fd, text] : line) VARVE_RETURN_IF_ERROR(print_(fd, text));
    }
    held_.clear();
    return Ok();
  }

 private:
  const LogOptions& options_;
  const std::function<Status(int, std::string_view)>& print_;
  bool holds_back_ = options_.tail_lines.has_value();
  bool in_line_ = false;
  bool begins_line_ = true;
  std::deque<std::vector<std::pair<int, std::string>>> held_;
};

}  // namespace

std::optional<LogEntry> ParseLogLine(std::string_view line) {
  LogEntry entry;
  entry.time = TakeWord(line);
  entry.stream = TakeWord(line);
  const std::string_view part = TakeWord(line);
  if ((entry.stream != "stdout" && entry.stream != "stderr") || (part != "F" && part != "P")) return std::nullopt;
  entry.whole = part == "F";
  entry.text = line;
  return entry;
}

Status ReadContainerLog(const ContainerRoom& room, const std::string& id, const LogOptions& options,
                        const std::function<Status(int, std::string_view)>& print) {
  VARVE_ASSIGN_OR_RETURN(EndWatch watch, EndWatch::Open(room, id, EndWatch::WakeOn::kOutputOrEnd));
  VARVE_ASSIGN_OR_RETURN(Container container, watch.Look());
  const std::string path = room.LogOf(id);
  if (::access(path.c_str(), F_OK) != 0) {
    if (container.state.started.empty()) return Ok();
    return Error(Code::kFailedPrecondition,
                 fmt::format("container {} is run with --rm in the foreground: what it says goes "
                             "there, and no log of it is kept",
                             container.record.name));
  }
  GrowingLog log(path);
  Printer printer(options, print);
  const auto take = [&](std::string_view line) { return printer.Take(line); };
  VARVE_RETURN_IF_ERROR(log.ReadOn(take));
  VARVE_RETURN_IF_ERROR(printer.EndOfTail());
  EndWatch::Deadline deadline;
  if (options.until) deadline = std::chrono::steady_clock::now() + (*options.until - std::chrono::system_clock::now());
  while (options.follow == Follow::kUntilItEnds) {
    VARVE_ASSIGN_OR_RETURN(container, watch.Look());
    VARVE_RETURN_IF_ERROR(log.ReadOn(take));  // after the look: what it said before its end is read
    if (!container.state.live() || (deadline && std::chrono::steady_clock::now() >= *deadline)) return Ok();
    VARVE_RETURN_IF_ERROR(watch.AwaitChange(container, deadline));
  }
  return Ok();
}

}  // namespace varve
