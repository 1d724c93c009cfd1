#include "cli/cli.h"

#include <fmt/core.h>

#include <cstdio>
#include <iostream>

#include "cli/listing/print.h"

namespace varve {

int ForEach(const std::vector<std::string>& names, const std::function<Status(const std::string&)>& act) {
  int exit_code = 0;
  for (const std::string& name : names) {
    const Status done = act(name);
    if (done.ok()) continue;
    fmt::print(stderr, "Error: {}\n", Harmless(done.error().message()));
    exit_code = kFailure;
  }
  return exit_code;
}

bool Confirm(const std::string& what) {
  fmt::print("{}\nAre you sure you want to continue? [y/N] ", what);
  std::fflush(stdout);
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

}  // namespace varve
