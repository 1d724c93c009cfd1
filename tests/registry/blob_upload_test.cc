#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cached/content/sha256.h"
#include "cached/registry/registry_client.h"
#include "tests/registry/scripted_transport.h"

namespace varve {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::string kText = "0123456789abcdef";
const Digest kDigest = Sha256Of(AsBytes(kText));
const std::string kUploads = "https://registry.example/v2/team/app/blobs/uploads/";
const std::string kPut = "PUT https://registry.example/u?digest=" + kDigest.ToString();
const Error kBroken(Code::kUnavailable, "connection reset");

ScriptedAnswer Session(const std::string& location = "/u") {
  return {.status = 202, .headers = {{"location", location}}};
}
ScriptedAnswer Breaks(std::size_t bytes) { return {.status = 0, .broken_off = kBroken, .takes_bytes = bytes}; }
ScriptedAnswer Has(const std::string& range) {
  return {.status = 204, .headers = {{"location", "/u"}, {"range", range}}};
}
const ScriptedAnswer kTaken{.status = 202};
const ScriptedAnswer kCreated{.status = 201};

// A client that pushes to "registry.example/team/app" over a script.
class BlobUploadTest : public testing::Test {
 protected:
  void Connect(std::deque<ScriptedAnswer> answers) {
    answers.push_front({});  // to /v2/
    transport_ = std::make_unique<ScriptedTransport>(std::move(answers));
    RegistryOptions options;
    options.access = RepositoryAccess::kPush;
    options.credentials = {.username = "me", .password = "", .identity_token = ""};
    options.retry.sleep = [this](std::chrono::milliseconds time) { waited_ += time; };
    client_ =
        RegistryClient::Create(*transport_, *Reference::Parse("registry.example/team/app"), std::move(options), cancel_)
            .value();
  }
  Result<UploadedBlob> Upload(std::deque<ScriptedAnswer> answers, const Digest& expected = kDigest) {
    Connect(std::move(answers));
    BlobUpload upload;
    upload.expected = expected;
    upload.open = [this]() -> HttpBodySource {
      ++opened_;
      auto source = std::make_shared<std::string>(kText);
      return [this, source](std::span<std::byte> into) -> Result<std::size_t> {
        if (source_breaks_ && source->size() < kText.size() / 2) return Error(Code::kUnavailable, "the source is gone");
        const std::size_t size = std::min(into.size(), source->size());
        std::ranges::copy(AsBytes(std::string_view(*source).substr(0, size)), into.begin());
        source->erase(0, size);
        return size;
      };
    };
    return client_->UploadBlob(upload, cancel_);
  }
  // "METHOD url" of all but the first contact.
  std::vector<std::string> Asked() {
    std::vector<std::string> asked;
    for (const HttpCall& request : transport_->requests()) {
      constexpr const char* kNames[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
      asked.push_back(std::string(kNames[static_cast<int>(request.method)]) + " " + request.url);
    }
    asked.erase(asked.begin());
    return asked;
  }
  const HttpCall& request(std::size_t number) { return transport_->requests().at(number + 1); }

  CancelToken cancel_;
  std::chrono::milliseconds waited_{0};
  std::size_t opened_ = 0;
  bool source_breaks_ = false;  // in the second half
  std::unique_ptr<ScriptedTransport> transport_;
  std::unique_ptr<RegistryClient> client_;
};

TEST_F(BlobUploadTest, ItIsPostPatchAndPut) {
  const auto uploaded = Upload({Session(), Session("/u2"), kCreated});
  ASSERT_TRUE(uploaded.ok()) << uploaded.error().message();
  EXPECT_EQ(uploaded->digest, kDigest);
  EXPECT_EQ(uploaded->size_bytes, kText.size());
  EXPECT_THAT(Asked(), ElementsAre("POST " + kUploads, "PATCH https://registry.example/u",
                                   "PUT https://registry.example/u2?digest=" + kDigest.ToString()));
  EXPECT_EQ(request(1).body, kText);
  EXPECT_EQ(waited_.count(), 0);
}

TEST_F(BlobUploadTest, AQueryOfTheLocationIsKept) {
  ASSERT_TRUE(Upload({Session("/u?state=a%2F"), kTaken, kCreated}).ok());
  EXPECT_THAT(Asked(), Contains("PUT https://registry.example/u?state=a%2F&digest=" + kDigest.ToString()));
}

TEST_F(BlobUploadTest, ABrokenOneGoesOnWhereItBroke) {
  const auto uploaded = Upload({Session(), Breaks(9), Has("0-6"), kTaken, kCreated});
  ASSERT_TRUE(uploaded.ok()) << uploaded.error().message();
  EXPECT_THAT(Asked(), ElementsAre("POST " + kUploads, "PATCH https://registry.example/u",
                                   "GET https://registry.example/u", "PATCH https://registry.example/u", kPut));
  EXPECT_EQ(request(3).body, kText.substr(7));
  EXPECT_EQ(uploaded->digest, kDigest) << "what was skipped is hashed too";
}

TEST_F(BlobUploadTest, ASessionThatIsGoneOrCannotSayIsReplaced) {
  const std::deque<ScriptedAnswer> statuses = {{.status = 404}, Has("0-0"), Has("nonsense"), {.status = 204}};
  for (const ScriptedAnswer& status : statuses) {
    ASSERT_TRUE(Upload({Session(), Breaks(9), status, Session(), kTaken, kCreated}).ok());
    EXPECT_EQ(request(4).body, kText);
    EXPECT_TRUE(transport_->finished());
  }
  ASSERT_TRUE(Upload({Session(), {.status = 404}, {.status = 404}, {.status = 404}, Session(), kTaken, kCreated}).ok());
}

TEST_F(BlobUploadTest, ARegistryThatHasLessThanItTookIsAskedAgain) {
  ASSERT_TRUE(Upload({Session(),
                      {.status = 202, .headers = {{"range", "0-9"}}},
                      {.status = 404},
                      Has("0-9"),
                      {.status = 202, .headers = {{"range", "0-15"}}},
                      kCreated})
                  .ok());
  EXPECT_EQ(request(4).body, kText.substr(10));
}

TEST_F(BlobUploadTest, AnAnswerToPutThatIsLostIsLookedUp) {
  ASSERT_TRUE(Upload({Session(), kTaken, {.status = 0, .broken_off = kBroken}, {}}).ok());
  EXPECT_THAT(Asked(), Contains("HEAD https://registry.example/v2/team/app/blobs/" + kDigest.ToString()));
}

TEST_F(BlobUploadTest, AnOverloadedRegistryIsAskedAgainAndThenGivenUp) {
  ASSERT_TRUE(Upload({{.status = 503}, Session(), kTaken, kCreated}).ok());
  EXPECT_EQ(waited_.count(), 500);
  const auto given_up = Upload({5, {.status = 500}});
  EXPECT_EQ(given_up.error().code(), Code::kUnavailable);
  EXPECT_THAT(given_up.error().message(), HasSubstr("(after 5 attempts)"));
}

TEST_F(BlobUploadTest, ARefusalIsNotRepeated) {
  for (const auto& [status, code] : {std::pair(403, Code::kPermissionDenied), std::pair(401, Code::kUnauthenticated),
                                     std::pair(405, Code::kUnknown), std::pair(404, Code::kNotFound)}) {
    const auto uploaded = Upload({{.status = status}});
    EXPECT_EQ(uploaded.error().code(), code) << status;
    EXPECT_THAT(uploaded.error().message(),
                StartsWith("blob " + kDigest.ToString() + " to registry.example/team/app: "));
  }
  EXPECT_EQ(waited_.count(), 0);
}

TEST_F(BlobUploadTest, AnotherBlobThanExpectedIsNotKept) {
  const Digest other = Sha256Of(AsBytes("other"));
  EXPECT_EQ(Upload({Session(), kTaken, kTaken}, other).error().code(), Code::kDataLoss);
  EXPECT_THAT(Asked().back(), StartsWith("DELETE "));
}

TEST_F(BlobUploadTest, AnErrorOfTheSourceIsReturnedAsItIsAndNotRepeated) {
  source_breaks_ = true;
  EXPECT_EQ(Upload({Session(), kTaken, kTaken}).error().message(), "the source is gone");
  EXPECT_EQ(opened_, 1u);
  EXPECT_THAT(Asked().back(), StartsWith("DELETE "));
}

TEST_F(BlobUploadTest, AnAuthorizationThatRanOutMeanwhileIsReplaced) {
  const ScriptedAnswer wants{.status = 401, .headers = {{"www-authenticate", "Basic realm=x"}}, .takes_bytes = 5};
  ASSERT_TRUE(Upload({Session(), wants, Has("0-4"), kTaken, kCreated}).ok());
  EXPECT_EQ(request(3).body, kText.substr(5));
  EXPECT_THAT(request(3).headers, Contains("Authorization: Basic bWU6"));
}

TEST_F(BlobUploadTest, OurOwnHostIsSpokenToAsBefore) {
  ASSERT_TRUE(Upload({Session("http://registry.example/u"), kTaken, kCreated}).ok());
  EXPECT_THAT(Asked(), Contains(kPut));
}

TEST_F(BlobUploadTest, AnotherHostGetsNoAuthorization) {
  const ScriptedAnswer wants{.status = 401, .headers = {{"www-authenticate", "Basic realm=x"}}};
  ASSERT_TRUE(Upload({wants, Session("https://store.example/u"), kTaken, kCreated}).ok());
  EXPECT_THAT(request(1).headers, Contains("Authorization: Basic bWU6"));
  EXPECT_EQ(request(2).url, "https://store.example/u");
  EXPECT_THAT(request(2).headers, Not(Contains(StartsWith("Authorization:"))));
}

TEST_F(BlobUploadTest, WhereItWouldBeUnencryptedOrUnclearItIsNotSent) {
  for (const char* location : {"http://store.example/u", "", "u", "//store.example/u", "ftp://registry.example/u"}) {
    EXPECT_EQ(Upload({Session(location)}).error().code(), Code::kFailedPrecondition) << location;
    EXPECT_TRUE(transport_->finished());
  }
}

TEST_F(BlobUploadTest, WhatIsThereIsFoundByHead) {
  Connect({{}, {.status = 404}, {.status = 503}, {}, {.status = 403}});
  EXPECT_TRUE(client_->HasBlob(kDigest, cancel_).value());
  EXPECT_FALSE(client_->HasBlob(kDigest, cancel_).value());
  EXPECT_TRUE(client_->HasBlob(kDigest, cancel_).value());
  EXPECT_EQ(client_->HasBlob(kDigest, cancel_).error().code(), Code::kPermissionDenied);
}

TEST_F(BlobUploadTest, AMountSendsNothing) {
  Connect({kCreated});
  EXPECT_TRUE(client_->MountBlob(kDigest, "team/base", cancel_).value());
  EXPECT_THAT(Asked(), ElementsAre("POST " + kUploads + "?mount=" + kDigest.ToString() + "&from=team/base"));
}

TEST_F(BlobUploadTest, ARegistryThatDoesNotMountIsNoError) {
  Connect({Session(), kTaken, {.status = 401}, {.status = 405}});
  EXPECT_FALSE(client_->MountBlob(kDigest, "team/base", cancel_).value());
  EXPECT_EQ(Asked().back(), "DELETE https://registry.example/u");
  EXPECT_FALSE(client_->MountBlob(kDigest, "team/base", cancel_).value());
  EXPECT_FALSE(client_->MountBlob(kDigest, "team/base", cancel_).value());
}

TEST_F(BlobUploadTest, AManifestIsPutWithItsType) {
  Connect({{.status = 201, .headers = {{"docker-content-digest", Sha256Of(AsBytes("{ }")).ToString()}}}});
  ASSERT_TRUE(client_->PutManifest("1", AsBytes("{ }"), "application/x", cancel_).ok());
  EXPECT_THAT(Asked(), ElementsAre("PUT https://registry.example/v2/team/app/manifests/1"));
  EXPECT_EQ(request(0).body, "{ }");
  EXPECT_THAT(request(0).headers, Contains("Content-Type: application/x"));
}

TEST_F(BlobUploadTest, AManifestThatTheRegistryCallsSomethingElseIsDataLoss) {
  Connect({{.status = 201, .headers = {{"docker-content-digest", kDigest.ToString()}}}});
  EXPECT_EQ(client_->PutManifest("1", AsBytes("{}"), "x", cancel_).error().code(), Code::kDataLoss);
}

TEST_F(BlobUploadTest, AManifestThatIsRefusedSaysWhy) {
  Connect({{.status = 400, .body = R"({"errors":[{"message":"blob unknown"}]})"}});
  const Status put = client_->PutManifest("1", AsBytes("{}"), "x", cancel_);
  EXPECT_THAT(put.error().message(), StartsWith("manifest registry.example/team/app:1: "));
  EXPECT_THAT(put.error().message(), HasSubstr("blob unknown"));
}

}  // namespace
}  // namespace varve
