#include "cli/listing/print.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "cached/base/check.h"

namespace varve {
namespace {

constexpr std::size_t kBetween = 3;
constexpr std::size_t kWidthLeast = 7;  // docker's columns take ten with what is between

// Characters of UTF-8, as if each took one column.
std::size_t WidthOf(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace

std::string Table::ToString() const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()), kWidthLeast);
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], WidthOf(row[i]));
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += i + 1 < row.size() ? row[i] + std::string(widths[i] - WidthOf(row[i]) + kBetween, ' ') : row[i];
    text += line + "\n";
  }
  return text;
}

// docker's units.HumanDuration.
std::string DurationText(std::chrono::seconds duration) {
  struct Unit {
    std::int64_t below;  // this many of it
    std::int64_t seconds;
    const char* name;
  };
  constexpr std::int64_t kDay = 86400;
  constexpr std::array<Unit, 7> kUnits = {Unit{60, 1, "second"},
                                          {60, 60, "minute"},
                                          {48, 3600, "hour"},
                                          {14, kDay, "day"},
                                          {9, 7 * kDay, "week"},
                                          {24, 30 * kDay, "month"},
                                          {INT64_MAX, 365 * kDay, "year"}};
  const std::int64_t seconds = std::max<std::int64_t>(duration.count(), 0);
  if (seconds < 1) return "Less than a second";
  if (seconds >= 60 && seconds < 120) return "About a minute";
  if (seconds >= 3600 && seconds < 7200) return "About an hour";
  for (const Unit& unit : kUnits) {
    const std::int64_t count = seconds / unit.seconds;
    if (count < unit.below) return fmt::format("{} {}{}", count, unit.name, count == 1 ? "" : "s");
  }
  VARVE_CHECK(false);  // the last unit has room for all
}

std::string SinceText(const std::string& rfc3339) {
  std::tm parts{};
  if (::strptime(rfc3339.c_str(), "%Y-%m-%dT%H:%M:%S", &parts) == nullptr) return "N/A";
  return DurationText(std::chrono::seconds(std::time(nullptr) - ::timegm(&parts)));
}

std::string AgoOf(const std::string& rfc3339) {
  const std::string since = SinceText(rfc3339);
  return since == "N/A" ? since : since + " ago";
}

std::string Harmless(std::string text) {
  std::ranges::replace_if(text, [](unsigned char c) { return (c < 0x20 && c != '\n') || c == 0x7f; }, ' ');
  return text;
}

namespace {

std::string ScaledSize(std::uint64_t bytes, double base, int digits, const std::array<const char*, 6>& units) {
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= base && unit + 1 < units.size(); ++unit) value /= base;
  return fmt::format("{:.{}g}{}", value, digits, units[unit]);
}

}  // namespace

std::string BinarySize(std::uint64_t bytes) {
  return ScaledSize(bytes, 1024, 4, {"B", "KiB", "MiB", "GiB", "TiB", "PiB"});
}

std::string DecimalSize(std::uint64_t bytes) { return ScaledSize(bytes, 1000, 3, {"B", "kB", "MB", "GB", "TB", "PB"}); }

std::string CellOf(std::string_view text, std::size_t most) {
  std::string cell;
  std::size_t last = 0;  // where the last character begins that may stay before "…"
  std::size_t characters = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xc0) != 0x80) {  // not inside of a character of UTF-8
      if (++characters == most) last = cell.size();
      if (characters > most) return cell.substr(0, last) + "…";
    }
    cell += byte < 0x20 || byte == 0x7f ? ' ' : c;
  }
  return cell;
}

std::string LabelsText(const std::map<std::string, std::string>& labels) {
  std::string text;
  for (const auto& [key, value] : labels) text += fmt::format("{}{}={}", text.empty() ? "" : ",", key, value);
  return text;
}

std::string ShortId(const std::string& digest) {
  const std::size_t colon = digest.find(':');
  return digest.substr(colon == std::string::npos ? 0 : colon + 1, 12);
}

}  // namespace varve
