#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "cached/base/check.h"
#include "cli/listing/template.h"
#include "cli/listing/template_nodes.h"

// Executes templates. Values are JSON; a field that is not there is the discarded value of nlohmann's, which prints as
// "<no value>" and is false.

namespace varve {
namespace {

using Json = nlohmann::ordered_json;
using Values = std::vector<Json>;

Error Wrong(const std::string& what) { return Error(Code::kInvalidArgument, "template: " + what); }

Json Missing() { return Json(Json::value_t::discarded); }

bool IsTrue(const Json& value) {
  if (value.is_discarded() || value.is_null()) return false;
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number()) return value.get<double>() != 0;
  if (value.is_string()) return !value.get_ref<const std::string&>().empty();
  return !value.empty();
}

std::vector<std::string> SortedKeys(const Json& map) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : map.items()) keys.push_back(key);
  std::ranges::sort(keys);
  return keys;
}

// As Go's %v.
std::string TextOf(const Json& value) {
  if (value.is_discarded()) return "<no value>";
  if (value.is_null()) return "<nil>";
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float() && std::trunc(value.get<double>()) != value.get<double>()) return value.dump();
  if (value.is_number_float()) {
    std::array<char, 32> text;
    return {text.data(), static_cast<std::size_t>(std::snprintf(text.data(), text.size(), "%g", value.get<double>()))};
  }
  if (!value.is_structured()) return value.dump();
  std::string text = value.is_array() ? "[" : "map[";
  auto add = [&, first = true](const std::string& item) mutable {
    text += (std::exchange(first, false) ? "" : " ") + item;
  };
  if (value.is_array()) {
    for (const Json& item : value) add(TextOf(item));
  } else {
    for (const std::string& key : SortedKeys(value)) add(key + ":" + TextOf(value.at(key)));
  }
  return text + "]";
}

std::string JsonText(const Json& value) {
  return value.is_discarded() ? "null" : value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<std::string> String(const Json& value) {
  if (!value.is_string()) return Wrong("'" + TextOf(value) + "' is not a string");
  return value.get<std::string>();
}

Result<std::int64_t> Integer(const Json& value) {
  if (!value.is_number_integer()) return Wrong("'" + TextOf(value) + "' is not an integer");
  return value.get<std::int64_t>();
}

Result<Json> Len(const Values& values) {
  if (values[0].is_string()) return Json(values[0].get_ref<const std::string&>().size());
  if (values[0].is_structured()) return Json(values[0].size());
  if (!IsTrue(values[0])) return Json(0);  // nothing, or nil
  return Wrong("len of " + TextOf(values[0]));
}

Result<Json> Index(const Values& values) {
  Json value = values[0];
  for (const Json& key : std::span(values).subspan(1)) {
    if (value.is_object()) {
      VARVE_ASSIGN_OR_RETURN(const std::string name, String(key));
      value = value.contains(name) ? Json(value.at(name)) : Json("");  // the zero value of what docker's maps hold
    } else if (value.is_array()) {
      VARVE_ASSIGN_OR_RETURN(const std::int64_t at, Integer(key));
      if (at < 0 || static_cast<std::size_t>(at) >= value.size())
        return Wrong("index " + std::to_string(at) + " of a list of " + std::to_string(value.size()));
      value = Json(value.at(static_cast<std::size_t>(at)));
    } else if (value.is_null() || value.is_discarded()) {
      value = Json("");
    } else {
      return Wrong("index of '" + TextOf(value) + "', which is neither a map nor a list");
    }
  }
  return value;
}

Result<Json> Slice(const Values& values) {
  if (!values[0].is_string() && !values[0].is_array()) return Wrong("slice of " + TextOf(values[0]));
  const std::size_t size = values[0].is_string() ? values[0].get_ref<const std::string&>().size() : values[0].size();
  std::array<std::int64_t, 2> bounds = {0, static_cast<std::int64_t>(size)};
  for (std::size_t i = 0; i + 1 < values.size() && i < bounds.size(); ++i) {
    VARVE_ASSIGN_OR_RETURN(bounds[i], Integer(values[i + 1]));
  }
  const auto [begin, end] = bounds;
  if (begin < 0 || end < begin || end > static_cast<std::int64_t>(size)) return Wrong("slice out of range");
  const auto count = static_cast<std::size_t>(end - begin);
  if (values[0].is_string()) return Json(values[0].get<std::string>().substr(static_cast<std::size_t>(begin), count));
  return Json(Values(values[0].begin() + begin, values[0].begin() + end));
}

Result<std::strong_ordering> Compare(const Json& left, const Json& right) {
  if (left.is_number() && right.is_number()) {
    const auto order = left.get<double>() <=> right.get<double>();
    return order < 0   ? std::strong_ordering::less
           : order > 0 ? std::strong_ordering::greater
                       : std::strong_ordering::equal;
  }
  if (left.is_string() && right.is_string())
    return left.get_ref<const std::string&>() <=> right.get_ref<const std::string&>();
  return Wrong("'" + TextOf(left) + "' and '" + TextOf(right) + "' cannot be compared");
}

template <class Holds>
Result<Json> Ordered(const Values& values, Holds holds) {
  VARVE_ASSIGN_OR_RETURN(const std::strong_ordering order, Compare(values[0], values[1]));
  return Json(holds(order));
}

Result<Json> Equal(const Values& values) {
  return Json(std::any_of(values.begin() + 1, values.end(), [&](const Json& other) { return values[0] == other; }));
}

Result<Json> Split(const Values& values) {
  VARVE_ASSIGN_OR_RETURN(const std::string text, String(values[0]));
  VARVE_ASSIGN_OR_RETURN(const std::string by, String(values[1]));
  if (by.empty()) return Wrong("split by nothing");
  Json parts = Json::array();
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = text.find(by, begin)) != std::string::npos; begin = end + by.size())
    parts.push_back(text.substr(begin, end - begin));
  parts.push_back(text.substr(begin));
  return parts;
}

