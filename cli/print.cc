#include "cli/print.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <ctime>

namespace varve {

std::string Table::ToString() const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += i + 1 < row.size() ? fmt::format("{:<{}}   ", row[i], widths[i]) : row[i];
    text += line + "\n";
  }
  return text;
}

std::string AgoOf(const std::string& rfc3339) {
  std::tm parts{};
  const char* rest = ::strptime(rfc3339.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr) return "N/A";
  const double seconds = std::difftime(std::time(nullptr), ::timegm(&parts));
  struct Unit {
    double seconds;
    const char* name;
  };
  constexpr std::array<Unit, 7> kUnits = {Unit{31536000, "year"}, {2592000, "month"}, {604800, "week"}, {86400, "day"},
                                          {3600, "hour"},         {60, "minute"},     {1, "second"}};
  for (const Unit& unit : kUnits) {
    const auto count = static_cast<std::int64_t>(seconds / unit.seconds);
    // docker says "14 days" and "8 weeks" where one of the larger unit would be coarse.
    if (count >= (unit.seconds > 60 ? 2 : 1) || unit.seconds == 1)
      return fmt::format("{} {}{} ago", std::max<std::int64_t>(count, 0), unit.name, count == 1 ? "" : "s");
  }
  return "N/A";
}

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

std::string ShortId(const std::string& digest) {
  const std::size_t colon = digest.find(':');
  return digest.substr(colon == std::string::npos ? 0 : colon + 1, 12);
}

}  // namespace varve
