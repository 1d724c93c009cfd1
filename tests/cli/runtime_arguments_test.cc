#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/runtime/arguments.h"

namespace varve {
namespace {

using ::testing::ElementsAre;

const ContainerConfig kImage = [] {
  ContainerConfig config;
  config.entrypoint = {"/entry", "-v"};
  config.cmd = {"serve", "all"};
  return config;
}();

TEST(RuntimeArgumentsTest, EntrypointIsFollowedByTheImagesCommand) {
  EXPECT_THAT(*ContainerArguments(kImage, std::nullopt, {}), ElementsAre("/entry", "-v", "serve", "all"));
}

TEST(RuntimeArgumentsTest, ArgumentsReplaceTheImagesCommand) {
  EXPECT_THAT(*ContainerArguments(kImage, std::nullopt, {"help"}), ElementsAre("/entry", "-v", "help"));
}

TEST(RuntimeArgumentsTest, AnotherEntrypointDropsTheImagesCommand) {
  EXPECT_THAT(*ContainerArguments(kImage, "/bin/sh", {}), ElementsAre("/bin/sh"));
  EXPECT_THAT(*ContainerArguments(kImage, "/bin/sh", {"-c", "x"}), ElementsAre("/bin/sh", "-c", "x"));
}

TEST(RuntimeArgumentsTest, WithoutEntrypointAndArgumentsTheArgumentsAreTheImages) {
  EXPECT_THAT(CommandArguments(kImage, std::nullopt, {}), ElementsAre("serve", "all"));
  EXPECT_THAT(CommandArguments(kImage, std::nullopt, {"help"}), ElementsAre("help"));
  EXPECT_THAT(CommandArguments(kImage, "/bin/sh", {}), testing::IsEmpty());
}

TEST(RuntimeArgumentsTest, AnEmptyEntrypointMeansNone) {
  EXPECT_THAT(*ContainerArguments(kImage, "", {"ls"}), ElementsAre("ls"));
  EXPECT_THAT(ContainerArguments(kImage, "", {}).error().message(), testing::HasSubstr("no command specified"));
}

TEST(RuntimeArgumentsTest, AnImageWithoutCommandNeedsOne) {
  EXPECT_EQ(ContainerArguments({}, std::nullopt, {}).error().code(), Code::kInvalidArgument);
  EXPECT_THAT(*ContainerArguments({}, std::nullopt, {"ls"}), ElementsAre("ls"));
}

TEST(RuntimeArgumentsTest, TheWorkingDirectoryIsTheCallersThenTheImagesThenTheRoot) {
  ContainerConfig config;
  EXPECT_EQ(*ContainerWorkingDirectory(config, ""), "/");
  config.working_dir = "/app";
  EXPECT_EQ(*ContainerWorkingDirectory(config, ""), "/app");
  EXPECT_EQ(*ContainerWorkingDirectory(config, "/srv"), "/srv");
  config.working_dir = "relative";
  EXPECT_EQ(*ContainerWorkingDirectory(config, ""), "/relative");
}

TEST(RuntimeArgumentsTest, ARelativeWorkingDirectoryIsRefused) {
  EXPECT_EQ(ContainerWorkingDirectory({}, "srv").error().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace varve