Result<Json> Join(const Values& values) {
  VARVE_ASSIGN_OR_RETURN(const std::string by, String(values[1]));
  if (!values[0].is_array() && IsTrue(values[0]))
    return Wrong("join of '" + TextOf(values[0]) + "', which is not a list");
  std::string text;
  if (values[0].is_array()) {
    for (const Json& item : values[0]) text += (text.empty() && &item == &values[0].front() ? "" : by) + TextOf(item);
  }
  return Json(std::move(text));
}

template <class Change>
Result<Json> Characters(const Values& values, Change change) {
  VARVE_ASSIGN_OR_RETURN(std::string text, String(values[0]));
  bool first = true;  // of a word
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    c = static_cast<char>(change(byte, first));
    first = std::isspace(byte) != 0;
  }
  return Json(std::move(text));
}

constexpr std::int64_t kWidthMax = 1000;
constexpr int kWidthDigitsMax = 3;  // width and precision of a verb together

Result<Json> Pad(const Values& values) {
  VARVE_ASSIGN_OR_RETURN(const std::string text, String(values[0]));
  VARVE_ASSIGN_OR_RETURN(const std::int64_t before, Integer(values[1]));
  VARVE_ASSIGN_OR_RETURN(const std::int64_t after, Integer(values[2]));
  if (std::min(before, after) < 0 || std::max(before, after) > kWidthMax) return Wrong("pad by more than 1000");
  return Json(text.empty() ? text
                           : std::string(static_cast<std::size_t>(before), ' ') + text +
                                 std::string(static_cast<std::size_t>(after), ' '));
}

Result<Json> Truncate(const Values& values) {
  VARVE_ASSIGN_OR_RETURN(const std::string text, String(values[0]));
  VARVE_ASSIGN_OR_RETURN(const std::int64_t most, Integer(values[1]));
  return Json(text.substr(0, static_cast<std::size_t>(std::max<std::int64_t>(most, 0))));
}

std::string Spaced(const Values& values) {
  std::string text;
  for (const Json& value : values) text += (&value == values.data() ? "" : " ") + TextOf(value);
  return text;
}

// Go puts a blank between two operands of print of which neither is a string.
Result<Json> Print(const Values& values) {
  std::string text;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0 && !values[i].is_string() && !values[i - 1].is_string()) text += " ";
    text += TextOf(values[i]);
  }
  return Json(std::move(text));
}

