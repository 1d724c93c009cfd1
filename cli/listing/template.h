#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cached/base/result.h"

namespace varve {

struct TemplateNode;

// What `--format` takes: Go's text/template as docker's users know it, over a JSON value.
//
// There are text, {{- trimming -}}, comments, fields (.A.B), variables ($, $x := …), literals, parentheses, pipes, if,
// else if, with, range, and the functions and or not eq ne lt le gt ge, index len slice, print printf println, and
// docker's own: json join lower pad split title truncate upper. There are no define, template, block, break and
// continue, and a map has no methods but for `.Label "x"`, which is the entry x of the map Label.
//
// A field that the value itself has not is an error, which catches a slip of the pen; one further down, which may
// depend on the image, is Go's "<no value>" in text, and false in a condition. Numbers, lists and maps look as Go
// prints them: [a b], map[k:v].
//
// Immutable, and safe to use from many threads.
class Template {
 public:
  // What the functions of docker that shape a value do: in the headers of a table they leave it alone.
  enum class Use { kValue, kHeader };

  // kInvalidArgument if `text` is not a template, with the place in it. At most 64 KiB, nested at most 64 deep.
  static Result<Template> Parse(std::string_view text);

  // `json` is the value of "." and "$". kInvalidArgument if a function or a field does not suit it.
  Result<std::string> Execute(std::string_view json, Use use = Use::kValue) const;

 private:
  explicit Template(std::vector<TemplateNode> nodes);

  std::shared_ptr<const std::vector<TemplateNode>> nodes_;
};

}  // namespace varve
