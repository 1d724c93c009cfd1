#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace varve {

// Columns as docker prints them: padded to the widest, seven characters at least, three spaces between, the header
// first.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
  void Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string ToString() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// "3 weeks", "About a minute", as docker says it.
std::string DurationText(std::chrono::seconds duration);
// The same of the time since an RFC 3339 time; "N/A" if it does not parse.
std::string SinceText(const std::string& rfc3339);
// "3 weeks ago", as docker says it, of an RFC 3339 time; "N/A" if it does not parse.
std::string AgoOf(const std::string& rfc3339);

// "1.5MiB", "640B": four digits and powers of 1024, or three and powers of 1000, as docker's stats has them.
std::string BinarySize(std::uint64_t bytes);
std::string DecimalSize(std::uint64_t bytes);

// Text that may be somebody else's, for a terminal: control characters, which it might obey, become blanks, but for the
// ends of lines.
std::string Harmless(std::string text);

// Text of an image's for a cell of a table: control characters become blanks, and of more than `most` characters the
// last is "…".
std::string CellOf(std::string_view text, std::size_t most);

// "key=value,other=", as docker's listings have labels.
std::string LabelsText(const std::map<std::string, std::string>& labels);

// The first 12 hex digits of "sha256:…".
std::string ShortId(const std::string& digest);

}  // namespace varve