// `flags` is what stands between "%" and the verb.
Result<std::string> Verb(char verb, const std::string& flags, const Json& value) {
  std::array<char, kWidthMax + 400> text{};
  const auto print = [&](const std::string& type, auto argument) {
    const int size = std::snprintf(text.data(), text.size(), ("%" + flags + type).c_str(), argument);
    return std::string(text.data(), static_cast<std::size_t>(std::clamp(size, 0, static_cast<int>(text.size()) - 1)));
  };
  if (verb == 'd' || verb == 'x' || verb == 'X' || verb == 'o') {
    VARVE_ASSIGN_OR_RETURN(const std::int64_t number, Integer(value));
    return print(std::string("ll") + verb, static_cast<long long>(number));
  }
  if (verb == 'f' || verb == 'e' || verb == 'g') {
    if (!value.is_number()) return Wrong("%" + std::string(1, verb) + " of '" + TextOf(value) + "'");
    return print(std::string(1, verb), value.get<double>());
  }
  if (verb != 's' && verb != 'v' && verb != 'q' && verb != 't') return Wrong("printf has no %" + std::string(1, verb));
  const std::string shown = verb == 'q' ? JsonText(Json(TextOf(value))) : TextOf(value);
  return flags.empty() || shown.size() > kWidthMax ? shown : print("s", shown.c_str());
}

Result<Json> Printf(const Values& values) {
  VARVE_ASSIGN_OR_RETURN(const std::string format, String(values[0]));
  std::string text;
  std::size_t next = 1;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      text += format[i];
      continue;
    }
    const std::size_t end = format.find_first_not_of("-+ #0123456789.", i + 1);
    if (end == std::string::npos) return Wrong("printf: no verb after %");
    const std::string flags = format.substr(i + 1, end - i - 1);
    i = end;
    if (format[end] == '%') {
      text += '%';
      continue;
    }
    if (std::ranges::count_if(flags, [](unsigned char c) { return std::isdigit(c) != 0; }) > kWidthDigitsMax)
      return Wrong("printf: %" + flags + " is too wide");
    if (next == values.size()) return Wrong("printf: a value is missing for %" + std::string(1, format[end]));
    VARVE_ASSIGN_OR_RETURN(const std::string shown, Verb(format[end], flags, values[next++]));
    text += shown;
  }
  if (next < values.size()) return Wrong("printf: more values than verbs");
  return Json(std::move(text));
}

struct Function {
  std::string_view name;
  std::size_t least, most;  // arguments
  Result<Json> (*call)(const Values&);
  bool shapes = false;  // what a header is not given to
};

constexpr std::size_t kMany = 64;

const std::array kFunctions = {
    Function{"eq", 2, kMany, Equal},
    Function{"ge", 2, 2, [](const Values& v) { return Ordered(v, [](auto order) { return order >= 0; }); }},
    Function{"gt", 2, 2, [](const Values& v) { return Ordered(v, [](auto order) { return order > 0; }); }},
    Function{"index", 1, kMany, Index},
    Function{"join", 2, 2, Join, true},
    Function{"json", 1, 1, [](const Values& v) -> Result<Json> { return Json(JsonText(v[0])); }, true},
    Function{"le", 2, 2, [](const Values& v) { return Ordered(v, [](auto order) { return order <= 0; }); }},
    Function{"len", 1, 1, Len},
    Function{"lower", 1, 1, [](const Values& v) { return Characters(v, [](int c, bool) { return std::tolower(c); }); },
             true},
    Function{"lt", 2, 2, [](const Values& v) { return Ordered(v, [](auto order) { return order < 0; }); }},
    Function{"ne", 2, 2, [](const Values& v) -> Result<Json> { return Json(v[0] != v[1]); }},
    Function{"not", 1, 1, [](const Values& v) -> Result<Json> { return Json(!IsTrue(v[0])); }},
    Function{"pad", 3, 3, Pad},
    Function{"print", 0, kMany, Print},
    Function{"printf", 1, kMany, Printf},
    Function{"println", 0, kMany, [](const Values& v) -> Result<Json> { return Json(Spaced(v) + "\n"); }},
    Function{"slice", 1, 3, Slice},
    Function{"split", 2, 2, Split, true},
    Function{
        "title", 1, 1,
        [](const Values& v) { return Characters(v, [](int c, bool first) { return first ? std::toupper(c) : c; }); },
        true},
    Function{"truncate", 2, 2, Truncate, true},
    Function{"upper", 1, 1, [](const Values& v) { return Characters(v, [](int c, bool) { return std::toupper(c); }); },
             true},
};

