#include "cli/runtime/container.h"

#include <fmt/core.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <utility>

#include "cached/base/bytes.h"
#include "cached/base/fs.h"
#include "cli/runtime/arguments.h"
#include "cli/runtime/capabilities.h"
#include "cli/runtime/environment.h"
#include "cli/runtime/etc_files.h"
#include "cli/runtime/mounts.h"
#include "cli/runtime/namespaces.h"
#include "cli/runtime/overlay.h"
#include "cli/runtime/runc.h"
#include "cli/runtime/spec.h"
#include "cli/runtime/state.h"
#include "cli/runtime/user.h"

namespace varve {
namespace {

Result<std::string> HostnameOf(const RunOptions& options, const std::string& id) {
  if (!options.hostname.empty()) return options.hostname;
  if (options.network == Network::kNone) return id.substr(0, 12);
  std::array<char, HOST_NAME_MAX + 1> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return ErrnoError(errno, "hostname");
  return std::string(name.data());
}

Result<std::vector<Mount>> AskedMounts(const RunOptions& options) {
  std::vector<Mount> mounts;
  for (const std::string& volume : options.volumes) {
    VARVE_ASSIGN_OR_RETURN(Mount mount, ParseVolume(volume));
    mounts.push_back(std::move(mount));
  }
  for (const std::string& tmpfs : options.tmpfs) {
    VARVE_ASSIGN_OR_RETURN(Mount mount, ParseTmpfs(tmpfs));
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

Result<std::vector<std::pair<std::string, std::string>>> LabelsOf(const std::vector<std::string>& labels) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string& label : labels) {
    const std::size_t equals = std::min(label.find('='), label.size());
    if (equals == 0) return Error(Code::kInvalidArgument, fmt::format("invalid label '{}': it needs a key", label));
    pairs.emplace_back(label.substr(0, equals), label.substr(std::min(equals + 1, label.size())));
  }
  return pairs;
}

// All that can be refused before anything is made on disk.
Result<ContainerSpec> PlanContainer(const RunOptions& options, const RunImage& image, const std::string& id) {
  const ContainerConfig& config = image.config.config;
  ContainerSpec spec;
  spec.network = options.network;
  spec.root_access = options.root_access;
  VARVE_ASSIGN_OR_RETURN(spec.args, ContainerArguments(config, options.entrypoint, options.args));
  VARVE_ASSIGN_OR_RETURN(spec.cwd, ContainerWorkingDirectory(config, options.workdir));
  VARVE_ASSIGN_OR_RETURN(spec.hostname, HostnameOf(options, id));
  VARVE_ASSIGN_OR_RETURN(spec.env, ContainerEnvironment(spec.hostname, config.env, options.env_files, options.env));
  VARVE_ASSIGN_OR_RETURN(spec.user,
                         ResolveUserInside(image.root.get(), options.user.empty() ? config.user : options.user));
  VARVE_ASSIGN_OR_RETURN(spec.capabilities, ContainerCapabilities(options.cap_add, options.cap_drop));
  VARVE_ASSIGN_OR_RETURN(spec.labels, LabelsOf(options.labels));
  VARVE_ASSIGN_OR_RETURN(const std::vector<Mount> asked, AskedMounts(options));
  VARVE_ASSIGN_OR_RETURN(spec.mounts, ArrangeMounts(DefaultMounts(), asked));
  return spec;
}

// Adds to `spec` what lies in the container's directory, and writes the bundle's config.json there.
Status WriteBundle(const RunOptions& options, const ContainerState& state, ContainerSpec& spec) {
  const std::string own_name = options.network == Network::kNone ? spec.hostname : options.hostname;
  VARVE_ASSIGN_OR_RETURN(std::vector<Mount> etc_files,
                         WriteEtcFiles(state.directory(), spec.hostname, own_name, options.network));
  VARVE_ASSIGN_OR_RETURN(spec.mounts, ArrangeMounts(std::move(etc_files), spec.mounts));
  VARVE_ASSIGN_OR_RETURN(const std::string config, OciRuntimeConfig(spec, state.id()));
  VARVE_ASSIGN_OR_RETURN(const auto file, Fs::Real().Open(state.directory() + "/config.json", OpenMode::kCreateNew));
  return file->WriteAt(0, AsBytes(config));
}

Result<int> MountAndRun(const std::string& runc, const RunOptions& options, const RunImage& image,
                        const ContainerState& state) {
  if (::chdir(state.directory().c_str()) != 0) return ErrnoError(errno, state.directory());
  {
    VARVE_ASSIGN_OR_RETURN(const UniqueFd root, MountOverlay(image.root));
    VARVE_RETURN_IF_ERROR(AddDockerMarks(root.get()));
  }
  return RunBundle(runc, state.directory(), state.id(), options.standard_input);
}

}  // namespace

Result<int> RunContainer(const RunOptions& options, RunImage image, const std::string& state_root) {
  VARVE_RETURN_IF_ERROR(SweepDead(state_root));
  VARVE_ASSIGN_OR_RETURN(const std::string runc, FindRunc());
  const std::string id = NewContainerId();
  VARVE_ASSIGN_OR_RETURN(ContainerSpec spec, PlanContainer(options, image, id));
  VARVE_RETURN_IF_ERROR(MakeMissingSources(spec.mounts));
  VARVE_ASSIGN_OR_RETURN(const ContainerState state, ContainerState::Create(state_root, id, options.name));
  VARVE_RETURN_IF_ERROR(WriteBundle(options, state, spec));
  return InPrivateNamespaces([&] { return MountAndRun(runc, options, image, state); });
}

}  // namespace varve
