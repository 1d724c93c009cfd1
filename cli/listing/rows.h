#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cached/base/result.h"

namespace varve {

inline constexpr const char* kFormatHelp = "json, table, or a template, maybe after \"table \"";
inline constexpr const char* kDocumentsFormatHelp = "a template for each, or json: all in one line";

// What stands over a field of a row in a table.
struct Heading {
  std::string_view field;
  std::string_view text;
};

// What a command that lists things prints: `rows` (a JSON object each, with a field for each of `headings`) as `format`
// says, which is what docker takes: "json" (an object a line), a template (cli/listing/template.h; a line a row),
// "table TEMPLATE" (columns between tabs, with headings), or nothing or "table" for `usual`, a template of that last
// kind. "\t" and "\n" may be written out. Cells of a table have no control characters, which a terminal might obey. A
// field "Label" is for templates only: docker's {{.Label "name"}}.
Result<std::string> FormatRows(std::string_view format, std::string_view usual, const std::vector<Heading>& headings,
                               const std::vector<std::string>& rows);

// What `inspect` prints: `objects` (JSON) in an indented array, as "json" in one line, or each by a template.
Result<std::string> FormatDocuments(std::string_view format, const std::vector<std::string>& objects);

}  // namespace varve
