#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "cached/base/fd.h"
#include "cached/base/fs.h"
#include "cached/oci/reference.h"
#include "cli/auth_file.h"

namespace varve {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kConfigBytesMax = 4 << 20;
constexpr std::size_t kHelperBytesMax = 1 << 20;

std::string Environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
  return value == nullptr ? "" : value;
}

struct AuthFile {
  std::string path;
  bool exists = false;
};

// Empty where nothing says where it is.
std::string DockerConfigPath() {
  const std::string docker = Environment("DOCKER_CONFIG");
  const std::string home = Environment("HOME");
  return !docker.empty() ? docker + "/config.json" : !home.empty() ? home + "/.docker/config.json" : "";
}

// In podman's order, then docker's; without any, the one to be made (its path is empty where nothing says where).
AuthFile FindAuthFile() {
  const std::string chosen = Environment("REGISTRY_AUTH_FILE");
  const std::string runtime = Environment("XDG_RUNTIME_DIR");
  const std::string config = DockerConfigPath();
  for (const std::string& path : {chosen, runtime.empty() ? "" : runtime + "/containers/auth.json", config}) {
    std::error_code error;
    if (!path.empty() && std::filesystem::is_regular_file(path, error)) return {path, true};
  }
  return {chosen.empty() ? config : chosen, false};
}

// An empty object for a file that is yet to be made.
Result<Json> ReadAuthFile(const AuthFile& file) {
  if (!file.exists) return Json::object();
  VARVE_ASSIGN_OR_RETURN(const Bytes bytes, ReadWholeFile(Fs::Real(), file.path, kConfigBytesMax));
  Json json = Json::parse(AsText(bytes), nullptr, false);
  if (!json.is_object()) return Error(Code::kInvalidArgument, file.path + ": is not a JSON object");
  return json;
}

Status WriteAuthFile(const AuthFile& file, const Json& json) {
  if (file.path.empty()) {
    return Error(Code::kFailedPrecondition, "nowhere to keep credentials: neither HOME nor DOCKER_CONFIG is set");
  }
  std::error_code error;
  // A link to the file stays one.
  const std::string path = file.exists ? std::filesystem::canonical(file.path, error).string() : file.path;
  if (error) return Error(Code::kFailedPrecondition, file.path + ": " + error.message());
  const mode_t before = ::umask(0077);
  const Status written = [&]() -> Status {
    VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(std::filesystem::path(path).parent_path()));
    return WriteFileAtomically(Fs::Real(), path, AsBytes(json.dump(1, '\t', false, Json::error_handler_t::replace)));
  }();
  ::umask(before);
  return written;
}

// Docker Hub's credentials are under the URL of its first API.
std::vector<std::string> KeysOf(const std::string& domain) {
  if (domain == "docker.io")
    return {"https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io"};
  return {domain, "https://" + domain, "http://" + domain, "https://" + domain + "/v2/"};
}

// What of `json` is an object under `key`, or nothing.
const Json* ObjectIn(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_object() ? &*found : nullptr;
}

