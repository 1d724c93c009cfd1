#include "cached/oci/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace varve {
namespace {

using testing::HasSubstr;

const std::string kHex = std::string(64, 'a');

struct Spelling {
  std::string text;
  std::string canonical;
  std::string familiar;
};

const Spelling kSpellings[] = {
    {"debian", "docker.io/library/debian:latest", "debian:latest"},
    {"debian:12", "docker.io/library/debian:12", "debian:12"},
    {"library/debian", "docker.io/library/debian:latest", "debian:latest"},
    {"docker.io/debian", "docker.io/library/debian:latest", "debian:latest"},
    {"index.docker.io/library/debian:12", "docker.io/library/debian:12", "debian:12"},
    {"grafana/loki", "docker.io/grafana/loki:latest", "grafana/loki:latest"},
    {"library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"},
    {"localhost/x", "localhost/x:latest", "localhost/x:latest"},
    {"localhost:5000", "docker.io/library/localhost:5000", "localhost:5000"},
    {"localhost:5000/x", "localhost:5000/x:latest", "localhost:5000/x:latest"},
    {"127.0.0.1:5000/x:1", "127.0.0.1:5000/x:1", "127.0.0.1:5000/x:1"},
    {"[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest"},
    {"[fe80::1]/x", "[fe80::1]/x:latest", "[fe80::1]/x:latest"},
    {"UPPER/x", "UPPER/x:latest", "UPPER/x:latest"},
    {"ghcr.io/a-b/c__d/e.f_g--h:v1.0_X-", "ghcr.io/a-b/c__d/e.f_g--h:v1.0_X-", "ghcr.io/a-b/c__d/e.f_g--h:v1.0_X-"},
    {"debian@sha256:" + kHex, "docker.io/library/debian@sha256:" + kHex, "debian@sha256:" + kHex},
    {"debian:12@sha256:" + kHex, "docker.io/library/debian:12@sha256:" + kHex, "debian:12@sha256:" + kHex},
    {"x.y/" + kHex, "x.y/" + kHex + ":latest", "x.y/" + kHex + ":latest"},
    {"x:" + std::string(128, 't'), "docker.io/library/x:" + std::string(128, 't'), "x:" + std::string(128, 't')}};

TEST(ReferenceTest, IsNormalisedAsDockerDoes) {
  for (const Spelling& spelling : kSpellings) {
    SCOPED_TRACE(spelling.text);
    const auto reference = Reference::Parse(spelling.text);
    ASSERT_TRUE(reference.ok()) << reference.error().message();
    EXPECT_EQ(reference->Canonical(), spelling.canonical);
    EXPECT_EQ(reference->Familiar(), spelling.familiar);
  }
}

TEST(ReferenceTest, ParsesToItselfFromBothOfItsNames) {
  for (const Spelling& spelling : kSpellings) {
    const auto reference = Reference::Parse(spelling.text);
    ASSERT_TRUE(reference.ok()) << reference.error().message();
    EXPECT_EQ(*Reference::Parse(spelling.canonical), *reference);
    EXPECT_EQ(*Reference::Parse(spelling.familiar), *reference);
  }
}

struct Refusal {
  std::string text;
  std::string reason;
};

const Refusal kRefusals[] = {{"", "no name"},
                             {"UPPER/case:???", "\"???\" is not a tag"},
                             {kHex, "image ID"},
                             {"Debian", "lower case"},
                             {"ghcr.io/Debian", "lower case"},
                             {"debian:", "not a tag"},
                             {"debian:-x", "not a tag"},
                             {"x:" + std::string(129, 't'), "not a tag"},
                             {"debian@", "digest"},
                             {"debian@sha256:abc", "64 hex digits"},
                             {"debian@md5:" + kHex, "only sha256"},
                             {"debian@sha256:" + std::string(64, 'A'), "lower case"},
                             {"a//b", "not a repository name"},
                             {"a/", "not a repository name"},
                             {"-a", "not a repository name"},
                             {"a___b", "not a repository name"},
                             {"a..b", "not a repository name"},
                             {"a-_b", "not a repository name"},
                             {"a b", "not a repository name"},
                             {"x.y/", "no name"},
                             {"/x", "not a repository name"},
                             {"-x.y/z", "not a registry's host"},
                             {"x.y:/z", "not a registry's host"},
                             {"x.y:port/z", "not a registry's host"},
                             {"[::1/z", "not a registry's host"},
                             {"[]:1/z", "not a registry's host"},
                             {"x.y/" + std::string(256, 'p'), "longer than 255"},
                             {"https://ghcr.io/x", "not a registry's host"}};

TEST(ReferenceTest, RefusalSaysWhatIsWrong) {
  for (const Refusal& refusal : kRefusals) {
    SCOPED_TRACE(refusal.text);
    const auto reference = Reference::Parse(refusal.text);
    ASSERT_FALSE(reference.ok()) << reference->Canonical();
    EXPECT_EQ(reference.error().code(), Code::kInvalidArgument);
    EXPECT_THAT(reference.error().message(), HasSubstr("invalid reference \"" + refusal.text.substr(0, 200) + "\""));
    EXPECT_THAT(reference.error().message(), HasSubstr(refusal.reason));
  }
}

TEST(ReferenceTest, DigestWithoutATagLeavesTheTagEmpty) {
  const auto reference = Reference::Parse("debian@sha256:" + kHex);
  ASSERT_TRUE(reference.ok());
  EXPECT_EQ(reference->tag, "");
  EXPECT_EQ(reference->digest, *Digest::FromHexText(kHex));
}

TEST(ReferenceTest, RepositoryIsWithoutTagAndDigest) {
  const auto reference = Reference::Parse("debian:12@sha256:" + kHex);
  ASSERT_TRUE(reference.ok());
  EXPECT_EQ(reference->Repository(), "docker.io/library/debian");
  EXPECT_EQ(reference->FamiliarRepository(), "debian");
}

}  // namespace
}  // namespace varve
