#include "cli/runtime/arguments.h"

#include <fmt/core.h>

namespace varve {

std::vector<std::string> CommandArguments(const ContainerConfig& image, const std::optional<std::string>& entrypoint,
                                          const std::vector<std::string>& args) {
  return args.empty() && !entrypoint ? image.cmd : args;
}

Result<std::vector<std::string>> ContainerArguments(const ContainerConfig& image,
                                                    const std::optional<std::string>& entrypoint,
                                                    const std::vector<std::string>& args) {
  std::vector<std::string> all = image.entrypoint;
  if (entrypoint) all = entrypoint->empty() ? std::vector<std::string>() : std::vector{*entrypoint};
  const std::vector<std::string> rest = CommandArguments(image, entrypoint, args);
  all.insert(all.end(), rest.begin(), rest.end());
  if (all.empty()) return Error(Code::kInvalidArgument, "no command specified: the image names none, so give one");
  return all;
}

Result<std::string> ContainerWorkingDirectory(const ContainerConfig& image, const std::string& workdir) {
  if (workdir.empty()) return image.working_dir.starts_with('/') ? image.working_dir : "/" + image.working_dir;
  if (workdir.starts_with('/')) return workdir;
  return Error(Code::kInvalidArgument,
               fmt::format("the working directory '{}' is invalid: it needs to be an absolute path", workdir));
}

}  // namespace varve