// The text under `key`; empty where there is none, or something else.
std::string TextIn(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

struct HelperAnswer {
  int exit_code = 0;
  std::string output;
};

// Runs docker-credential-NAME VERB with `input` on its standard input: a file in memory, which nobody has to feed.
Result<HelperAnswer> AskHelper(const std::string& name, const char* verb, const std::string& input) {
  const UniqueFd in(::memfd_create("credential", MFD_CLOEXEC));
  if (!in.valid() || ::pwrite(in.get(), input.data(), input.size(), 0) != static_cast<ssize_t>(input.size()))
    return ErrnoError(errno, "memfd");
  int out[2];
  if (::pipe2(out, O_CLOEXEC) != 0) return ErrnoError(errno, "pipe");
  const UniqueFd out_read(out[0]);
  UniqueFd out_write(out[1]);
  const std::string program = "docker-credential-" + name;
  const pid_t child = ::fork();
  if (child < 0) return ErrnoError(errno, "fork");
  if (child == 0) {
    ::dup2(in.get(), STDIN_FILENO);
    ::dup2(out_write.get(), STDOUT_FILENO);
    ::execlp(program.c_str(), program.c_str(), verb, static_cast<char*>(nullptr));
    ::_exit(127);
  }
  out_write.Reset();
  HelperAnswer answer;
  char buffer[4096];
  for (ssize_t n; (n = ::read(out_read.get(), buffer, sizeof(buffer))) > 0;) {
    const auto room = static_cast<ssize_t>(kHelperBytesMax - answer.output.size());
    answer.output.append(buffer, static_cast<std::size_t>(std::min(n, room)));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  answer.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  if (answer.exit_code == 127)
    return Error(Code::kNotFound, program + ": the credential helper that the auth file names is not on PATH");
  return answer;
}

Error HelperError(const std::string& helper, const HelperAnswer& answer) {
  return {Code::kUnauthenticated, "docker-credential-" + helper + ": " + answer.output.substr(0, 200)};
}

bool KnowsNothing(const HelperAnswer& answer) {
  return answer.output.find("credentials not found") != std::string::npos;
}

// False if the helper knows nothing of the registry.
Result<bool> FillFromHelper(const std::string& helper, const std::string& domain, v1::RegistryAccess& access) {
  VARVE_ASSIGN_OR_RETURN(const HelperAnswer answer, AskHelper(helper, "get", KeysOf(domain).front()));
  if (KnowsNothing(answer)) return false;
  const Json json = Json::parse(answer.output, nullptr, false);
  if (answer.exit_code != 0 || !json.is_object()) return HelperError(helper, answer);
  const std::string username = TextIn(json, "Username");
  const std::string secret = TextIn(json, "Secret");
  if (username == "<token>") {
    access.set_identity_token(secret);
  } else {
    access.set_username(username);
    access.set_password(secret);
  }
  return true;
}

Status FillFromEntry(const Json& entry, v1::RegistryAccess& access) {
  access.set_identity_token(TextIn(entry, "identitytoken"));
  const std::string encoded = TextIn(entry, "auth");
  if (encoded.empty()) {
    access.set_username(TextIn(entry, "username"));
    access.set_password(TextIn(entry, "password"));
    return Ok();
  }
  VARVE_ASSIGN_OR_RETURN(const std::string decoded, FromBase64(encoded).In("its \"auth\""));
  const std::size_t colon = decoded.find(':');
  if (colon == std::string::npos) return Error(Code::kInvalidArgument, "its \"auth\" has no colon");
  access.set_username(decoded.substr(0, colon));
  access.set_password(decoded.substr(colon + 1));
  return Ok();
}

// The helper that is in charge of one registry only.
std::optional<std::string> HelperOf(const Json& json, const std::string& domain) {
  const Json* const helpers = ObjectIn(json, "credHelpers");
  for (const std::string& key : KeysOf(domain)) {
    if (helpers != nullptr && helpers->contains(key) && (*helpers)[key].is_string()) return (*helpers)[key];
  }
  return std::nullopt;
}

std::optional<std::string> CommonHelper(const Json& json) {
  const std::string name = TextIn(json, "credsStore");
  return name.empty() ? std::nullopt : std::optional(name);
}

// What a helper is given to keep.
Result<std::string> SecretJson(const std::string& key, const std::string& username, const std::string& password) {
  try {
    return Json({{"ServerURL", key}, {"Username", username}, {"Secret", password}}).dump();
  } catch (const Json::exception&) {
    return Error(Code::kInvalidArgument, "user name or password is not UTF-8, as a credential helper needs it");
  }
}

}  // namespace

Result<std::string> RegistryDomain(std::string_view server) {
  const std::string typed(server);
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (server.starts_with(scheme)) server.remove_prefix(scheme.size());
  }
  const std::string domain(server.substr(0, server.find('/')));
  if (domain.empty() || domain == "index.docker.io" || domain == "registry-1.docker.io")
    return std::string("docker.io");
  const auto reference = Reference::Parse(domain + "/name");
  if (!reference.ok() || reference->domain != domain)
    return Error(Code::kInvalidArgument, "registry " + typed + ": is not HOST[:PORT]");
  return domain;
}

