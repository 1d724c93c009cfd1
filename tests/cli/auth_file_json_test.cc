#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/auth_file.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

// A caller whose docker keeps its configuration in a directory of the test's own.
class AuthFileTest : public testing::Test {
 protected:
  AuthFileTest() {
    for (const char* name : {"REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "HOME"}) ::unsetenv(name);
    Set("DOCKER_CONFIG", directory_ / "docker");
  }

  static void Set(const char* name, const std::string& value) {
    ASSERT_EQ(::setenv(name, value.c_str(), 1), 0);  // NOLINT(concurrency-mt-unsafe): no thread reads it
  }
  std::string file() const { return directory_ / "docker/config.json"; }
  void Write(const std::string& text) {
    std::filesystem::create_directories(directory_ / "docker");
    std::ofstream(file()) << text;
  }
  static std::string Read(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
  Json Config() const { return Json::parse(Read(file())); }
  static v1::RegistryAccess Kept(const std::string& domain) {
    v1::RegistryAccess access;
    const Status filled = FillCredentials(domain, access);
    EXPECT_TRUE(filled.ok()) << filled.error().message();
    return access;
  }
  // A helper that keeps one secret in a file, for as long as the test runs.
  void InstallHelper(const std::string& name) {
    const std::string program = directory_ / ("docker-credential-" + name);
    const std::string secret = directory_ / (name + ".secret");
    std::ofstream(program) << "#!/bin/sh\nread -r asked\ncase $1 in\n"
                           << "store) echo \"$asked\" >" << secret << ";;\n"
                           << "erase) rm " << secret << ";;\n"
                           << "get) cat " << secret << " 2>/dev/null || "
                           << "{ echo credentials not found in native keychain; exit 1; };;\nesac\n";
    ASSERT_EQ(::chmod(program.c_str(), 0755), 0);
    Set("PATH", directory_.path() + ":/usr/bin:/bin");
  }

  TempDir directory_;
};

TEST_F(AuthFileTest, WhatWasKeptIsFoundAgain) {
  const auto kept = KeepCredentials("127.0.0.1:5000", "me", "se:cret\xc3\xa9");
  ASSERT_TRUE(kept.ok()) << kept.error().message();
  EXPECT_EQ(kept->where, file());
  EXPECT_EQ(Kept("127.0.0.1:5000").username(), "me");
  EXPECT_EQ(Kept("127.0.0.1:5000").password(), "se:cret\xc3\xa9");
  EXPECT_EQ(Kept("127.0.0.1:5001").username(), "");
}

TEST_F(AuthFileTest, OnlyTheOwnerReadsTheFile) {
  ASSERT_TRUE(KeepCredentials("registry.example", "me", "secret").ok());
  struct stat status{};
  ASSERT_EQ(::stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  Write(R"({"auths":{}})");
  ASSERT_EQ(::chmod(file().c_str(), 0644), 0);
  ASSERT_TRUE(KeepCredentials("registry.example", "me", "secret").ok());
  ASSERT_EQ(::stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(AuthFileTest, OtherKeysAndRegistriesStay) {
  Write(R"({"detachKeys":"ctrl-x","auths":{"other.example":{"auth":"YTpi"}},"proxies":{"default":{"httpProxy":"p"}}})");
  const Json before = Config();
  ASSERT_TRUE(KeepCredentials("registry.example", "me", "secret").ok());
  EXPECT_EQ(Config()["auths"]["registry.example"]["auth"], "bWU6c2VjcmV0");
  ASSERT_TRUE(EraseCredentials("registry.example").value());
  EXPECT_EQ(Config(), before);
}

TEST_F(AuthFileTest, DockerHubHasTheKeyOfItsFirstApi) {
  ASSERT_TRUE(KeepCredentials("docker.io", "me", "secret").ok());
  EXPECT_TRUE(Config()["auths"].contains("https://index.docker.io/v1/"));
  EXPECT_EQ(Kept("docker.io").username(), "me");
}

TEST_F(AuthFileTest, ErasingWhatIsNotThereWritesNothing) {
  EXPECT_FALSE(EraseCredentials("registry.example").value());
  EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(AuthFileTest, AFileThatIsNoJsonIsLeftAsItIs) {
  Write("{ half");
  const auto kept = KeepCredentials("registry.example", "me", "secret");
  EXPECT_THAT(kept.error().message(), HasSubstr(file() + ": is not a JSON object"));
  EXPECT_EQ(Read(file()), "{ half");
}

TEST_F(AuthFileTest, ALinkToTheFileStaysOne) {
  Write("{}");
  std::filesystem::rename(file(), directory_ / "real.json");
  std::filesystem::create_symlink("../real.json", file());
  ASSERT_TRUE(KeepCredentials("registry.example", "me", "secret").ok());
  EXPECT_TRUE(std::filesystem::is_symlink(file()));
  EXPECT_THAT(Read(directory_ / "real.json"), HasSubstr("registry.example"));
}

TEST_F(AuthFileTest, PodmansFileIsWrittenWhereItIsRead) {
  Set("XDG_RUNTIME_DIR", directory_ / "run");
  std::filesystem::create_directories(directory_ / "run/containers");
  std::ofstream(directory_ / "run/containers/auth.json") << "{}";
  ASSERT_TRUE(KeepCredentials("registry.example", "me", "secret").ok());
  EXPECT_THAT(Read(directory_ / "run/containers/auth.json"), HasSubstr("registry.example"));
  EXPECT_FALSE(std::filesystem::exists(file()));
  Set("REGISTRY_AUTH_FILE", directory_ / "mine.json");
  EXPECT_EQ(Kept("registry.example").username(), "me") << "a file that is not there hides nothing";
}

TEST_F(AuthFileTest, NowhereToKeepItIsAnError) {
  ::unsetenv("DOCKER_CONFIG");
  EXPECT_EQ(KeepCredentials("registry.example", "me", "secret").error().code(), Code::kFailedPrecondition);
}

TEST_F(AuthFileTest, TheHelperKeepsTheSecretAndTheFileOnlySaysSo) {
  InstallHelper("test");
  Write(R"({"credsStore":"test"})");
  const auto kept = KeepCredentials("registry.example", "me", "secret");
  ASSERT_TRUE(kept.ok()) << kept.error().message();
  EXPECT_EQ(kept->where, "docker-credential-test");
  EXPECT_EQ(Config(), Json::parse(R"({"credsStore":"test","auths":{"registry.example":{}}})"));
  EXPECT_THAT(Read(directory_ / "test.secret"), HasSubstr(R"("ServerURL":"registry.example")"));
  EXPECT_EQ(Kept("registry.example").password(), "secret");
  EXPECT_TRUE(EraseCredentials("registry.example").value());
  EXPECT_FALSE(std::filesystem::exists(directory_ / "test.secret"));
  EXPECT_EQ(Kept("registry.example").password(), "");
}

TEST_F(AuthFileTest, TheHelperOfOneRegistryIsAskedForThatOneOnly) {
  InstallHelper("one");
  Write(R"({"credHelpers":{"registry.example":"one"}})");
  ASSERT_TRUE(KeepCredentials("registry.example", "me", "secret").ok());
  ASSERT_TRUE(KeepCredentials("other.example", "you", "word").ok());
  EXPECT_EQ(Kept("registry.example").username(), "me");
  EXPECT_EQ(Kept("other.example").username(), "you");
  EXPECT_EQ(Config()["auths"]["registry.example"], Json::object());
}

TEST_F(AuthFileTest, WhatAHelperCannotKeepIsAnError) {
  InstallHelper("test");
  Write(R"({"credsStore":"test"})");
  EXPECT_EQ(KeepCredentials("registry.example", "me", "\xff").error().code(), Code::kInvalidArgument);
}

TEST_F(AuthFileTest, FieldsOfAnotherTypeCountAsAbsent) {
  Write(R"({"credsStore":1,"auths":{"registry.example":{"auth":5,"username":["me"],"identitytoken":{}}}})");
  EXPECT_EQ(Kept("registry.example").username(), "");
}

TEST_F(AuthFileTest, AHelperThatIsNotThereIsNamed) {
  Write(R"({"credsStore":"absent"})");
  EXPECT_THAT(KeepCredentials("registry.example", "me", "secret").error().message(),
              HasSubstr("docker-credential-absent: the credential helper"));
}

TEST(RegistryDomainTest, UsersWriteItInManyWays) {
  for (const char* server : {"", "docker.io", "index.docker.io", "https://index.docker.io/v1/", "registry-1.docker.io"})
    EXPECT_EQ(RegistryDomain(server).value(), "docker.io") << server;
  for (const char* server : {"127.0.0.1:5000", "http://127.0.0.1:5000", "https://127.0.0.1:5000/v2/"})
    EXPECT_EQ(RegistryDomain(server).value(), "127.0.0.1:5000") << server;
  for (const char* server : {"name", "a b.example", "registry.example:port", "user@registry.example"})
    EXPECT_EQ(RegistryDomain(server).error().code(), Code::kInvalidArgument) << server;
}

TEST_F(AuthFileTest, DetachKeysAreThoseOfDockersConfiguration) {
  EXPECT_EQ(ConfiguredDetachKeys().value(), std::nullopt);
  Write(R"({"auths": {}, "detachKeys": "ctrl-b,z"})");
  EXPECT_EQ(ConfiguredDetachKeys().value(), "ctrl-b,z");
  Set("REGISTRY_AUTH_FILE", directory_ / "auth.json");  // podman's, which has none
  std::ofstream(directory_ / "auth.json") << R"({"detachKeys": "a"})";
  EXPECT_EQ(ConfiguredDetachKeys().value(), "ctrl-b,z");
  Write("[]");
  EXPECT_THAT(ConfiguredDetachKeys().error().message(), HasSubstr(file()));
}

}  // namespace
}  // namespace varve
