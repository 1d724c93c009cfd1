#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string_view>
#include <vector>

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

// What is typed at once, and what of it and of what was held back is passed on.
struct Typed {
  std::string_view keys;
  std::string_view passed;
};
struct Typing {
  const char* claim;
  const char* detach_keys;
  std::vector<Typed> pieces;
  bool pressed;  // in the end, and no sooner
};

TEST(RuntimeDetachKeysTest, WhatTheyAreNotIsPassedOn) {
  const std::vector<Typing> typings = {
      {"what is typed before them is passed on, what is behind is not", "pq", {{"abcpqd", "abc"}}, true},
      {"their beginning is held back until it is not", "pq", {{"ap", "a"}, {"b", "pb"}, {"pp", "p"}, {"q", ""}}, true},
      {"they are found behind a beginning of themselves", "aab", {{"aaab", "a"}}, true},
      {"none never detach", "", {{"\x10\x11", "\x10\x11"}}, false}};
  for (const Typing& typing : typings) {
    SCOPED_TRACE(typing.claim);
    DetachKeys keys(typing.detach_keys);
    for (const Typed& piece : typing.pieces) {
      EXPECT_FALSE(keys.pressed());
      EXPECT_EQ(keys.Pass(piece.keys), piece.passed);
    }
    EXPECT_EQ(keys.pressed(), typing.pressed);
  }
}

}  // namespace
}  // namespace varve
