#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/runtime/detach_keys.h"

namespace varve {
namespace {

using ::testing::HasSubstr;

TEST(RuntimeDetachKeysTest, AreCharactersAndControlCharacters) {
  EXPECT_EQ(*ParseDetachKeys(kDetachKeys), "\x10\x11");
  EXPECT_EQ(*ParseDetachKeys("a,ctrl-a,~,Z"), "a\x01~Z");
  EXPECT_EQ(*ParseDetachKeys("ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_"), std::string("\0\x1b\x1c\x1d\x1e\x1f", 6));
  EXPECT_EQ(*ParseDetachKeys(""), "");
}

TEST(RuntimeDetachKeysTest, WhatIsNoKeyIsNamed) {
  for (const std::string key : {"ctrl-", "ctrl-A", "ctrl-1", "shift-a", "ab", "a,,b"}) {
    const Result<std::string> keys = ParseDetachKeys("x," + key);
    ASSERT_FALSE(keys.ok()) << key;
    EXPECT_THAT(keys.error().message(), HasSubstr("invalid detach keys 'x," + key));
  }
}

TEST(RuntimeDetachKeysTest, WhatIsTypedBeforeThemIsPassedOnAndWhatIsBehindIsNot) {
  DetachKeys keys("pq");
  EXPECT_EQ(keys.Pass("abcpqd"), "abc");
  EXPECT_TRUE(keys.pressed());
}

TEST(RuntimeDetachKeysTest, TheirBeginningIsHeldBackUntilItIsNot) {
  DetachKeys keys("pq");
  EXPECT_EQ(keys.Pass("ap"), "a");
  EXPECT_FALSE(keys.pressed());
  EXPECT_EQ(keys.Pass("b"), "pb");
  EXPECT_EQ(keys.Pass("pp"), "p");
  EXPECT_EQ(keys.Pass("q"), "");
  EXPECT_TRUE(keys.pressed());
}

TEST(RuntimeDetachKeysTest, AreFoundBehindABeginningOfThemselves) {
  DetachKeys keys("aab");
  EXPECT_EQ(keys.Pass("aaab"), "a");
  EXPECT_TRUE(keys.pressed());
}

TEST(RuntimeDetachKeysTest, NoneNeverDetach) {
  DetachKeys keys("");
  EXPECT_EQ(keys.Pass("\x10\x11"), "\x10\x11");
  EXPECT_FALSE(keys.pressed());
}

}  // namespace
}  // namespace varve
