#include "tests/crash/expected_state.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "cached/base/check.h"

namespace varve {
namespace {

std::string TextOf(NamedImage image) { return image ? std::to_string(*image) : "-"; }
NamedImage ImageOf(const std::string& text) { return text == "-" ? NamedImage() : NamedImage(std::stoul(text)); }

}  // namespace

ExpectedLog::ExpectedLog(const std::string& path)
    : file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {
  VARVE_CHECK(file_.valid());
}

void ExpectedLog::Begin(const std::string& name, NamedImage image) {
  Append(fmt::format("begin {} {}\n", name, TextOf(image)));
}
void ExpectedLog::Done(const std::string& name, NamedImage image) {
  Append(fmt::format("done {} {}\n", name, TextOf(image)));
}
void ExpectedLog::Slot(const std::string& key, std::uint32_t slot) { Append(fmt::format("slot {} {}\n", key, slot)); }

void ExpectedLog::Append(const std::string& line) {
  VARVE_CHECK(::write(file_.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size()));
}

ExpectedState ExpectedState::Read(const std::string& path) {
  ExpectedState state;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string what;
    std::string key;
    std::string value;
    words >> what >> key >> value;
    if (what == "begin") state.names.try_emplace(key, std::set<NamedImage>{{}}).first->second.insert(ImageOf(value));
    if (what == "done") state.names[key] = {ImageOf(value)};
    if (what == "slot") state.slots[key] = static_cast<std::uint32_t>(std::stoul(value));
  }
  return state;
}

}  // namespace varve
