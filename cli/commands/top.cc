#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "cli/cli.h"
#include "cli/listing/print.h"
#include "cli/runtime/cgroups.h"
#include "cli/runtime/life.h"
#include "cli/runtime/programs.h"

namespace varve {
namespace {

struct TopOptions {
  std::vector<std::string> rest;  // the container, then what ps is told
};

// The words of a line of ps, of which the last, the command, may have blanks in it.
std::vector<std::string> Cells(const std::string& line, std::size_t columns) {
  std::istringstream words(line);
  std::vector<std::string> cells;
  for (std::string word; cells.size() + 1 < columns && words >> word;) cells.push_back(word);
  std::string last;
  if (std::getline(words >> std::ws, last)) cells.push_back(last);
  return cells;
}

// docker's way: ps shows all processes of the machine, of which those of the container are kept.
Result<int> RunTop(Session& session, const TopOptions& options) {
  if (options.rest.empty()) return Error(Code::kInvalidArgument, "top: name a container");
  const ContainerRoom room(session.paths().containers());
  VARVE_ASSIGN_OR_RETURN(const Container container, room.Find(options.rest[0]));
  VARVE_ASSIGN_OR_RETURN(const UniqueFd running, OpenFirstProcess(container));
  VARVE_ASSIGN_OR_RETURN(const std::string ps, FindProgram("ps", "procps"));
  std::vector<std::string> arguments = {ps};
  arguments.insert(arguments.end(), options.rest.begin() + 1, options.rest.end());
  if (arguments.size() == 1) arguments.emplace_back("-ef");
  VARVE_ASSIGN_OR_RETURN(const Said said, RunProgram({.arguments = arguments}));
  if (said.exit_code != 0) return Error(Code::kInvalidArgument, "ps: " + said.text);
  const std::vector<pid_t> processes = ProcessesIn(container.record.id);

  std::istringstream lines(said.text);
  std::string line;
  std::getline(lines, line);
  const std::vector<std::string> header = Cells(line, SIZE_MAX);
  const auto pid_column = static_cast<std::size_t>(std::ranges::find(header, "PID") - header.begin());
  if (pid_column == header.size()) return Error(Code::kInvalidArgument, "top: what ps is told must show PID");
  Table table(header);
  while (std::getline(lines, line)) {
    std::vector<std::string> cells = Cells(line, header.size());
    if (cells.size() <= pid_column) continue;
    if (std::ranges::find(processes, std::atoi(cells[pid_column].c_str())) == processes.end()) continue;
    for (std::string& cell : cells) cell = CellOf(cell, SIZE_MAX);
    cells.resize(header.size());
    table.Add(std::move(cells));
  }
  fmt::print("{}", table.ToString());
  return 0;
}

}  // namespace

void AddTop(Cli& cli) {
  auto options = std::make_shared<TopOptions>();
  CLI::App* command = cli.app.add_subcommand("top", "Show the processes of a container: top CONTAINER [OPTIONS OF PS]");
  command->prefix_command();
  command->callback([&cli, command, options] {
    options->rest = command->remaining();
    cli.action = [&cli, options] { return RunTop(cli.session, *options); };
  });
}

}  // namespace varve
