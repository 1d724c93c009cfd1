#include "cli/commands/run_options.h"

namespace varve {

void AddStorageOptions(CLI::App* command, StorageOptions& storage) {
  const auto add = [&](const char* flags, std::vector<std::string>& values, const char* help) {
    command->add_option(flags, values, help)->allow_extra_args(false);
  };
  add("-v,--volume", storage.volumes, "[HOST|VOLUME:]CONTAINER[:ro|nocopy|…]");
  add("--mount", storage.mounts, "type=volume|bind|tmpfs|image,source=…,target=…[,readonly][,…]");
  add("--tmpfs", storage.tmpfs, "PATH[:OPTIONS]");
  add("--volumes-from", storage.volumes_from, "CONTAINER[:ro]: what that one mounts");
}

}  // namespace varve
