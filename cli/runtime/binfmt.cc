#include "cli/runtime/binfmt.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <string_view>
#include <vector>

#include "cached/base/fs.h"

// An emulator is registered with the kernel for the first bytes of the programs that it runs, which are those of an ELF
// header: "enabled", "interpreter /usr/bin/qemu-aarch64-static", …, "magic 7f454c4602010100…0200b700", one a line. The
// processor (e_machine) is bytes 18 and 19, in the byte order that byte 5 says.

namespace varve {
namespace {

struct Machine {
  const char* architecture;
  unsigned number;  // elf.h, EM_…
};
constexpr std::array<Machine, 9> kMachines = {{{"386", 3},
                                               {"mips64le", 8},
                                               {"ppc64le", 21},
                                               {"s390x", 22},
                                               {"arm", 40},
                                               {"amd64", 62},
                                               {"arm64", 183},
                                               {"riscv64", 243},
                                               {"loong64", 258}}};

// Of 32 bits beside those of 64.
bool IsOlder(std::string_view host, std::string_view wanted) {
  return (host == "amd64" && wanted == "386") || (host == "arm64" && wanted == "arm");
}

unsigned MachineOf(std::string_view magic) {
  const auto byte = [&](std::size_t at) {
    unsigned value = 0;
    if (magic.size() >= 2 * at + 2) std::from_chars(magic.data() + 2 * at, magic.data() + 2 * at + 2, value, 16);
    return value;
  };
  constexpr unsigned kBigEndian = 2;
  return byte(5) == kBigEndian ? byte(18) << 8 | byte(19) : byte(19) << 8 | byte(18);
}

bool Emulates(const std::string& handler, unsigned machine) {
  constexpr std::string_view kMagic = "magic ";
  std::ifstream file(handler);
  bool enabled = false;
  for (std::string line; std::getline(file, line);) {
    if (line == "enabled") enabled = true;
    if (line.starts_with(kMagic)) return enabled && MachineOf(std::string_view(line).substr(kMagic.size())) == machine;
  }
  return false;
}

}  // namespace

Status CheckExecutable(const Platform& platform, const std::string& handlers) {
  const Platform host = Platform::Host();
  if (platform.architecture.empty() || platform.architecture == host.architecture ||
      IsOlder(host.architecture, platform.architecture))
    return Ok();
  const auto machine = std::ranges::find(kMachines, platform.architecture, &Machine::architecture);
  if (machine == kMachines.end()) return Ok();
  const Result<std::vector<std::string>> names = Fs::Real().List(handlers);  // none without that file system
  const auto emulates = [&](const std::string& name) { return Emulates(handlers + "/" + name, machine->number); };
  if (names.ok() && std::ranges::any_of(*names, emulates)) return Ok();
  return Error(Code::kFailedPrecondition,
               fmt::format("the image is for {}, this machine is {}, and no emulator is registered for it (Debian: "
                           "apt-get install qemu-user-static binfmt-support)",
                           platform.ToString(), host.ToString()));
}

}  // namespace varve