class Execution {
 public:
  Execution(const Json& root, Template::Use use) : root_(root), use_(use) { variables_.emplace_back("", root); }

  Status Run(const std::vector<TemplateNode>& nodes, const Json& dot) {
    const std::size_t scope = variables_.size();
    for (const TemplateNode& node : nodes) VARVE_RETURN_IF_ERROR(Run(node, dot));
    variables_.resize(scope);
    return Ok();
  }

  std::string TakeOutput() { return std::move(output_); }

 private:
  Status Run(const TemplateNode& node, const Json& dot) {
    using Kind = TemplateNode::Kind;
    if (node.kind == Kind::kText) {
      output_ += node.text;
      return Ok();
    }
    const std::size_t scope = variables_.size();
    VARVE_ASSIGN_OR_RETURN(const Json value, Value(node.pipeline, dot));
    if (node.kind == Kind::kPipeline) {
      VARVE_RETURN_IF_ERROR(Bind(node.pipeline, {value}));
      if (node.pipeline.variables.empty()) output_ += TextOf(value);
      return Ok();
    }
    if (node.kind == Kind::kRange) return Range(node, value, dot);
    VARVE_RETURN_IF_ERROR(Bind(node.pipeline, {value}));
    const Status status =
        IsTrue(value) ? Run(node.body, node.kind == Kind::kWith ? value : dot) : Run(node.otherwise, dot);
    variables_.resize(scope);
    return status;
  }

  Status Range(const TemplateNode& node, const Json& values, const Json& dot) {
    if (!values.is_structured() && IsTrue(values)) return Wrong("range over '" + TextOf(values) + "'");
    if (!values.is_structured() || values.empty()) return Run(node.otherwise, dot);
    const auto each = [&](const Json& key, const Json& value) -> Status {
      const std::size_t scope = variables_.size();
      VARVE_RETURN_IF_ERROR(node.pipeline.variables.size() == 2 ? Bind(node.pipeline, {key, value})
                                                                : Bind(node.pipeline, {value}));
      const Status status = Run(node.body, value);
      if (node.pipeline.use == TemplatePipeline::Variables::kDeclared) variables_.resize(scope);
      return status;
    };
    if (values.is_array()) {
      for (std::size_t i = 0; i < values.size(); ++i) VARVE_RETURN_IF_ERROR(each(Json(i), values.at(i)));
    } else {
      for (const std::string& key : SortedKeys(values)) VARVE_RETURN_IF_ERROR(each(Json(key), values.at(key)));
    }
    return Ok();
  }

  Status Bind(const TemplatePipeline& pipeline, const Values& values) {
    for (std::size_t i = 0; i < pipeline.variables.size(); ++i) {
      if (pipeline.use == TemplatePipeline::Variables::kDeclared) {
        variables_.emplace_back(pipeline.variables[i], values[i]);
        continue;
      }
      VARVE_ASSIGN_OR_RETURN(Json* const variable, Variable(pipeline.variables[i]));
      *variable = values[i];
    }
    return Ok();
  }

  Result<Json*> Variable(const std::string& name) {
    const auto found =
        std::find_if(variables_.rbegin(), variables_.rend(), [&](const auto& v) { return v.first == name; });
    if (found == variables_.rend()) return Wrong("undefined variable $" + name);
    return &found->second;
  }

  Result<Json> Value(const TemplatePipeline& pipeline, const Json& dot) {
    std::optional<Json> value;
    for (const TemplateCommand& command : pipeline.commands) {
      VARVE_ASSIGN_OR_RETURN(value, Value(command, dot, std::move(value)));
    }
    VARVE_CHECK(value.has_value());  // no pipeline is parsed that has no command
    return *std::move(value);
  }

  // `last` is what the command before gave.
  Result<Json> Value(const TemplateCommand& command, const Json& dot, std::optional<Json> last) {
    const TemplateOperand& first = command.front();
    if (first.kind == TemplateOperand::Kind::kFunction) return Call(command, dot, std::move(last));
    VARVE_ASSIGN_OR_RETURN(const Json value, Value(first, dot));
    if (command.size() == 1 && !last) return value;
    if (command.size() != 2 || last || !value.is_object())
      return Wrong("a value is given arguments, but is not a function");
    VARVE_ASSIGN_OR_RETURN(const Json key, Value(command[1], dot));
    return Index({value, key});
  }

