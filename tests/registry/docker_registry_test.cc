#include "tests/registry/docker_registry.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <future>
#include <memory>

#include "cached/content/sha256.h"
#include "cached/oci/manifest.h"
#include "cached/oci/media_types.h"
#include "cached/registry/curl_transport.h"
#include "cached/registry/login.h"
#include "cached/registry/registry_client.h"

namespace varve {
namespace {

using testing::HasSubstr;

// An image in a real registry, and what a client of it gets.
class DockerRegistryTest : public testing::Test {
 protected:
  void Serve(DockerRegistry::Access access, DockerRegistry::Tls tls) {
    registry_ = std::make_unique<DockerRegistry>(access, tls);
    const Digest config = registry_->PutBlob("team/app", "{}");
    const Digest layer = registry_->PutBlob("team/app", layer_);
    manifest_ = fmt::format(
        R"({{"schemaVersion":2,"mediaType":"{0}","config":{{"mediaType":"{1}","digest":"{2}","size":2}},)"
        R"("layers":[{{"mediaType":"{3}","digest":"{4}","size":{5}}}]}})",
        kOciManifestType, kOciConfigType, config.ToString(), kOciLayerType, layer.ToString(), layer_.size());
    registry_->PutManifest("team/app", "1", manifest_);
  }

  // Pulls manifest and layer; the SHA-256 of the layer's bytes.
  Result<Digest> Pull(const std::string& tag = "1") {
    const auto reference = Reference::Parse(registry_->domain() + "/team/app:" + tag);
    VARVE_ASSIGN_OR_RETURN(const auto client, RegistryClient::Create(transport_, *reference, options_, cancel_));
    VARVE_ASSIGN_OR_RETURN(const FetchedManifest fetched, client->GetManifest(tag, cancel_));
    EXPECT_EQ(AsText(fetched.bytes), manifest_);
    VARVE_ASSIGN_OR_RETURN(const FetchedManifest again, client->GetManifest(fetched.digest, cancel_));
    EXPECT_EQ(again.bytes, fetched.bytes);
    VARVE_ASSIGN_OR_RETURN(const Manifest manifest, ParseManifest(fetched.bytes, fetched.media_type));
    Sha256 sha256;
    const auto hash = [&](ByteSpan piece) {
      sha256.Update(piece);
      return Ok();
    };
    VARVE_RETURN_IF_ERROR(client->FetchBlob(manifest.layers.at(0), hash, cancel_));
    return sha256.Finish();
  }

  void ExpectPulled() {
    const auto pulled = Pull();
    ASSERT_TRUE(pulled.ok()) << pulled.error().message();
    EXPECT_EQ(*pulled, Sha256Of(AsBytes(layer_)));
  }

