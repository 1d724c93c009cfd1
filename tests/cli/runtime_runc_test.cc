#include <gtest/gtest.h>

#include "cli/runtime/runc.h"

namespace varve {
namespace {

std::string Line(const std::string& message) {
  return "time=\"2026-01-02T03:04:05Z\" level=error msg=\"runc run failed: " + message + "\"\n";
}
std::string Exec(const std::string& why) {
  return Line("unable to start container process: exec: \\\"/permission denied/x\\\": " + why);
}

TEST(RuntimeRuncTest, ACommandThatIsNotThereIs127) {
  EXPECT_EQ(StartFailure(Exec("stat /x: no such file or directory")), 127);
  EXPECT_EQ(StartFailure(Exec("executable file not found in $PATH")), 127);
}

TEST(RuntimeRuncTest, ACommandThatCannotBeExecutedIs126) {
  EXPECT_EQ(StartFailure(Exec("permission denied")), 126);
  EXPECT_EQ(StartFailure(Exec("is a directory")), 126);
}

TEST(RuntimeRuncTest, AnyOtherFailureToStartIs125) {
  EXPECT_EQ(StartFailure(Line("error mounting \\\"/v\\\": stat /v: no such file or directory")), 125);
}

TEST(RuntimeRuncTest, AContainerThatStartedKeepsItsExitCode) {
  EXPECT_EQ(StartFailure(""), std::nullopt);
  EXPECT_EQ(StartFailure("time=\"x\" level=warning msg=\"exec: permission denied\"\n"), std::nullopt);
}

TEST(RuntimeRuncTest, WhatRuncSaidIsUnwrappedAndKeepsItsExitCode) {
  const Error error = StartError(Exec("stat /x: no such file or directory"));
  EXPECT_EQ(error.message(),
            "unable to start container process: exec: \"/permission denied/x\": stat /x: no such file or directory");
  EXPECT_EQ(StartExitCode(error), 127);
  EXPECT_EQ(StartExitCode(StartError(Exec("permission denied"))), 126);
  EXPECT_EQ(StartExitCode(StartError("something else")), 125);
  EXPECT_EQ(StartError("something else").message(), "something else");
  const Error stopped = StartError("time=\"x\" level=error msg=\"cannot start a container that has stopped\"\n");
  EXPECT_EQ(stopped.message(), "cannot start a container that has stopped");
  EXPECT_EQ(StartExitCode(stopped), 125);
}

TEST(RuntimeRuncTest, CreateAndExecFailLikeRun) {
  for (const char* what : {"runc create failed: ", "exec failed: "}) {
    EXPECT_EQ(
        StartFailure("level=error msg=\"" + std::string(what) +
                     "unable to start container process: exec: \\\"x\\\": executable file not found in $PATH\"\n"),
        127);
  }
}

}  // namespace
}  // namespace varve
