#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "cli/runtime/binfmt.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using ::testing::HasSubstr;

class RuntimeBinfmtTest : public testing::Test {
 protected:
  void Register(const std::string& text) { std::ofstream(handlers_ / "qemu") << text; }
  Status Check(const std::string& architecture) const {
    return CheckExecutable({.os = "linux", .architecture = architecture, .variant = ""}, handlers_.path());
  }

 private:
  const TempDir handlers_;
};

// One that is not this machine's.
const std::string kForeign = Platform::Host().architecture == "s390x" ? "riscv64" : "s390x";
const std::string kRest = "\ninterpreter /usr/bin/qemu\nflags: F\noffset 0\nmagic ";
const std::string kS390x = "7f454c4602020100000000000000000000020016";
const std::string kRiscv64 = "7f454c460201010000000000000000000200f300";
const std::string kForeignMagic = kForeign == "s390x" ? kS390x : kRiscv64;
const std::string kOtherMagic = kForeign == "s390x" ? kRiscv64 : kS390x;

TEST_F(RuntimeBinfmtTest, TheMachinesOwnNeedNothing) {
  EXPECT_TRUE(Check(Platform::Host().architecture).ok());
  EXPECT_TRUE(Check("").ok()) << "an image that does not say";
}

TEST_F(RuntimeBinfmtTest, ForeignProgramsNeedAnEmulator) {
  EXPECT_THAT(Check(kForeign).error().message(), HasSubstr("the image is for linux/" + kForeign));
  Register("enabled" + kRest + kForeignMagic + "\n");
  EXPECT_TRUE(Check(kForeign).ok());
}

TEST_F(RuntimeBinfmtTest, OneThatIsDisabledOrForAnotherProcessorIsNone) {
  Register("enabled" + kRest + kOtherMagic + "\n");
  EXPECT_FALSE(Check(kForeign).ok());
  Register("disabled" + kRest + kForeignMagic + "\n");
  EXPECT_FALSE(Check(kForeign).ok());
}

}  // namespace
}  // namespace varve
