#include "cached/registry/login.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/registry/scripted_transport.h"

namespace varve {
namespace {

using testing::Contains;
using testing::HasSubstr;

const ScriptedAnswer kWantsToken{
    .status = 401, .headers = {{"www-authenticate", R"(Bearer realm="https://auth.example/token",service="s")"}}};
const ScriptedAnswer kWantsPassword{.status = 401, .headers = {{"www-authenticate", "Basic realm=x"}}};

class LoginTest : public testing::Test {
 protected:
  Status Login(std::deque<ScriptedAnswer> answers) {
    transport_ = std::make_unique<ScriptedTransport>(std::move(answers));
    RegistryOptions options;
    options.credentials = {.username = "me", .password = "secret", .identity_token = ""};
    return CheckLogin(*transport_, "registry.example", options, cancel_);
  }

  std::unique_ptr<ScriptedTransport> transport_;
  CancelToken cancel_;
};

TEST_F(LoginTest, PasswordIsShownToTheRegistryThatAsksForIt) {
  EXPECT_TRUE(Login({kWantsPassword, {}}).ok());
  EXPECT_EQ(transport_->requests().at(1).url, "https://registry.example/v2/");
  EXPECT_THAT(transport_->requests().at(1).headers, Contains("Authorization: Basic bWU6c2VjcmV0"));
}

TEST_F(LoginTest, TokenIsFetchedForNoRepositoryAndTried) {
  EXPECT_TRUE(Login({kWantsToken, {.body = R"({"token":"t"})"}, {}}).ok());
  EXPECT_EQ(transport_->requests().at(1).url, "https://auth.example/token?service=s");
  EXPECT_THAT(transport_->requests().at(2).headers, Contains("Authorization: Bearer t"));
}

TEST_F(LoginTest, RefusedPasswordIsUnauthorized) {
  const std::deque<ScriptedAnswer> refusals[] = {{kWantsPassword, kWantsPassword},
                                                 {kWantsToken, {.status = 401}},
                                                 {kWantsToken, {.body = R"({"token":"t"})"}, kWantsToken},
                                                 {kWantsPassword, {.status = 403}}};
  for (const auto& answers : refusals) {
    const Status login = Login(answers);
    EXPECT_EQ(login.error().code(), Code::kUnauthenticated);
    EXPECT_THAT(login.error().message(), HasSubstr("registry registry.example: unauthorized: "));
    EXPECT_TRUE(transport_->finished());
  }
}

TEST_F(LoginTest, RegistryThatAsksForNothingTakesAnything) { EXPECT_TRUE(Login({{}}).ok()); }

TEST_F(LoginTest, WhatIsNotTheCredentialsFaultHasAnotherCode) {
  EXPECT_EQ(Login({{.status = 503}}).error().code(), Code::kUnavailable);
  EXPECT_EQ(Login({kWantsToken, {.status = 503}}).error().code(), Code::kUnavailable);
  EXPECT_EQ(Login({{.status = 404}}).error().code(), Code::kUnknown);
}

}  // namespace
}  // namespace varve
