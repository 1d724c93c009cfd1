#include "tests/registry/docker_registry.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cached/content/sha256.h"

namespace varve {
namespace {

void Run(const std::string& command) {
  VARVE_CHECK(std::system(command.c_str()) == 0);  // NOLINT(concurrency-mt-unsafe): nobody waits for children meanwhile
}

void Write(const std::string& path, std::string_view content) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

void MakeCertificates(const std::string& directory) {
  constexpr std::string_view kNewKey = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
  Run(
      fmt::format("cd {} && {} -x509 -days 2 -subj /CN=test-authority -keyout ca.key -out ca.crt 2>/dev/null && "
                  "echo subjectAltName=IP:127.0.0.1 > san",
                  directory, kNewKey));
  for (const char* name : {"server", "client"}) {
    Run(
        fmt::format("cd {0} && {1} -subj /CN={2} -keyout {2}.key -out {2}.csr 2>/dev/null && openssl x509 -req -days 2 "
                    "-in {2}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile san -out {2}.crt 2>/dev/null",
                    directory, kNewKey, name));
  }
}

}  // namespace

DockerRegistry::DockerRegistry(Access access, Tls tls) {
  std::string configuration =
      "version: 0.1\nstorage: {filesystem: {rootdirectory: " + directory_ / "data" + "}}\nhttp:\n  addr: 127.0.0.1:0\n";
  if (tls != Tls::kNone) {
    MakeCertificates(directory_.path());
    configuration +=
        "  tls:\n    certificate: " + directory_ / "server.crt" + "\n    key: " + directory_ / "server.key" + "\n";
    if (tls == Tls::kServerAndClient) configuration += "    clientcas: [" + directory_ / "ca.crt" + "]\n";
  }
  if (access == Access::kPassword) {
    Run("htpasswd -Bbn me secret > " + directory_ / "htpasswd");
    configuration += "auth: {htpasswd: {realm: test, path: " + directory_ / "htpasswd" + "}}\n";
  }
  Start(configuration);
}

// Ready when it has logged its port.
void DockerRegistry::Start(const std::string& configuration) {
  const std::string file = directory_ / "config.yml";
  Write(file, configuration);
  int log[2];
  VARVE_CHECK(::pipe2(log, O_CLOEXEC) == 0);
  pid_ = ::fork();
  VARVE_CHECK(pid_ >= 0);
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(log[1], STDERR_FILENO);
    const int null = ::open("/dev/null", O_WRONLY);
    if (null >= 0) ::dup2(null, STDOUT_FILENO);
    ::execlp("docker-registry", "docker-registry", "serve", file.c_str(), nullptr);
    ::_exit(127);
  }
  ::close(log[1]);
  log_.Reset(log[0]);
  constexpr std::string_view kReady = "listening on ";
  std::string logged;
  for (;;) {
    char buffer[4096];
    const ssize_t n = ::read(log_.get(), buffer, sizeof(buffer));
    VARVE_CHECK(n > 0);
    logged.append(buffer, static_cast<std::size_t>(n));
    const auto at = logged.find(kReady);
    const auto end = at == std::string::npos ? at : logged.find_first_of(",\"", at);
    if (end == std::string::npos) continue;
    domain_ = logged.substr(at + kReady.size(), end - at - kReady.size());
    return;
  }
}

DockerRegistry::~DockerRegistry() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

std::string DockerRegistry::Pem(std::string_view name) const {
  std::ostringstream content;
  content << std::ifstream(directory_ / name).rdbuf();
  return content.str();
}

// The layout of its file system driver: blobs/sha256/ab/abcd…/data, and links that hold a digest.
Digest DockerRegistry::PutBlob(std::string_view repository, std::string_view content) const {
  const Digest digest = Sha256Of(AsBytes(content));
  const std::string root = directory_ / "data/docker/registry/v2/";
  Write(root + "blobs/sha256/" + digest.hex().substr(0, 2) + "/" + digest.hex() + "/data", content);
  Write(root + "repositories/" + std::string(repository) + "/_layers/sha256/" + digest.hex() + "/link",
        digest.ToString());
  return digest;
}

Digest DockerRegistry::PutManifest(std::string_view repository, std::string_view tag, std::string_view content) const {
  const Digest digest = PutBlob(repository, content);
  const std::string manifests =
      directory_ / "data/docker/registry/v2/repositories/" + std::string(repository) + "/_manifests/";
  Write(manifests + "revisions/sha256/" + digest.hex() + "/link", digest.ToString());
  Write(manifests + "tags/" + std::string(tag) + "/current/link", digest.ToString());
  return digest;
}

}  // namespace varve
