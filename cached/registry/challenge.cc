#include "cached/registry/challenge.h"

#include <algorithm>
#include <optional>

namespace varve {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) { return Lower(c); });
  return lower;
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  void Skip(std::string_view characters) {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(characters), rest_.size()));
  }
  bool Consume(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // Up to the next blank, comma, quote or equals sign; empty if one stands here.
  std::string_view Token() {
    const std::string_view token = rest_.substr(0, rest_.find_first_of(" \t,=\""));
    rest_.remove_prefix(token.size());
    return token;
  }
  std::optional<std::string> Value() {
    if (!Consume('"')) return std::string(Token());
    std::string value;
    while (!rest_.empty()) {
      const bool escaped = Consume('\\');
      if (!escaped && Consume('"')) return value;
      if (rest_.empty()) break;
      value += rest_.front();
      rest_.remove_prefix(1);
    }
    return std::nullopt;
  }

 private:
  std::string_view rest_;
};

}  // namespace

std::vector<Challenge> ParseChallenges(std::string_view header) {
  std::vector<Challenge> challenges;
  Scanner scanner(header);
  for (;;) {
    scanner.Skip(" \t,");
    const std::string_view name = scanner.Token();
    if (name.empty()) return challenges;
    scanner.Skip(" \t");
    if (!scanner.Consume('=')) {
      challenges.push_back({Lower(name), {}});
      continue;
    }
    scanner.Skip(" \t");
    const auto value = scanner.Value();
    if (!value || challenges.empty()) return challenges;
    challenges.back().parameters.emplace(Lower(name), *value);
  }
}

}  // namespace varve
