#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace varve {

// What a template is after parsing (cli/listing/template.cc), before it is executed (cli/listing/template_json.cc).

struct TemplatePipeline;

// A word of a command, and the fields that are taken of it: ".A.B", "$x.A", "(index .A 0).B".
struct TemplateOperand {
  enum class Kind { kDot, kVariable, kLiteral, kFunction, kPipeline };
  using Literal = std::variant<std::monostate, bool, std::int64_t, double, std::string>;  // std::monostate: nil

  Kind kind = Kind::kDot;
  std::string name;  // of a variable, without "$", or of a function
  Literal literal;
  std::vector<TemplatePipeline> pipeline;  // one, in parentheses
  std::vector<std::string> fields;
};

// A function or a value, then what it is given.
using TemplateCommand = std::vector<TemplateOperand>;

// Each command gets the result of the one before as its last argument.
struct TemplatePipeline {
  enum class Variables { kNone, kDeclared, kAssigned };

  std::vector<TemplateCommand> commands;
  Variables use = Variables::kNone;
  std::vector<std::string> variables;  // that take the result; two only in a range: index, element
};

struct TemplateNode {
  enum class Kind { kText, kPipeline, kIf, kRange, kWith };

  Kind kind = Kind::kText;
  std::string text;
  TemplatePipeline pipeline;            // what is printed, tested or walked through
  std::vector<TemplateNode> body;       // of an if, range or with
  std::vector<TemplateNode> otherwise;  // its else; an else if is an if in there
};

}  // namespace varve