  const std::string layer_ = std::string(3'000'000, 'l');
  std::string manifest_;
  std::unique_ptr<DockerRegistry> registry_;
  CurlTransport transport_;
  RegistryOptions options_;
  CancelToken cancel_;
};

using Access = DockerRegistry::Access;
using Tls = DockerRegistry::Tls;

TEST_F(DockerRegistryTest, ImageIsPulledOverPlainHttp) {
  Serve(Access::kOpen, Tls::kNone);
  ExpectPulled();
}

TEST_F(DockerRegistryTest, BlobsAreFetchedInParallelByOneClient) {
  Serve(Access::kPassword, Tls::kServer);
  options_.connection.ca_pem = registry_->Pem("ca.crt");
  options_.credentials = {.username = "me", .password = "secret", .identity_token = ""};
  const auto client =
      RegistryClient::Create(transport_, *Reference::Parse(registry_->domain() + "/team/app:1"), options_, cancel_);
  ASSERT_TRUE(client.ok()) << client.error().message();
  Descriptor blob;
  blob.digest = Sha256Of(AsBytes(layer_));
  blob.size_bytes = layer_.size();
  std::array<std::future<Digest>, 4> fetched;
  for (auto& digest : fetched) {
    digest = std::async(std::launch::async, [&] {
      Sha256 sha256;
      const auto hash = [&](ByteSpan piece) {
        sha256.Update(piece);
        return Ok();
      };
      (*client)->FetchBlob(blob, hash, cancel_).IgnoreError("the digest shows it");
      return sha256.Finish();
    });
  }
  for (auto& digest : fetched) EXPECT_EQ(digest.get(), blob.digest);
}

TEST_F(DockerRegistryTest, UnknownTagIsNotFound) {
  Serve(Access::kOpen, Tls::kNone);
  const auto pulled = Pull("absent");
  EXPECT_EQ(pulled.error().code(), Code::kNotFound);
  EXPECT_THAT(pulled.error().message(), HasSubstr("manifest " + registry_->domain() + "/team/app:absent: not found"));
}

TEST_F(DockerRegistryTest, PasswordOpensIt) {
  Serve(Access::kPassword, Tls::kNone);
  options_.credentials = {.username = "me", .password = "secret", .identity_token = ""};
  ExpectPulled();
}

TEST_F(DockerRegistryTest, NoOrTheWrongPasswordIsUnauthenticated) {
  Serve(Access::kPassword, Tls::kNone);
  EXPECT_EQ(Pull().error().code(), Code::kUnauthenticated);
  EXPECT_THAT(Pull().error().message(), HasSubstr("without credentials"));
  options_.credentials = {.username = "me", .password = "wrong", .identity_token = ""};
  EXPECT_EQ(Pull().error().code(), Code::kUnauthenticated);
  EXPECT_THAT(Pull().error().message(), HasSubstr("log in by varve login " + registry_->domain()));
}

TEST_F(DockerRegistryTest, LoginTellsTheRightPasswordFromAWrongOne) {
  Serve(Access::kPassword, Tls::kNone);
  options_.credentials = {.username = "me", .password = "wrong", .identity_token = ""};
  EXPECT_EQ(CheckLogin(transport_, registry_->domain(), options_, cancel_).error().code(), Code::kUnauthenticated);
  options_.credentials.password = "secret";
  EXPECT_TRUE(CheckLogin(transport_, registry_->domain(), options_, cancel_).ok());
}

TEST_F(DockerRegistryTest, UnknownAuthorityIsATlsErrorThatSaysSo) {
  Serve(Access::kOpen, Tls::kServer);
  const auto pulled = Pull();
  EXPECT_EQ(pulled.error().code(), Code::kFailedPrecondition);
  EXPECT_THAT(pulled.error().message(),
              HasSubstr("TLS certificate: SSL certificate problem: unable to get local issuer"));
}

TEST_F(DockerRegistryTest, AuthorityOfTheCallerIsTrusted) {
  Serve(Access::kOpen, Tls::kServer);
  options_.connection.ca_pem = registry_->Pem("ca.crt");
  ExpectPulled();
}

TEST_F(DockerRegistryTest, AuthorityOfTheRegistryIsTrustedBesideTheSystems) {
  Serve(Access::kOpen, Tls::kServer);
  options_.connection.extra_ca_pem = registry_->Pem("ca.crt");
  ExpectPulled();
}

TEST_F(DockerRegistryTest, VerificationCanBeSkipped) {
  Serve(Access::kOpen, Tls::kServer);
  options_.connection.tls_verification = TlsVerification::kSkipped;
  ExpectPulled();
}

TEST_F(DockerRegistryTest, ClientCertificateIsShownWhereItIsAskedFor) {
  Serve(Access::kOpen, Tls::kServerAndClient);
  options_.connection.ca_pem = registry_->Pem("ca.crt");
  EXPECT_FALSE(Pull().ok());
  options_.connection.client_certificate_pem = registry_->Pem("client.crt");
  options_.connection.client_key_pem = registry_->Pem("client.key");
  ExpectPulled();
}

}  // namespace
}  // namespace varve
