#include "cli/listing/template.h"

#include <cctype>
#include <charconv>
#include <optional>
#include <utility>

#include "cli/listing/template_nodes.h"

namespace varve {
namespace {

constexpr std::size_t kTextBytesMax = 64 << 10;
constexpr int kDepthMax = 64;
constexpr std::string_view kOpen = "{{";
constexpr std::string_view kClose = "}}";
constexpr std::string_view kSpace = " \t\r\n";

bool IsNameStart(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool IsName(char c) { return IsNameStart(c) || std::isdigit(static_cast<unsigned char>(c)) != 0; }

// Recursive descent over text and actions. After an error nothing may be called any more.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<std::vector<TemplateNode>> All() {
    VARVE_ASSIGN_OR_RETURN(std::vector<TemplateNode> nodes, Nodes(0));
    if (!keyword_.empty()) return Wrong("unexpected {{" + keyword_ + "}}");
    return nodes;
  }

 private:
  Error Wrong(const std::string& what) const {
    return Error(Code::kInvalidArgument, "template: " + what + " at character " + std::to_string(at_ + 1));
  }

  // Up to the end, or up to {{else}} or {{end}}, which is then in keyword_, read up to what follows the word.
  Result<std::vector<TemplateNode>> Nodes(int depth) {
    if (depth > kDepthMax) return Wrong("nested more than " + std::to_string(kDepthMax) + " deep");
    std::vector<TemplateNode> nodes;
    keyword_.clear();
    while (at_ < text_.size()) {
      if (std::string text = Text(); !text.empty()) nodes.emplace_back().text = std::move(text);
      if (at_ == text_.size()) break;
      VARVE_ASSIGN_OR_RETURN(const bool comment, Begin());
      if (comment) continue;
      const std::string word = PeekWord();
      if (word == "else" || word == "end") {
        at_ += word.size();
        keyword_ = word;
        return nodes;
      }
      VARVE_ASSIGN_OR_RETURN(TemplateNode node, Action(word, depth));
      nodes.push_back(std::move(node));
    }
    return nodes;
  }

  std::string Text() {
    std::size_t end = text_.find(kOpen, at_);
    if (end == std::string_view::npos) end = text_.size();
    std::string_view text = text_.substr(at_, end - at_);
    at_ = end;
    if (std::exchange(trim_, false)) text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
    const std::string_view mark = text_.substr(std::min(end + kOpen.size(), text_.size()), 2);
    if (mark.size() == 2 && mark[0] == '-' && kSpace.find(mark[1]) != kSpace.npos) {
      const std::size_t last = text.find_last_not_of(kSpace);
      text = text.substr(0, last == text.npos ? 0 : last + 1);
    }
    return std::string(text);
  }

  // Reads "{{", and a comment whole, of which it says so.
  Result<bool> Begin() {
    at_ += kOpen.size();
    if (text_.substr(at_).starts_with("-") && kSpace.find(At(1)) != kSpace.npos) at_ += 2;
    SkipSpace();
    if (!text_.substr(at_).starts_with("/*")) return false;
    const std::size_t end = text_.find("*/", at_);
    if (end == std::string_view::npos) return Wrong("a comment without an end");
    at_ = end + 2;
    VARVE_RETURN_IF_ERROR(End());
    return true;
  }

  // Reads "}}".
  Status End() {
    SkipSpace();
    if (kSpace.find(text_[at_ - 1]) != kSpace.npos && text_.substr(at_).starts_with("-}}")) {
      trim_ = true;
      ++at_;
    }
    if (!text_.substr(at_).starts_with(kClose)) return Wrong("missing }}");
    at_ += kClose.size();
    return Ok();
  }

  Result<TemplateNode> Action(const std::string& word, int depth) {
    using Kind = TemplateNode::Kind;
    TemplateNode node;
    node.kind = word == "if"      ? Kind::kIf
                : word == "range" ? Kind::kRange
                : word == "with"  ? Kind::kWith
                                  : Kind::kPipeline;
    if (node.kind != Kind::kPipeline) at_ += word.size();
    VARVE_ASSIGN_OR_RETURN(node.pipeline, Pipeline(depth));
    if (node.pipeline.variables.size() == 2 && node.kind != Kind::kRange)
      return Wrong("two variables outside of a range");
    VARVE_RETURN_IF_ERROR(End());
    if (node.kind == Kind::kPipeline) return node;
    VARVE_ASSIGN_OR_RETURN(node.body, Nodes(depth + 1));
    if (keyword_ == "else") {
      SkipSpace();
      if (const std::string next = PeekWord(); next == "if" || next == "with") {
        VARVE_ASSIGN_OR_RETURN(TemplateNode nested, Action(next, depth + 1));  // its {{end}} is ours too
        node.otherwise.push_back(std::move(nested));
        return node;
      }
      VARVE_RETURN_IF_ERROR(End());
      VARVE_ASSIGN_OR_RETURN(node.otherwise, Nodes(depth + 1));
    }
    if (keyword_ != "end") return Wrong("{{" + word + "}} without {{end}}");
    keyword_.clear();
    VARVE_RETURN_IF_ERROR(End());
    return node;
  }

  Result<TemplatePipeline> Pipeline(int depth) {
    if (depth > kDepthMax) return Wrong("nested more than " + std::to_string(kDepthMax) + " deep");
    TemplatePipeline pipeline;
    ReadVariables(pipeline);
    while (true) {
      TemplateCommand command;
      while (true) {
        VARVE_ASSIGN_OR_RETURN(std::optional<TemplateOperand> operand, Operand(depth));
        if (!operand) break;
        command.push_back(std::move(*operand));
      }
      if (command.empty()) return Wrong("a value or a function is missing");
      pipeline.commands.push_back(std::move(command));
      if (At(0) != '|') return pipeline;
      ++at_;
    }
  }

