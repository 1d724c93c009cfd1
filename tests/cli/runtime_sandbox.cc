#include "tests/cli/runtime_sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <utility>

namespace varve {
namespace {

constexpr const char* kBuildImage = R"(set -e
mkdir -p image/bin image/etc image/dev image/proc image/sys image/srv outside
cd image
for command in sh cat id ls sleep; do
  file=$(command -v "$command"); cp -L "$file" "bin/$command"
  ldd "$file" | grep -o '/[^ ]*' | while read -r library; do mkdir -p ".${library%/*}"; cp -L "$library" ".$library"; done
done
echo 'not a program' >bin/notes
printf 'root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n' >etc/passwd
printf 'root:x:0:\napp:x:1000:\nextra:x:44:app\n' >etc/group
)";

std::string ReadFd(int fd) {
  std::string text;
  std::array<char, 4096> buffer;
  for (ssize_t n = 0; (n = ::read(fd, buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(n));
  return text;
}

}  // namespace

StartedRun::StartedRun(pid_t pid, UniqueFd output, UniqueFd errors)
    : pid_(pid), output_(std::move(output)), errors_(std::move(errors)) {}

StartedRun::~StartedRun() {
  if (pid_.get() == 0) return;
  ::kill(pid_.get(), SIGKILL);
  Await();
}

std::string StartedRun::ReadLine() {
  std::string line;
  for (char c = 0; ::read(output_.get(), &c, 1) == 1 && c != '\n';) line += c;
  return line;
}

std::string StartedRun::ReadAll() { return ReadFd(output_.get()); }

int StartedRun::Await() {
  int status = 0;
  EXPECT_EQ(::waitpid(pid_.get(), &status, 0), pid_.get());
  pid_.Clear();
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string StartedRun::Errors() const {
  ::lseek(errors_.get(), 0, SEEK_SET);
  return ReadFd(errors_.get());
}

Sandbox::Sandbox() {
  EXPECT_EQ(::geteuid(), 0u) << "containers need root";
  const UniqueFd script(::open(path("build").c_str(), O_WRONLY | O_CREAT, 0600));
  const std::string_view text = kBuildImage;
  EXPECT_EQ(::write(script.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  const std::string build = "cd " + directory_.path() + " && sh build";
  EXPECT_EQ(::system(build.c_str()), 0);  // NOLINT(concurrency-mt-unsafe): one thread
}

RunImage Sandbox::Image() const {
  RunImage image;
  image.config.config.env = {"GREETING=hello"};
  image.config.config.cmd = {"/bin/sh", "-c", "echo from the image"};
  image.root.Reset(::open_tree(AT_FDCWD, image_root().c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  VARVE_CHECK(image.root.valid());
  return image;
}

Result<int> Sandbox::RunToTheEnd(RunOptions options) const {
  options.at_end = AtEnd::kRemoved;
  RunImage image = Image();
  VARVE_ASSIGN_OR_RETURN(LockedContainer container, CreateContainer(room(), options, image));
  return RunAsChild(room(), std::move(container), RootsOf(std::move(image)));
}

StartedRun Sandbox::Start(const RunOptions& options, int standard_input) const {
  std::array<int, 2> output{};
  VARVE_CHECK(::pipe2(output.data(), O_CLOEXEC) == 0);
  UniqueFd errors(::memfd_create("stderr", MFD_CLOEXEC));
  const pid_t pid = ::fork();
  VARVE_CHECK(pid >= 0);
  if (pid == 0) {
    for (int signal = 1; signal <= SIGRTMAX; ++signal) ::signal(signal, SIG_DFL);  // what we ignore is not forwarded
    ::dup2(standard_input, STDIN_FILENO);
    ::dup2(output[1], STDOUT_FILENO);
    ::dup2(errors.get(), STDERR_FILENO);
    ::close(output[0]);
    ::close(output[1]);
    const Result<int> exit_code = RunToTheEnd(options);
    if (!exit_code.ok()) ::dprintf(STDERR_FILENO, "varve: %s\n", exit_code.error().message().c_str());
    ::_exit(exit_code.ok() ? *exit_code : 125);
  }
  ::close(output[1]);
  return StartedRun(pid, UniqueFd(output[0]), std::move(errors));
}

Ran Sandbox::Run(const RunOptions& options, int standard_input) const {
  StartedRun run = Start(options, standard_input);
  std::string output = run.ReadAll();
  const int exit_code = run.Await();
  return {.exit_code = exit_code, .output = std::move(output), .errors = run.Errors()};
}

Ran Sandbox::Shell(const std::string& script) const { return Run(ShellOptions(script)); }

std::size_t Sandbox::ContainerDirectories() const {
  constexpr std::size_t kIdDigits = 64;
  std::size_t count = 0;
  if (!std::filesystem::exists(state_root())) return 0;  // nothing has got so far as to make it
  for (const auto& entry : std::filesystem::directory_iterator(state_root()))
    count += entry.path().filename().string().size() == kIdDigits ? 1 : 0;
  return count;
}

RunOptions ShellOptions(const std::string& script) {
  RunOptions options;
  options.args = {"/bin/sh", "-c", script};
  return options;
}

}  // namespace varve