  Result<Json> Call(const TemplateCommand& command, const Json& dot, std::optional<Json> last) {
    const std::string& name = command.front().name;
    if (name == "and" || name == "or") return Decide(command, dot, std::move(last));
    const auto function = std::ranges::find(kFunctions, name, &Function::name);
    if (function == kFunctions.end()) return Wrong("function \"" + name + "\" not defined");
    Values arguments;
    for (std::size_t i = 1; i < command.size(); ++i) {
      VARVE_ASSIGN_OR_RETURN(Json argument, Value(command[i], dot));
      arguments.push_back(std::move(argument));
    }
    if (last) arguments.push_back(std::move(*last));
    if (arguments.size() < function->least || arguments.size() > function->most)
      return Wrong("wrong number of arguments for " + name + ": " + std::to_string(arguments.size()));
    if (function->shapes && use_ == Template::Use::kHeader) return arguments[0];
    return function->call(arguments);
  }

  // Only as many arguments as decide it are looked at.
  Result<Json> Decide(const TemplateCommand& command, const Json& dot, std::optional<Json> last) {
    const bool decisive = command.front().name == "or";
    std::optional<Json> value;
    for (std::size_t i = 1; i < command.size(); ++i) {
      VARVE_ASSIGN_OR_RETURN(value, Value(command[i], dot));
      if (IsTrue(*value) == decisive) return std::move(*value);
    }
    if (last) value = std::move(last);
    if (!value) return Wrong("wrong number of arguments for " + command.front().name + ": 0");
    return std::move(*value);
  }

  Result<Json> Value(const TemplateOperand& operand, const Json& dot) {
    using Kind = TemplateOperand::Kind;
    switch (operand.kind) {
      case Kind::kDot:
        return Fields(dot, operand.fields, &dot == &root_);
      case Kind::kVariable: {
        VARVE_ASSIGN_OR_RETURN(const Json* const variable, Variable(operand.name));
        return Fields(*variable, operand.fields, operand.name.empty());
      }
      case Kind::kPipeline: {
        VARVE_ASSIGN_OR_RETURN(const Json value, Value(operand.pipeline.front(), dot));
        return Fields(value, operand.fields, false);
      }
      case Kind::kFunction: {
        VARVE_ASSIGN_OR_RETURN(const Json value, Call({operand}, dot, std::nullopt));
        return Fields(value, operand.fields, false);
      }
      case Kind::kLiteral:
        break;
    }
    Json value;
    std::visit(
        [&]<class T>(const T& v) {
          if constexpr (!std::is_same_v<T, std::monostate>) value = v;
        },
        operand.literal);
    return value;
  }

  // `strict`: the first one must be there.
  static Result<Json> Fields(const Json& from, const std::vector<std::string>& fields, bool strict) {
    Json value = from;
    for (const std::string& field : fields) {
      const bool found = value.is_object() && value.contains(field);
      if (!found && strict) {
        std::string known;
        for (const std::string& key : value.is_object() ? SortedKeys(value) : std::vector<std::string>())
          known.append(known.empty() ? "" : ", ").append(key);
        return Wrong("there is no field ." + field + " (known: " + known + ")");
      }
      if (!found && !value.is_object() && IsTrue(value)) return Wrong("'" + TextOf(value) + "' has no field ." + field);
      value = found ? Json(value.at(field)) : Missing();
      strict = false;
    }
    return value;
  }

  const Json& root_;
  const Template::Use use_;
  std::vector<std::pair<std::string, Json>> variables_;  // innermost last; "$" has no name
  std::string output_;
};

}  // namespace

Result<std::string> Template::Execute(std::string_view json, Use use) const {
  const Json root = Json::parse(json, nullptr, false);
  if (root.is_discarded()) return Error(Code::kInternal, "template: what it is given is not JSON");
  Execution execution(root, use);
  VARVE_RETURN_IF_ERROR(execution.Run(*nodes_, root));
  return execution.TakeOutput();
}

}  // namespace varve
