#include "cli/commands/run_options.h"

namespace varve {

void AddSecurityOptions(CLI::App* command, SecurityOptions& security) {
  command->add_flag_callback(
      "--privileged", [&security] { security.privileged = Privileged::kYes; },
      "all capabilities and devices, and no other protection of the machine");
  command
      ->add_option("--security-opt", security.options,
                   "no-new-privileges, seccomp=PROFILE|unconfined, systempaths=unconfined")
      ->allow_extra_args(false);
  command->add_option("--device", security.devices, "HOST[:CONTAINER][:ACCESS]: a device, with access rwm")
      ->allow_extra_args(false);
  command->add_option("--group-add", security.groups, "a group of the image, or a gid, for its user")
      ->allow_extra_args(false);
}

}  // namespace varve
