#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "cached/base/fs.h"
#include "cli/runtime/environment.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string EnvFile(const TempDir& directory, std::string_view text) {
  const std::string path = directory / "env";
  EXPECT_TRUE(WriteFileAtomically(Fs::Real(), path, AsBytes(text)).ok());
  return path;
}

TEST(RuntimeEnvironmentTest, AnEmptyImageGetsPathAndHostname) {
  EXPECT_THAT(*ContainerEnvironment("box", {}, {}, {}),
              ElementsAre("HOSTNAME=box", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
}

TEST(RuntimeEnvironmentTest, LaterSourcesWin) {
  const TempDir directory;
  const std::string file = EnvFile(directory, "B=file\nC=file\n");
  EXPECT_THAT(
      *ContainerEnvironment("box", {"PATH=/bin", "A=image", "B=image", "C=image"}, {file}, {"C=flag", "C=last"}),
      ElementsAre("A=image", "B=file", "C=last", "HOSTNAME=box", "PATH=/bin"));
}

TEST(RuntimeEnvironmentTest, ABareNameCopiesOurValue) {
  ::setenv("VARVE_TEST_OURS", "here", 1);  // NOLINT(concurrency-mt-unsafe): one thread
  EXPECT_THAT(*ContainerEnvironment("box", {}, {}, {"VARVE_TEST_OURS"}), Contains("VARVE_TEST_OURS=here"));
}

TEST(RuntimeEnvironmentTest, ABareNameThatWeDoNotHaveIsRemoved) {
  EXPECT_THAT(*ContainerEnvironment("box", {"VARVE_TEST_ABSENT=image"}, {}, {"VARVE_TEST_ABSENT"}),
              Not(Contains(StartsWith("VARVE_TEST_ABSENT"))));
}

TEST(RuntimeEnvironmentTest, AFileHasCommentsBlanksAndNoQuoting) {
  const TempDir directory;
  const std::string file = EnvFile(directory, "\xEF\xBB\xBF# comment\n\n  A=\"x\" # y\r\nVARVE_TEST_ABSENT\nB=1=2");
  EXPECT_THAT(*ContainerEnvironment("box", {"VARVE_TEST_ABSENT=image"}, {file}, {}),
              testing::AllOf(Contains("A=\"x\" # y"), Contains("B=1=2"), Contains("VARVE_TEST_ABSENT=image")));
}

TEST(RuntimeEnvironmentTest, BadNamesAreRefusedAndNameTheFile) {
  const TempDir directory;
  EXPECT_EQ(ContainerEnvironment("box", {}, {}, {"=x"}).error().message(), "invalid environment variable: =x");
  const std::string file = EnvFile(directory, "A B=1\n");
  EXPECT_THAT(ContainerEnvironment("box", {}, {file}, {}).error().message(), HasSubstr(file));
}

TEST(RuntimeEnvironmentTest, AFileThatIsNotThereIsAnError) {
  EXPECT_EQ(ContainerEnvironment("box", {}, {"/no/such/file"}, {}).error().code(), Code::kNotFound);
}

TEST(RuntimeEnvironmentTest, MalformedEntriesOfAnImageAreSkipped) {
  EXPECT_THAT(*ContainerEnvironment("box", {"NOVALUE", "=x", "PATH=/bin"}, {}, {}),
              ElementsAre("HOSTNAME=box", "PATH=/bin"));
}

TEST(RuntimeEnvironmentTest, AnExecAddsToTheContainersOwn) {
  EXPECT_EQ(*ExtendedEnvironment({"A=1", "B=2", "malformed"}, {"A=x", "C=3", "VARVE_NOT_SET_ANYWHERE"}),
            (std::vector<std::string>{"A=x", "B=2", "C=3"}));
  EXPECT_FALSE(ExtendedEnvironment({}, {"=x"}).ok());
}

}  // namespace
}  // namespace varve
