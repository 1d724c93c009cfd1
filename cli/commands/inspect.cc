#include <fmt/core.h>

#include "cli/cli.h"
#include "cli/container_documents.h"
#include "cli/documents.h"
#include "cli/listing/rows.h"
#include "cli/runtime/life.h"

namespace varve {
namespace {

struct InspectOptions {
  std::vector<std::string> names;
  std::string type;
  std::string format;
};

Result<std::string> InspectContainer(const Session& session, const std::string& name) {
  const ContainerRoom room(session.paths().containers());
  VARVE_ASSIGN_OR_RETURN(const Container container, room.Find(name));
  const Result<ProcessId> first = FirstProcessOf(container);
  return InspectContainerJson(room, container, first.ok() ? first->pid : 0);
}

Result<std::string> InspectImage(Session& session, const std::string& name) {
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  VARVE_ASSIGN_OR_RETURN(const v1::ImageDetail detail, daemon.InspectImage(name, DaemonClient::Purpose::kLook));
  return InspectJson(detail);
}

// A container before an image of the same name, as docker does.
Result<std::string> Inspect(Session& session, const InspectOptions& options, const std::string& name) {
  if (options.type != "image") {
    Result<std::string> container = InspectContainer(session, name);
    if (options.type == "container" || container.ok() || container.error().code() != Code::kNotFound) return container;
  }
  return InspectImage(session, name);
}

// Like docker: what was found is printed as an array, what was not is an error each, and the exit code is 1 if anything
// was missing.
Result<int> RunInspect(Session& session, const InspectOptions& options) {
  std::vector<std::string> objects;
  const int exit_code = ForEach(options.names, [&](const std::string& name) -> Status {
    VARVE_ASSIGN_OR_RETURN(std::string object, Inspect(session, options, name));
    objects.push_back(std::move(object));
    return Ok();
  });
  VARVE_ASSIGN_OR_RETURN(const std::string text, FormatDocuments(options.format, objects));
  fmt::print("{}", text);
  return exit_code;
}

}  // namespace

void AddInspect(Cli& cli) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* command = cli.app.add_subcommand("inspect", "Show containers and images as docker-shaped JSON");
  command->add_option("NAME", options->names, "a container's name or id, an image's name or id, or NAME@layer:N")
      ->required();
  command->add_option("--type", options->type, "image or container: look for these only")
      ->check(CLI::IsMember({"container", "image"}));
  command->add_option("-f,--format", options->format, kDocumentsFormatHelp);
  SetAction(cli, command, options, RunInspect);
}

}  // namespace varve
