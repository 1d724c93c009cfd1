#include "cli/commands/run_options.h"

namespace varve {

void AddLimitOptions(CLI::App* command, LimitOptions& limits) {
  command->add_option("-m,--memory", limits.memory, "the most memory, such as 512m");
  command->add_option("--memory-swap", limits.memory_swap,
                      "the most memory and swap together (twice the memory); -1: any swap");
  command->add_option("--cpus", limits.cpus, "the most CPU time, in CPUs, such as 1.5");
  command->add_option("--cpuset-cpus", limits.cpuset_cpus, "the CPUs that it may run on, such as 0-2,4");
  command->add_option("--pids-limit", limits.pids_limit, "the most processes and threads; 0 or -1: any number");
  command->add_option("--ulimit", limits.ulimits, "NAME=SOFT[:HARD], as of setrlimit: nofile=1024:4096; -1: none")
      ->allow_extra_args(false);
  command->add_option("--shm-size", limits.shm_size, "the size of /dev/shm (64m)");
}

}  // namespace varve
