#include "cached/registry/answers.h"

#include <gtest/gtest.h>

namespace varve {
namespace {

TEST(TokenAnswerTest, TokenHasTwoNames) {
  EXPECT_EQ(*ParseTokenAnswer(AsBytes(R"({"token":"a","access_token":"b"})")), "a");
  EXPECT_EQ(*ParseTokenAnswer(AsBytes(R"({"access_token":"b","expires_in":300})")), "b");
}

TEST(TokenAnswerTest, WhatDoesNotFitIntoAHeaderIsNoToken) {
  for (const char* json :
       {"{}", "x", R"({"token":7})", R"({"token":""})", R"({"token":"a\r\nX: y"})", R"({"token":"a b"})"}) {
    const auto token = ParseTokenAnswer(AsBytes(json));
    ASSERT_FALSE(token.ok()) << json;
    EXPECT_EQ(token.error().code(), Code::kInvalidArgument);
  }
}

TEST(ErrorAnswerTest, FirstMessageIsPutOnOneLine) {
  EXPECT_EQ(ParseErrorAnswer(AsBytes(R"({"errors":[{"code":"X","message":"manifest\nunknown"},{"message":"b"}]})")),
            "manifest unknown");
  EXPECT_EQ(ParseErrorAnswer(AsBytes(R"({"errors":[{"code":"DENIED"}]})")), "DENIED");
}

TEST(ErrorAnswerTest, WhatIsNoErrorSaysNothing) {
  for (const char* json : {"", "<html>", "{}", R"({"errors":[]})", R"({"errors":[7]})", R"({"errors":{}})"}) {
    EXPECT_EQ(ParseErrorAnswer(AsBytes(json)), "") << json;
  }
}

TEST(ErrorAnswerTest, LongMessageIsCutOff) {
  EXPECT_EQ(ParseErrorAnswer(AsBytes(R"({"errors":[{"message":")" + std::string(1000, 'm') + R"("}]})")),
            std::string(200, 'm'));
}

}  // namespace
}  // namespace varve
