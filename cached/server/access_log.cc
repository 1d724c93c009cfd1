#include "cached/server/access_log.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/core.h>

#include "cached/base/log.h"
#include "cached/server/v2/access.h"

namespace varve {
namespace {

constexpr std::size_t kShownBytesMax = 512;

// As between quotes in a log: nothing that ends the line or drives a terminal.
std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text.substr(0, kShownBytesMax)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f || c == '"' || c == '\\') {
      escaped += fmt::format("\\x{:02x}", byte);
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string LineOf(const HttpExchangeReport& report) {
  const HttpRequest& request = *report.request;
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  const std::string user = v2::ClaimedUser(request);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z {} {} \"{}\" \"{} {}\" {} {} {} {:.3f} \"{}\"\n",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)), (now - seconds).count(), request.id,
                     request.remote, Escaped(user), HttpMethodName(request.method), Escaped(request.path),
                     report.status, report.received_bytes, report.sent_bytes,
                     std::chrono::duration<double, std::milli>(report.duration).count(),
                     Escaped(request.fields.Find("User-Agent").value_or("")));
}

}  // namespace

Result<std::unique_ptr<AccessLog>> AccessLog::Open(const std::string& path, Clock& clock) {
  std::unique_ptr<AccessLog> log(new AccessLog(path, clock));
  VARVE_RETURN_IF_ERROR(log->Reopen());
  return log;
}

Status AccessLog::Reopen() {
  UniqueFd file(::open(watched_.path().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!file.valid()) return ErrnoError(errno, watched_.path());
  auto shared = std::make_shared<const UniqueFd>(std::move(file));
  const MutexLock lock(mutex_);
  file_ = std::move(shared);
  return Ok();
}

void AccessLog::Add(const HttpExchangeReport& report) {
  if (watched_.WasReplaced()) {
    const Status reopened = Reopen();
    if (!reopened.ok()) {
      watched_.LookAgain();
      LogError("access log: {}", reopened.error().message());
    }
  }
  std::shared_ptr<const UniqueFd> file;
  {
    const MutexLock lock(mutex_);
    file = file_;
  }
  const std::string line = LineOf(report);
  // One write, so that lines do not mix. A full disk costs lines, never answers.
  [[maybe_unused]] const auto written = ::write(file->get(), line.data(), line.size());
}

}  // namespace varve