Status FillCredentials(const std::string& domain, v1::RegistryAccess& access) {
  const AuthFile file = FindAuthFile();
  VARVE_ASSIGN_OR_RETURN(const Json json, ReadAuthFile(file));
  if (const auto helper = HelperOf(json, domain)) {
    VARVE_ASSIGN_OR_RETURN(const bool found, FillFromHelper(*helper, domain, access).In(file.path));
    if (found) return Ok();
  }
  const Json* const auths = ObjectIn(json, "auths");
  for (const std::string& key : KeysOf(domain)) {
    const Json* const entry = auths == nullptr ? nullptr : ObjectIn(*auths, key.c_str());
    if (entry != nullptr && !entry->empty()) return FillFromEntry(*entry, access).In(file.path + ": " + key);
  }
  if (const auto helper = CommonHelper(json)) {
    VARVE_RETURN_IF_ERROR(FillFromHelper(*helper, domain, access).In(file.path));
  }
  return Ok();
}

Result<KeptCredentials> KeepCredentials(const std::string& domain, const std::string& username,
                                        const std::string& password) {
  const AuthFile file = FindAuthFile();
  VARVE_ASSIGN_OR_RETURN(Json json, ReadAuthFile(file));
  if (json.contains("auths") && !json["auths"].is_object())
    return Error(Code::kInvalidArgument, file.path + ": its \"auths\" is not an object");
  const std::string key = KeysOf(domain).front();
  const auto own = HelperOf(json, domain);
  const auto helper = own ? own : CommonHelper(json);
  if (!helper) {
    json["auths"][key] = {{"auth", ToBase64(username + ":" + password)}};
    VARVE_RETURN_IF_ERROR(WriteAuthFile(file, json));
    return KeptCredentials{file.path, false};
  }
  VARVE_ASSIGN_OR_RETURN(const std::string secret, SecretJson(key, username, password));
  VARVE_ASSIGN_OR_RETURN(const HelperAnswer answer, AskHelper(*helper, "store", secret).In(file.path));
  if (answer.exit_code != 0) return HelperError(*helper, answer).In(file.path);
  // As docker does: an entry without a secret says that the helper has one.
  json["auths"][key] = Json::object();
  VARVE_RETURN_IF_ERROR(WriteAuthFile(file, json));
  return KeptCredentials{"docker-credential-" + *helper, true};
}

Result<bool> EraseCredentials(const std::string& domain) {
  const AuthFile file = FindAuthFile();
  VARVE_ASSIGN_OR_RETURN(Json json, ReadAuthFile(file));
  bool erased = false;
  const auto own = HelperOf(json, domain);
  if (const auto helper = own ? own : CommonHelper(json)) {
    v1::RegistryAccess kept;
    VARVE_ASSIGN_OR_RETURN(erased, FillFromHelper(*helper, domain, kept).In(file.path));
    if (erased) {
      VARVE_ASSIGN_OR_RETURN(const HelperAnswer answer,
                             AskHelper(*helper, "erase", KeysOf(domain).front()).In(file.path));
      if (answer.exit_code != 0 && !KnowsNothing(answer)) return HelperError(*helper, answer).In(file.path);
    }
  }
  std::size_t entries = 0;
  if (ObjectIn(json, "auths") != nullptr) {
    for (const std::string& key : KeysOf(domain)) entries += json["auths"].erase(key);
  }
  if (entries == 0) return erased;
  VARVE_RETURN_IF_ERROR(WriteAuthFile(file, json));
  return true;
}

Result<std::optional<std::string>> ConfiguredDetachKeys() {
  AuthFile file{DockerConfigPath(), false};
  std::error_code error;
  file.exists = std::filesystem::is_regular_file(file.path, error);
  VARVE_ASSIGN_OR_RETURN(const Json json, ReadAuthFile(file));
  const std::string keys = TextIn(json, "detachKeys");
  return keys.empty() ? std::nullopt : std::optional(keys);
}

}  // namespace varve
