#include "cli/runtime/signal_names.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <csignal>
#include <cstring>

namespace varve {

std::string SignalName(int signal) {
  if (signal == SIGRTMIN) return "SIGRTMIN";
  if (signal > SIGRTMIN && signal <= SIGRTMAX) return fmt::format("SIGRTMIN+{}", signal - SIGRTMIN);
  const char* name = ::sigabbrev_np(signal);
  return name == nullptr ? std::to_string(signal) : fmt::format("SIG{}", name);
}

Result<int> ParseSignal(const std::string& text) {
  std::string upper = text;
  std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  int number = 0;
  const auto [end, error] = std::from_chars(upper.data(), upper.data() + upper.size(), number);
  const bool numeric = error == std::errc() && end == upper.data() + upper.size();
  if (!numeric && !upper.starts_with("SIG")) upper.insert(0, "SIG");
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    if (numeric ? signal == number : SignalName(signal) == upper) return signal;
  }
  return Error(Code::kInvalidArgument, fmt::format("Invalid signal: {}", text));
}

}  // namespace varve
