#include <fcntl.h>
#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "cached/base/fd.h"
#include "cached/base/fs.h"
#include "cli/caller_world.h"

namespace varve {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kConfigBytesMax = 4 << 20;
constexpr std::uint64_t kPemBytesMax = 8 << 20;
constexpr std::size_t kHelperBytesMax = 1 << 20;

std::string Environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
  return value == nullptr ? "" : value;
}

std::string EitherCase(const char* upper, const char* lower) {
  const std::string value = Environment(lower);
  return value.empty() ? Environment(upper) : value;
}

// The first auth file that exists, in podman's order, then docker's.
std::optional<std::string> AuthFile() {
  const std::string runtime = Environment("XDG_RUNTIME_DIR");
  const std::string docker = Environment("DOCKER_CONFIG");
  const std::string home = Environment("HOME");
  for (const std::string& path :
       {Environment("REGISTRY_AUTH_FILE"), runtime.empty() ? "" : runtime + "/containers/auth.json",
        !docker.empty() ? docker + "/config.json" : home + "/.docker/config.json"}) {
    std::error_code error;
    if (!path.empty() && std::filesystem::is_regular_file(path, error)) return path;
  }
  return std::nullopt;
}

// Docker Hub's credentials are under the URL of its first API.
std::vector<std::string> KeysOf(const Reference& repository) {
  if (repository.domain == "docker.io")
    return {"https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io"};
  return {repository.domain, "https://" + repository.domain, "http://" + repository.domain,
          "https://" + repository.domain + "/v2/"};
}

Result<std::string> DecodeBase64(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  int have = 0;
  for (const char c : text) {
    if (c == '=' || c == '\n') continue;
    constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const std::size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return Error(Code::kInvalidArgument, "is not base64");
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    have += 6;
    if (have >= 8) {
      have -= 8;
      out += static_cast<char>(bits >> have & 0xff);
    }
  }
  return out;
}

struct HelperAnswer {
  int exit_code = 0;
  std::string output;
};

// Runs docker-credential-NAME get with `server` on its standard input.
Result<HelperAnswer> AskHelper(const std::string& name, const std::string& server) {
  int in[2];
  int out[2];
  if (::pipe2(in, O_CLOEXEC) != 0) return ErrnoError(errno, "pipe");
  UniqueFd in_read(in[0]);
  UniqueFd in_write(in[1]);
  if (::pipe2(out, O_CLOEXEC) != 0) return ErrnoError(errno, "pipe");
  UniqueFd out_read(out[0]);
  UniqueFd out_write(out[1]);
  const std::string program = "docker-credential-" + name;
  const pid_t child = ::fork();
  if (child < 0) return ErrnoError(errno, "fork");
  if (child == 0) {
    ::dup2(in_read.get(), STDIN_FILENO);
    ::dup2(out_write.get(), STDOUT_FILENO);
    ::execlp(program.c_str(), program.c_str(), "get", static_cast<char*>(nullptr));
    ::_exit(127);
  }
  in_read.Reset();
  out_write.Reset();
  const bool asked = ::write(in_write.get(), server.data(), server.size()) == static_cast<ssize_t>(server.size());
  in_write.Reset();
  HelperAnswer answer;
  char buffer[4096];
  for (ssize_t n;
       asked && answer.output.size() < kHelperBytesMax && (n = ::read(out_read.get(), buffer, sizeof(buffer))) > 0;) {
    answer.output.append(buffer, static_cast<std::size_t>(n));
  }
  out_read.Reset();
  int status = 0;
  ::waitpid(child, &status, 0);
  answer.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  if (answer.exit_code == 127)
    return Error(Code::kNotFound, program + ": the credential helper that the auth file names is not on PATH");
  return answer;
}

// False if the helper knows nothing of the registry.
Result<bool> FillFromHelper(const std::string& helper, const Reference& repository, v1::RegistryAccess& access) {
  const std::string server = KeysOf(repository).front();
  VARVE_ASSIGN_OR_RETURN(const HelperAnswer answer, AskHelper(helper, server));
  if (answer.output.find("credentials not found") != std::string::npos) return false;
  const Json json = Json::parse(answer.output, nullptr, false);
  if (answer.exit_code != 0 || !json.is_object()) {
    return Error(Code::kUnauthenticated, "docker-credential-" + helper + ": " + answer.output.substr(0, 200));
  }
  const std::string username = json.value("Username", "");
  const std::string secret = json.value("Secret", "");
  if (username == "<token>") {
    access.set_identity_token(secret);
  } else {
    access.set_username(username);
    access.set_password(secret);
  }
  return true;
}