  // "$x :=", "$x =" or "$i, $x :=", if that stands here.
  void ReadVariables(TemplatePipeline& pipeline) {
    const std::size_t begin = at_;
    std::vector<std::string> names;
    while (SkipSpace(), At(0) == '$' && names.size() < 2) {
      ++at_;
      names.push_back(ReadName());
      SkipSpace();
      if (At(0) == ',') {
        ++at_;
        continue;
      }
      const bool declared = text_.substr(at_).starts_with(":=");
      if (!declared && At(0) != '=') break;
      at_ += declared ? 2 : 1;
      pipeline.use = declared ? TemplatePipeline::Variables::kDeclared : TemplatePipeline::Variables::kAssigned;
      pipeline.variables = std::move(names);
      return;
    }
    at_ = begin;  // a value, not a name for one
  }

  // Nothing where the command ends.
  Result<std::optional<TemplateOperand>> Operand(int depth) {
    SkipSpace();
    const char c = At(0);
    TemplateOperand operand;
    if (c == '(') {
      ++at_;
      VARVE_ASSIGN_OR_RETURN(TemplatePipeline inner, Pipeline(depth + 1));
      SkipSpace();
      if (At(0) != ')') return Wrong("missing )");
      ++at_;
      operand.kind = TemplateOperand::Kind::kPipeline;
      operand.pipeline.push_back(std::move(inner));
    } else if (c == '$') {
      ++at_;
      operand.kind = TemplateOperand::Kind::kVariable;
      operand.name = ReadName();
    } else if (c == '.' && std::isdigit(static_cast<unsigned char>(At(1))) == 0) {
      if (!IsNameStart(At(1))) ++at_;  // the dot alone
    } else if (IsNameStart(c)) {
      ReadWord(operand);
    } else {
      VARVE_ASSIGN_OR_RETURN(std::optional<TemplateOperand::Literal> literal, ReadLiteral());
      if (!literal) return std::optional<TemplateOperand>();
      operand.kind = TemplateOperand::Kind::kLiteral;
      operand.literal = std::move(*literal);
    }
    while (At(0) == '.' && IsNameStart(At(1))) {
      ++at_;
      operand.fields.push_back(ReadName());
    }
    return std::optional(std::move(operand));
  }

  void ReadWord(TemplateOperand& operand) {
    operand.kind = TemplateOperand::Kind::kLiteral;
    operand.name = ReadName();
    if (operand.name == "true" || operand.name == "false") {
      operand.literal = operand.name == "true";
    } else if (operand.name != "nil") {
      operand.kind = TemplateOperand::Kind::kFunction;
    }
  }

  // Nothing if no literal begins here.
  Result<std::optional<TemplateOperand::Literal>> ReadLiteral() {
    using Literal = std::optional<TemplateOperand::Literal>;
    const char c = At(0);
    if (c == '"' || c == '`') {
      VARVE_ASSIGN_OR_RETURN(std::string text, ReadString(c));
      return Literal(std::move(text));
    }
    if (std::isdigit(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '+' && c != '.') return Literal();
    if (text_.substr(at_).starts_with("-}}")) return Literal();
    const char* const begin = text_.data() + at_ + (c == '+' ? 1 : 0);
    const char* const end = text_.data() + text_.size();
    std::int64_t integer = 0;
    double real = 0;
    const auto whole = std::from_chars(begin, end, integer);
    const auto broken = std::from_chars(begin, end, real);
    if (broken.ec != std::errc()) return Wrong("not a number");
    at_ = static_cast<std::size_t>(broken.ptr - text_.data());
    if (whole.ec == std::errc() && whole.ptr == broken.ptr) return Literal(integer);
    return Literal(real);
  }

  Result<std::string> ReadString(char quote) {
    constexpr std::string_view kEscapes = "n\nt\tr\r\"\"''\\\\";
    std::string value;
    for (++at_; at_ < text_.size() && text_[at_] != quote; ++at_) {
      char c = text_[at_];
      if (quote == '"' && c == '\\') {
        const char escape = At(1);
        std::size_t i = 0;
        while (i < kEscapes.size() && kEscapes[i] != escape) i += 2;
        if (i >= kEscapes.size()) return Wrong("unknown escape in a string");
        c = kEscapes[i + 1];
        ++at_;
      }
      value += c;
    }
    if (at_ >= text_.size()) return Wrong("a string without an end");
    ++at_;
    return value;
  }

  std::string ReadName() {
    const std::size_t begin = at_;
    while (IsName(At(0))) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  std::string PeekWord() const {
    std::size_t end = at_;
    while (end < text_.size() && IsName(text_[end])) ++end;
    return std::string(text_.substr(at_, end - at_));
  }

  void SkipSpace() {
    while (at_ < text_.size() && kSpace.find(text_[at_]) != kSpace.npos) ++at_;
  }

  // '\0' behind the end.
  char At(std::size_t ahead) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  const std::string_view text_;
  std::size_t at_ = 0;
  bool trim_ = false;    // the action before ended in "-}}"
  std::string keyword_;  // "else" or "end", when one has ended Nodes()
};

}  // namespace

Template::Template(std::vector<TemplateNode> nodes)
    : nodes_(std::make_shared<const std::vector<TemplateNode>>(std::move(nodes))) {}

Result<Template> Template::Parse(std::string_view text) {
  if (text.size() > kTextBytesMax) return Error(Code::kInvalidArgument, "template: more than 64 KiB");
  VARVE_ASSIGN_OR_RETURN(std::vector<TemplateNode> nodes, Parser(text).All());
  return Template(std::move(nodes));
}

}  // namespace varve
