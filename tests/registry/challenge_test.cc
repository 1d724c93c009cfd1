#include "cached/registry/challenge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace varve {
namespace {

using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

TEST(ChallengeTest, BearerNamesRealmServiceAndScope) {
  const auto challenges = ParseChallenges(
      R"(Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/debian:pull,push")");
  ASSERT_EQ(challenges.size(), 1u);
  EXPECT_EQ(challenges[0].scheme, "bearer");
  EXPECT_THAT(challenges[0].parameters,
              UnorderedElementsAre(Pair("realm", "https://auth.docker.io/token"), Pair("service", "registry.docker.io"),
                                   Pair("scope", "repository:library/debian:pull,push")));
}

TEST(ChallengeTest, SeveralInOneHeaderAreToldApart) {
  const auto challenges = ParseChallenges(R"(Negotiate, Basic realm="a b" , BEARER Realm = c, x=d)");
  ASSERT_EQ(challenges.size(), 3u);
  EXPECT_EQ(challenges[0].scheme, "negotiate");
  EXPECT_EQ(challenges[1].scheme, "basic");
  EXPECT_THAT(challenges[1].parameters, UnorderedElementsAre(Pair("realm", "a b")));
  EXPECT_EQ(challenges[2].scheme, "bearer");
  EXPECT_THAT(challenges[2].parameters, UnorderedElementsAre(Pair("realm", "c"), Pair("x", "d")));
}

TEST(ChallengeTest, QuotedValueMayHoldEscapedQuotes) {
  EXPECT_EQ(ParseChallenges(R"(Basic realm="a\"b\\c")")[0].parameters.at("realm"), R"(a"b\c)");
}

TEST(ChallengeTest, WhatCannotBeReadEndsTheList) {
  for (const char* header : {"", " ,, ", "=x", "\"", "realm=\"x\"", "Basic =x"})
    EXPECT_THAT(ParseChallenges(header), IsEmpty()) << header;
  for (const char* header : {"Basic realm=\"x", "Basic realm=\"x\\"}) {
    const auto challenges = ParseChallenges(header);
    ASSERT_EQ(challenges.size(), 1u) << header;
    EXPECT_THAT(challenges[0].parameters, IsEmpty()) << header;
  }
}

}  // namespace
}  // namespace varve