Status FillFromEntry(const Json& entry, v1::RegistryAccess& access) {
  if (entry.contains("identitytoken")) access.set_identity_token(entry.value("identitytoken", ""));
  const std::string encoded = entry.value("auth", "");
  if (encoded.empty()) {
    access.set_username(entry.value("username", ""));
    access.set_password(entry.value("password", ""));
    return Ok();
  }
  VARVE_ASSIGN_OR_RETURN(const std::string decoded, DecodeBase64(encoded));
  const std::size_t colon = decoded.find(':');
  if (colon == std::string::npos) return Error(Code::kInvalidArgument, "its \"auth\" has no colon");
  access.set_username(decoded.substr(0, colon));
  access.set_password(decoded.substr(colon + 1));
  return Ok();
}

Status FillCredentials(const Reference& repository, v1::RegistryAccess& access) {
  const auto path = AuthFile();
  if (!path) return Ok();
  VARVE_ASSIGN_OR_RETURN(const Bytes bytes, ReadWholeFile(Fs::Real(), *path, kConfigBytesMax));
  const Json json = Json::parse(AsText(bytes), nullptr, false);
  if (!json.is_object()) return Error(Code::kInvalidArgument, *path + ": is not a JSON object");
  const Json helpers = json.value("credHelpers", Json::object());
  for (const std::string& key : KeysOf(repository)) {
    if (!helpers.is_object() || !helpers.contains(key) || !helpers[key].is_string()) continue;
    VARVE_ASSIGN_OR_RETURN(const bool found, FillFromHelper(helpers[key], repository, access).In(*path));
    if (found) return Ok();
  }
  const Json auths = json.value("auths", Json::object());
  for (const std::string& key : KeysOf(repository)) {
    if (!auths.is_object() || !auths.contains(key) || !auths[key].is_object() || auths[key].empty()) continue;
    return FillFromEntry(auths[key], access).In(*path + ": " + key);
  }
  if (json.contains("credsStore") && json["credsStore"].is_string()) {
    VARVE_RETURN_IF_ERROR(FillFromHelper(json["credsStore"], repository, access).In(*path));
  }
  return Ok();
}

Status AppendPem(const std::string& path, std::string* pem) {
  VARVE_ASSIGN_OR_RETURN(const Bytes bytes, ReadWholeFile(Fs::Real(), path, kPemBytesMax));
  *pem += AsText(bytes);
  *pem += "\n";
  return Ok();
}

Status FillAuthorities(v1::RegistryAccess& access) {
  const std::string file = Environment("SSL_CERT_FILE");
  const std::string directory = Environment("SSL_CERT_DIR");
  if (!file.empty()) VARVE_RETURN_IF_ERROR(AppendPem(file, access.mutable_ca_pem()).In("SSL_CERT_FILE"));
  if (directory.empty()) return Ok();
  VARVE_ASSIGN_OR_RETURN(const auto names, Fs::Real().List(directory).In("SSL_CERT_DIR"));
  for (const std::string& name : names) {
    std::error_code error;
    const std::string path = fmt::format("{}/{}", directory, name);
    if (std::filesystem::is_regular_file(path, error)) VARVE_RETURN_IF_ERROR(AppendPem(path, access.mutable_ca_pem()));
  }
  return Ok();
}

// certs.d/HOST[:PORT]/: *.crt are authorities, NAME.cert and NAME.key what to show.
Status FillCertsD(const Reference& repository, v1::RegistryAccess& access) {
  for (const std::string& base : {std::string("/etc/containers/certs.d/"), std::string("/etc/docker/certs.d/")}) {
    const std::string directory = base + repository.domain;
    const auto names = Fs::Real().List(directory);
    if (!names.ok()) continue;
    for (const std::string& name : *names) {
      const std::string path = fmt::format("{}/{}", directory, name);
      if (name.ends_with(".crt")) VARVE_RETURN_IF_ERROR(AppendPem(path, access.mutable_extra_ca_pem()));
      if (name.ends_with(".cert")) VARVE_RETURN_IF_ERROR(AppendPem(path, access.mutable_client_certificate_pem()));
      if (name.ends_with(".key")) VARVE_RETURN_IF_ERROR(AppendPem(path, access.mutable_client_key_pem()));
    }
    return Ok();
  }
  return Ok();
}

}  // namespace

Result<v1::RegistryAccess> AccessTo(const Reference& repository, TlsMode tls) {
  v1::RegistryAccess access;
  access.set_skip_tls_verify(tls == TlsMode::kSkip);
  VARVE_RETURN_IF_ERROR(FillCredentials(repository, access));
  VARVE_RETURN_IF_ERROR(FillAuthorities(access));
  VARVE_RETURN_IF_ERROR(FillCertsD(repository, access));
  access.set_http_proxy(Environment("http_proxy"));  // upper case is not read: CGI lets a request header set it
  access.set_https_proxy(EitherCase("HTTPS_PROXY", "https_proxy"));
  access.set_no_proxy(EitherCase("NO_PROXY", "no_proxy"));
  return access;
}

}  // namespace varve
