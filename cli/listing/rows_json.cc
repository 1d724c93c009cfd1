#include <limits>
#include <nlohmann/json.hpp>

#include "cli/listing/print.h"
#include "cli/listing/rows.h"
#include "cli/listing/template.h"

namespace varve {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kTable = "table";

std::string Text(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string WithTabs(std::string_view format) {
  std::string text;
  for (std::size_t i = 0; i < format.size(); ++i) {
    const std::string_view two = format.substr(i, 2);
    if (two == "\\t" || two == "\\n") {
      text += two == "\\t" ? '\t' : '\n';
      ++i;
    } else {
      text += format[i];
    }
  }
  return text;
}

std::vector<std::string> CellsOf(const std::string& line) {
  std::vector<std::string> cells;
  std::size_t begin = 0;
  while (true) {
    const std::size_t end = line.find('\t', begin);
    cells.push_back(line.substr(begin, end - begin));
    if (end == std::string::npos) return cells;
    begin = end + 1;
  }
}

// The same row without control characters, which would break lines and columns, and which a terminal might obey.
Json Printable(const Json& value) {
  if (value.is_string()) return CellOf(value.get_ref<const std::string&>(), std::numeric_limits<std::size_t>::max());
  Json printable = value;
  if (value.is_structured()) {
    for (Json& item : printable) item = Printable(item);
  }
  return printable;
}

Result<std::string> TableOf(std::string_view format, const std::vector<Heading>& headings,
                            const std::vector<std::string>& rows) {
  VARVE_ASSIGN_OR_RETURN(const Template line, Template::Parse(WithTabs(format)));
  Json over;
  for (const Heading& heading : headings) over[std::string(heading.field)] = heading.text;
  VARVE_ASSIGN_OR_RETURN(const std::string header, line.Execute(over.dump(), Template::Use::kHeader));
  Table table(CellsOf(header));
  for (const std::string& row : rows) {
    const Json printable = Printable(Json::parse(row, nullptr, false));
    VARVE_ASSIGN_OR_RETURN(const std::string text, line.Execute(Text(printable)));
    table.Add(CellsOf(text));
  }
  return table.ToString();
}

Result<std::string> LinesOf(std::string_view format, const std::vector<std::string>& values) {
  VARVE_ASSIGN_OR_RETURN(const Template line, Template::Parse(WithTabs(format)));
  std::string text;
  for (const std::string& value : values) {
    VARVE_ASSIGN_OR_RETURN(const std::string one, line.Execute(value));
    text += one + "\n";
  }
  return text;
}

std::string WithoutLabel(const std::string& row) {
  Json json = Json::parse(row, nullptr, false);
  json.erase("Label");
  return Text(json);
}

}  // namespace

Result<std::string> FormatRows(std::string_view format, std::string_view usual, const std::vector<Heading>& headings,
                               const std::vector<std::string>& rows) {
  if (format.empty() || format == kTable) return TableOf(usual, headings, rows);
  if (format.starts_with(kTable) && format[kTable.size()] == ' ')
    return TableOf(format.substr(kTable.size() + 1), headings, rows);
  if (format == "json") {
    std::string text;
    for (const std::string& row : rows) text += WithoutLabel(row) + "\n";
    return text;
  }
  return LinesOf(format, rows);
}

Result<std::string> FormatDocuments(std::string_view format, const std::vector<std::string>& objects) {
  constexpr int kIndent = 4;
  if (format.empty() || format == "json") {
    Json array = Json::array();
    for (const std::string& object : objects) array.push_back(Json::parse(object, nullptr, false));
    return (format.empty() ? array.dump(kIndent, ' ', false, Json::error_handler_t::replace) : Text(array)) + "\n";
  }
  return LinesOf(format, objects);
}

}  // namespace varve
