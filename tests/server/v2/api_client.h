#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cached/server/v2/api.h"
#include "tests/store/store_fixture.h"

namespace varve::v2 {

// What a client sees of an answer.
struct Answer {
  int status = 0;
  std::map<std::string, std::string> fields;  // names in lower case
  std::string body;

  std::string operator[](const std::string& field) const;  // empty if there is none
  std::string error() const;                               // the code in the body; empty if there is none
};

// The API over a store of its own, asked without a connection.
class ApiClient {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;

  explicit ApiClient(const AccessOptions& access = {}, const ApiOptions& api = {},
                     const RegistryHostOptions& host = {});

  // `target` with its query. The body is handed over in pieces of `piece_bytes`.
  Answer Send(std::string_view method, const std::string& target, std::string_view body = "",
              const Fields& fields = {});
  Answer Get(const std::string& target, const Fields& fields = {}) { return Send("GET", target, "", fields); }
  // Pushes by POST and PUT; its digest.
  std::string PushBlob(const std::string& repository, std::string_view content);
  Answer PutManifest(const std::string& repository, const std::string& reference, const std::string& type,
                     const std::string& content);
  // Begins an upload; its address.
  std::string StartUpload(const std::string& repository);

  // What a restart of the daemon is: everything but the disk is new.
  void Restart(const RegistryHostOptions& host = {});
  TinyStore& store() { return store_; }
  ManualClock& clock() { return clock_; }
  RegistryHost& host() { return *host_; }
  std::size_t piece_bytes = 64 << 10;
  std::string remote = "192.0.2.1";

 private:
  void Build();

  const AccessOptions access_options_;
  const ApiOptions api_options_;
  RegistryHostOptions host_options_;
  TinyStore store_;
  ManualClock clock_;
  std::unique_ptr<RegistryHost> host_;
  std::unique_ptr<Access> access_;
  std::unique_ptr<Api> api_;
};

std::string DigestText(std::string_view content);
// An OCI image manifest of blobs by content; `more` is put behind the layers: `,"subject":…`.
std::string ManifestOf(std::string_view config, const std::vector<std::string>& layers, std::string_view more = "");
std::string DescriptorText(std::string_view type, std::string_view content);

inline constexpr const char* kManifestType = "application/vnd.oci.image.manifest.v1+json";
inline constexpr const char* kIndexType = "application/vnd.oci.image.index.v1+json";

}  // namespace varve::v2
