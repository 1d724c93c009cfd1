#include "cli/caller_world.h"

#include <fmt/core.h>

#include <cstdlib>
#include <filesystem>

#include "cached/base/fs.h"
#include "cli/auth_file.h"

namespace varve {
namespace {

constexpr std::uint64_t kPemBytesMax = 8 << 20;

std::string Environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
  return value == nullptr ? "" : value;
}

std::string EitherCase(const char* upper, const char* lower) {
  const std::string value = Environment(lower);
  return value.empty() ? Environment(upper) : value;
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
Status FillCertsD(const std::string& domain, v1::RegistryAccess& access) {
  for (const std::string& base : {std::string("/etc/containers/certs.d/"), std::string("/etc/docker/certs.d/")}) {
    const std::string directory = base + domain;
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

Result<v1::RegistryAccess> AccessTo(const std::string& domain, TlsMode tls) {
  VARVE_ASSIGN_OR_RETURN(v1::RegistryAccess access, ConnectionTo(domain, tls));
  VARVE_RETURN_IF_ERROR(FillCredentials(domain, access));
  return access;
}

Result<v1::RegistryAccess> ConnectionTo(const std::string& domain, TlsMode tls) {
  v1::RegistryAccess access;
  access.set_skip_tls_verify(tls == TlsMode::kSkip);
  VARVE_RETURN_IF_ERROR(FillAuthorities(access));
  VARVE_RETURN_IF_ERROR(FillCertsD(domain, access));
  access.set_http_proxy(Environment("http_proxy"));  // upper case is not read: CGI lets a request header set it
  access.set_https_proxy(EitherCase("HTTPS_PROXY", "https_proxy"));
  access.set_no_proxy(EitherCase("NO_PROXY", "no_proxy"));
  return access;
}

}  // namespace varve
