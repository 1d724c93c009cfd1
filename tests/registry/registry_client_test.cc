#include "cached/registry/registry_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cached/content/sha256.h"
#include "cached/oci/manifest.h"
#include "tests/registry/scripted_transport.h"

namespace varve {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::string kBlobText = "0123456789abcdef";
const std::string kBearer = R"(Bearer realm="https://auth.example/token",service="the registry")";

Descriptor Blob(std::string_view content = kBlobText) {
  Descriptor blob;
  blob.digest = Sha256Of(AsBytes(content));
  blob.size_bytes = content.size();
  return blob;
}

// A client of "registry.example/team/app" over a script, and the time that it spent waiting.
class RegistryClientTest : public testing::Test {
 protected:
  using Creation = Result<std::unique_ptr<RegistryClient>>;

  void Connect(std::deque<ScriptedAnswer> answers, const std::string& reference = "registry.example/team/app") {
    transport_ = std::make_unique<ScriptedTransport>(std::move(answers));
    options_.retry.sleep = [this](std::chrono::milliseconds time) {
      waited_ += time;
      if (cancel_while_waiting_) cancel_.Cancel();
    };
    created_ = std::make_unique<Creation>(
        RegistryClient::Create(*transport_, *Reference::Parse(reference), options_, cancel_));
  }
  RegistryClient& client() { return ***created_; }
  const Error& creation_error() { return created_->error(); }
  const HttpCall& request(std::size_t number) { return transport_->requests().at(number); }
  std::vector<std::string> Urls() {
    std::vector<std::string> urls;
    for (const HttpCall& request : transport_->requests()) urls.push_back(request.url);
    return urls;
  }
  Status FetchBlob(const Descriptor& blob = Blob()) {
    return client().FetchBlob(
        blob,
        [this](ByteSpan piece) -> Status {
          received_ += AsText(piece);
          return sink_status_;
        },
        cancel_);
  }

  RegistryOptions options_;
  CancelToken cancel_;
  bool cancel_while_waiting_ = false;
  std::chrono::milliseconds waited_{0};
  Status sink_status_;
  std::string received_;
  std::unique_ptr<ScriptedTransport> transport_;
  std::unique_ptr<Creation> created_;
};

const Error kBroken(Code::kUnavailable, "connection reset");

TEST_F(RegistryClientTest, RegistryIsSpokenToOverHttps) {
  Connect({{}});
  EXPECT_THAT(Urls(), ElementsAre("https://registry.example/v2/"));
}

TEST_F(RegistryClientTest, DockerHubHasAnotherHostOnTheWire) {
  Connect({{}, {}}, "debian");
  client().GetManifest("12", cancel_).IgnoreError("only the request matters");
  EXPECT_EQ(request(1).url, "https://registry-1.docker.io/v2/library/debian/manifests/12");
}

TEST_F(RegistryClientTest, LoopbackIsSpokenToOverPlainHttp) {
  for (const char* reference : {"localhost:5000/x", "127.1.2.3:5000/x", "[::1]:5000/x"}) {
    Connect({{}}, reference);
    EXPECT_THAT(Urls(), ElementsAre(StartsWith("http://"))) << reference;
  }
}

TEST_F(RegistryClientTest, NamesThatOnlyLookLikeLoopbackAreNot) {
  for (const char* reference : {"127.0.0.1.example/x", "localhost.example/x", "[::2]:5000/x"}) {
    Connect({{}}, reference);
    EXPECT_THAT(Urls(), ElementsAre(StartsWith("https://"))) << reference;
  }
}

TEST_F(RegistryClientTest, LoopbackThatWantsTlsGetsIt) {
  Connect({{.status = 400}, {}}, "localhost:5000/x");
  EXPECT_THAT(Urls(), ElementsAre("http://localhost:5000/v2/", "https://localhost:5000/v2/"));
}

TEST_F(RegistryClientTest, LoopbackWhoseCertificateIsRefusedSaysThat) {
  const Error untrusted(Code::kFailedPrecondition, "TLS: self-signed certificate");
  Connect({{.status = 0, .broken_off = kBroken}, {.status = 0, .broken_off = untrusted}}, "localhost:5000/x");
  EXPECT_EQ(creation_error().message(), "registry localhost:5000: TLS: self-signed certificate");
}

TEST_F(RegistryClientTest, PlainHttpIsTheFallbackOnlyWhereTlsNeedNotBeVerified) {
  const ScriptedAnswer no_tls{.status = 0, .broken_off = Error(Code::kFailedPrecondition, "TLS: wrong version number")};
  Connect({no_tls});
  EXPECT_EQ(creation_error().message(), "registry registry.example: TLS: wrong version number");
  options_.connection.tls_verification = TlsVerification::kSkipped;
  Connect({no_tls, {}});
  EXPECT_THAT(Urls(), ElementsAre("https://registry.example/v2/", "http://registry.example/v2/"));
}

TEST_F(RegistryClientTest, ServerThatIsNoRegistryIsAnError) {
  Connect({{.status = 400}});
  EXPECT_EQ(creation_error().message(),
            "registry registry.example: it answers /v2/ with status 400: is it a registry?");
}

TEST_F(RegistryClientTest, DeadRegistryIsReportedAtOnce) {
  Connect({{.status = 0, .broken_off = kBroken}});
  EXPECT_EQ(creation_error().code(), Code::kUnavailable);
  EXPECT_EQ(waited_.count(), 0);
}

TEST_F(RegistryClientTest, ManifestComesVerbatimWithItsTypeAndDigest) {
  Connect(
      {{},
       {.headers = {{"content-type", "application/vnd.oci.image.manifest.v1+json; charset=utf-8"}}, .body = "{ }\n"}});
  const auto manifest = client().GetManifest("1.0", cancel_);
  ASSERT_TRUE(manifest.ok()) << manifest.error().message();
  EXPECT_EQ(AsText(manifest->bytes), "{ }\n");
  EXPECT_EQ(manifest->media_type, "application/vnd.oci.image.manifest.v1+json");
  EXPECT_EQ(manifest->digest, Sha256Of(AsBytes("{ }\n")));
  EXPECT_EQ(request(1).url, "https://registry.example/v2/team/app/manifests/1.0");
  EXPECT_THAT(request(1).headers, Contains(HasSubstr("application/vnd.docker.distribution.manifest.list.v2+json")));
}

TEST_F(RegistryClientTest, ManifestThatIsNotTheOneAskedForIsRefused) {
  Connect({{}, {.body = "{}"}});
  const Digest asked = Sha256Of(AsBytes("other"));
  const auto manifest = client().GetManifest(asked, cancel_);
  ASSERT_FALSE(manifest.ok());
  EXPECT_EQ(manifest.error().code(), Code::kDataLoss);
  EXPECT_THAT(manifest.error().message(), StartsWith("manifest registry.example/team/app@" + asked.ToString()));
  EXPECT_THAT(manifest.error().message(), HasSubstr("got " + Sha256Of(AsBytes("{}")).ToString()));
}

TEST_F(RegistryClientTest, ManifestThatIsNotTheOneAnnouncedIsRefused) {
  Connect({{}, {.headers = {{"docker-content-digest", Sha256Of(AsBytes("other")).ToString()}}, .body = "{}"}});
  EXPECT_EQ(client().GetManifest("1", cancel_).error().code(), Code::kDataLoss);
}

TEST_F(RegistryClientTest, ManifestBeyondTheLimitIsRefused) {
  Connect({{}, {.body = std::string(kManifestBytesMax + 1, ' ')}});
  const auto manifest = client().GetManifest("1", cancel_);
  ASSERT_FALSE(manifest.ok());
  EXPECT_EQ(manifest.error().code(), Code::kResourceExhausted);
  EXPECT_EQ(manifest.error().message(),
            "manifest registry.example/team/app:1: the answer (status 200) has more than 4194304 bytes");
}

TEST_F(RegistryClientTest, RefusalsSayWhatAndWhoAndWhatToDo) {
  struct Refusal {
    int status;
    Code code;
    std::string text;
  };
  const Refusal refusals[] = {
      {404, Code::kNotFound, "app:1: not found (status 404: manifest unknown)"},
      {403, Code::kPermissionDenied, "login registry.example"},
      {401, Code::kUnauthenticated, "login registry.example"},
      {418, Code::kUnknown, "registry registry.example answered with status 418: manifest unknown"}};
  for (const Refusal& refusal : refusals) {
    Connect({{}, {.status = refusal.status, .body = R"({"errors":[{"message":"manifest unknown"}]})"}});
    const auto manifest = client().GetManifest("1", cancel_);
    ASSERT_FALSE(manifest.ok());
    EXPECT_EQ(manifest.error().code(), refusal.code) << refusal.status;
    EXPECT_THAT(manifest.error().message(), StartsWith("manifest registry.example/team/app:1: "));
    EXPECT_THAT(manifest.error().message(), HasSubstr(refusal.text));
  }
}

TEST_F(RegistryClientTest, EndlessErrorIsNotReadToItsEnd) {
  Connect({{}, {.status = 404, .body = std::string(1 << 20, 'e')}});
  EXPECT_EQ(client().GetManifest("1", cancel_).error().message(),
            "manifest registry.example/team/app:1: the answer (status 404) has more than 262144 bytes");
}

TEST_F(RegistryClientTest, BearerTokenIsFetchedAndShown) {
  Connect({{.status = 401, .headers = {{"www-authenticate", kBearer}}}, {.body = R"({"token":"t1"})"}, {.body = "{}"}});
  ASSERT_TRUE(client().GetManifest("1", cancel_).ok());
  EXPECT_EQ(request(1).url, "https://auth.example/token?service=the%20registry&scope=repository%3Ateam%2Fapp%3Apull");
  EXPECT_THAT(request(1).headers, Not(Contains(StartsWith("Authorization:"))));
  EXPECT_THAT(request(2).headers, Contains("Authorization: Bearer t1"));
}

TEST_F(RegistryClientTest, OneTokenIsForAllThatAnyRequestNeeds) {
  options_.access = RepositoryAccess::kPush;
  const auto wants = [](const std::string& scope) {
    return ScriptedAnswer{.status = 401, .headers = {{"www-authenticate", kBearer + ",scope=\"" + scope + "\""}}};
  };
  Connect({wants("repository:team/app:pull,push repository:team/base:pull"),
           {.body = R"({"token":"t1"})"},
           wants("repository:team/app:pull"),
           {.body = R"({"token":"t2"})"},
           {.body = "{}"}});
  ASSERT_TRUE(client().GetManifest("1", cancel_).ok());
  const std::string both =
      "https://auth.example/token?service=the%20registry&scope=repository%3Ateam%2Fapp%3Apull%2Cpush"
      "&scope=repository%3Ateam%2Fbase%3Apull";
  EXPECT_EQ(request(1).url, both);
  EXPECT_EQ(request(3).url, both + "&scope=repository%3Ateam%2Fapp%3Apull");
}

TEST_F(RegistryClientTest, PasswordGoesToTheTokenServerOnly) {
  options_.credentials = {.username = "me", .password = "secret", .identity_token = ""};
  Connect({{.status = 401, .headers = {{"www-authenticate", kBearer}}}, {.body = R"({"token":"t1"})"}, {.body = "{}"}});
  ASSERT_TRUE(client().GetManifest("1", cancel_).ok());
  EXPECT_THAT(request(1).headers, Contains("Authorization: Basic bWU6c2VjcmV0"));
  EXPECT_THAT(request(2).headers, Contains("Authorization: Bearer t1"));
}

TEST_F(RegistryClientTest, IdentityTokenIsExchangedByPost) {
  options_.credentials = {.username = "<token>", .password = "", .identity_token = "i d"};
  Connect({{.status = 401, .headers = {{"www-authenticate", kBearer}}},
           {.body = R"({"access_token":"t1"})"},
           {.body = "{}"}});
  ASSERT_TRUE(client().GetManifest("1", cancel_).ok());
  EXPECT_EQ(request(1).method, HttpVerb::kPost);
  EXPECT_EQ(request(1).url, "https://auth.example/token");
  EXPECT_THAT(request(1).body, StartsWith("grant_type=refresh_token&client_id=varve&refresh_token=i%20d&service="));
}

TEST_F(RegistryClientTest, ExpiredTokenIsReplacedWithinTheRequest) {
  const ScriptedAnswer unauthorized{.status = 401, .headers = {{"www-authenticate", kBearer}}};
  Connect(
      {unauthorized, {.body = R"({"token":"t1"})"}, unauthorized, {.body = R"({"token":"t2"})"}, {.body = kBlobText}});
  ASSERT_TRUE(FetchBlob().ok());
  EXPECT_EQ(received_, kBlobText);
  EXPECT_THAT(request(4).headers, Contains("Authorization: Bearer t2"));
}

TEST_F(RegistryClientTest, TokenServerThatIsDownIsAskedAgain) {
  const ScriptedAnswer unauthorized{.status = 401, .headers = {{"www-authenticate", kBearer}}};
  Connect({unauthorized,
           {.status = 503},
           unauthorized,
           {.status = 503},
           unauthorized,
           {.body = R"({"token":"t1"})"},
           {.body = "{}"}});
  EXPECT_TRUE(client().GetManifest("1", cancel_).ok());
  EXPECT_TRUE(transport_->finished());
}

TEST_F(RegistryClientTest, CredentialsNeverGoToAnUnencryptedTokenServer) {
  options_.credentials = {.username = "me", .password = "secret", .identity_token = ""};
  Connect({{.status = 401, .headers = {{"www-authenticate", R"(Bearer realm="http://auth.example/token")"}}}});
  EXPECT_EQ(creation_error().code(), Code::kUnauthenticated);
  EXPECT_THAT(creation_error().message(), HasSubstr("http://auth.example/token would get the credentials unencrypted"));
  EXPECT_EQ(transport_->requests().size(), 1u);
}

TEST_F(RegistryClientTest, BasicCredentialsAreShownToTheRegistry) {
  options_.credentials = {.username = "me", .password = "", .identity_token = ""};
  Connect({{.status = 401, .headers = {{"www-authenticate", "Basic realm=x"}}}, {.body = "{}"}});
  ASSERT_TRUE(client().GetManifest("1", cancel_).ok());
  EXPECT_THAT(request(1).headers, Contains("Authorization: Basic bWU6"));
}

TEST_F(RegistryClientTest, BasicWithoutCredentialsSaysToLogIn) {
  Connect({{.status = 401, .headers = {{"www-authenticate", "Basic realm=x"}}}});
  EXPECT_EQ(creation_error().code(), Code::kUnauthenticated);
  EXPECT_THAT(creation_error().message(), StartsWith("registry.example/team/app:latest: "));
  EXPECT_THAT(creation_error().message(), HasSubstr("log in by varve login registry.example"));
}

TEST_F(RegistryClientTest, TagsAreListedPageByPage) {
  Connect({{},
           {.headers = {{"link", R"(</v2/team/app/tags/list?n=1000&last=b>; rel="next")"}},
            .body = R"({"tags":["a","b"]})"},
           {.status = 503},
           {.body = R"({"tags":["c"]})"}});
  EXPECT_THAT(client().ListTags(cancel_).value(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(request(1).url, "https://registry.example/v2/team/app/tags/list?n=1000");
  EXPECT_EQ(request(3).url, "https://registry.example/v2/team/app/tags/list?n=1000&last=b");
}

TEST_F(RegistryClientTest, TagsThatDoNotEndOrAreNoneAreErrors) {
  Connect({{}, {.headers = {{"link", R"(</x?n=1000>; rel="next")"}}, .body = R"({"tags":["a"]})"}});
  EXPECT_EQ(client().ListTags(cancel_).error().message(),
            "tags of registry.example/team/app: the next page is the same one");
  Connect({{}, {.status = 404}});
  EXPECT_EQ(client().ListTags(cancel_).error().code(), Code::kNotFound);
  Connect({{}, {.body = R"({"tags":["a\u001b[2J"]})"}});
  EXPECT_EQ(client().ListTags(cancel_).error().code(), Code::kInvalidArgument);
}

TEST_F(RegistryClientTest, BlobIsStreamedWithoutWaiting) {
  Connect({{}, {.body = kBlobText}});
  ASSERT_TRUE(FetchBlob().ok());
  EXPECT_EQ(received_, kBlobText);
  EXPECT_EQ(request(1).url, "https://registry.example/v2/team/app/blobs/" + Blob().digest.ToString());
  EXPECT_EQ(waited_.count(), 0);
}

TEST_F(RegistryClientTest, BrokenTransferIsResumedWhereItBroke) {
  Connect({{},
           {.body = "01234", .broken_off = kBroken},
           {.status = 206, .headers = {{"content-range", "bytes 5-15/16"}}, .body = "56789", .broken_off = kBroken},
           {.status = 206, .headers = {{"content-range", "bytes 10-15/16"}}, .body = "abcdef"}});
  ASSERT_TRUE(FetchBlob().ok());
  EXPECT_EQ(received_, kBlobText);
  EXPECT_THAT(request(2).headers, Contains("Range: bytes=5-"));
  EXPECT_THAT(request(3).headers, Contains("Range: bytes=10-"));
}

TEST_F(RegistryClientTest, ServerThatIgnoresRangesIsReadAgainFromTheStart) {
  Connect({{}, {.body = "01234", .broken_off = kBroken}, {.body = kBlobText}});
  ASSERT_TRUE(FetchBlob().ok());
  EXPECT_EQ(received_, kBlobText);
}

TEST_F(RegistryClientTest, WrongRangeIsRefused) {
  for (const char* range : {"bytes 6-15/16", "", "bytes */16"}) {
    received_.clear();
    Connect({{},
             {.body = "01234", .broken_off = kBroken},
             {.status = 206, .headers = {{"content-range", range}}, .body = "x"}});
    EXPECT_EQ(FetchBlob().error().code(), Code::kDataLoss) << range;
    EXPECT_EQ(received_, "01234");
  }
}

TEST_F(RegistryClientTest, NoMoreThanTheBlobsSizeReachesTheSink) {
  Connect({{}, {.body = kBlobText + "and more"}});
  const Status fetched = FetchBlob();
  EXPECT_EQ(fetched.error().code(), Code::kDataLoss);
  EXPECT_THAT(fetched.error().message(),
              StartsWith("blob " + Blob().digest.ToString() + " of registry.example/team/app: "));
  EXPECT_THAT(fetched.error().message(), HasSubstr("more than its 16 bytes"));
  EXPECT_LE(received_.size(), kBlobText.size());
}

TEST_F(RegistryClientTest, BlobThatIsTooShortAtTheRegistryIsDataLoss) {
  Connect({{}, {.body = "01234"}, {.status = 416}});
  const Status fetched = FetchBlob();
  EXPECT_EQ(fetched.error().code(), Code::kDataLoss);
  EXPECT_THAT(fetched.error().message(), HasSubstr("ended after 5 of 16 bytes"));
}

TEST_F(RegistryClientTest, AWholeAnswerThatIsTooShortIsNotAskedForAgain) {
  Connect({{}, {.headers = {{"content-length", "5"}}, .body = "01234"}});
  const Status fetched = FetchBlob();
  EXPECT_EQ(fetched.error().code(), Code::kDataLoss);
  EXPECT_THAT(fetched.error().message(), HasSubstr("ended after 5 of 16 bytes"));
  EXPECT_EQ(waited_.count(), 0);
}

TEST_F(RegistryClientTest, ErrorOfTheSinkIsReturnedAsItIsAndNotRetried) {
  Connect({{}, {.body = kBlobText}});
  sink_status_ = Error(Code::kUnavailable, "the disk went away");
  EXPECT_EQ(FetchBlob().error().message(), "the disk went away");
  EXPECT_TRUE(transport_->finished());
}

TEST_F(RegistryClientTest, EmptyBlobNeedsNoTransfer) {
  Connect({{}});
  EXPECT_TRUE(FetchBlob(Blob("")).ok());
  EXPECT_EQ(transport_->requests().size(), 1u);
}

TEST_F(RegistryClientTest, OverloadedRegistryIsAskedAgainWithGrowingWaits) {
  Connect({{}, {.status = 503}, {.status = 500}, {.status = 0, .broken_off = kBroken}, {.body = kBlobText}});
  ASSERT_TRUE(FetchBlob().ok());
  EXPECT_EQ(waited_.count(), 500 + 1000 + 2000);
}

TEST_F(RegistryClientTest, RetryAfterIsHonoured) {
  Connect({{}, {.status = 429, .headers = {{"retry-after", "7"}}}, {.body = "{}"}});
  ASSERT_TRUE(client().GetManifest("1", cancel_).ok());
  EXPECT_EQ(waited_.count(), 7000);
}

TEST_F(RegistryClientTest, RegistryThatAsksForTooLongAWaitIsGivenUp) {
  Connect({{}, {.status = 429, .headers = {{"retry-after", "3600"}}}});
  const auto manifest = client().GetManifest("1", cancel_);
  EXPECT_EQ(manifest.error().code(), Code::kUnavailable);
  EXPECT_THAT(manifest.error().message(),
              HasSubstr("limits the rate of requests (status 429) (it asks to wait 3600 s)"));
  EXPECT_EQ(waited_.count(), 0);
}

TEST_F(RegistryClientTest, AfterTheLastAttemptTheErrorSaysHowManyThereWere) {
  Connect({{}, {.status = 502}, {.status = 502}, {.status = 502}, {.status = 502}, {.status = 502}});
  const Status fetched = FetchBlob();
  EXPECT_EQ(fetched.error().code(), Code::kUnavailable);
  EXPECT_THAT(fetched.error().message(), HasSubstr("answered with status 502 (after 5 attempts)"));
  EXPECT_TRUE(transport_->finished());
}

TEST_F(RegistryClientTest, LongTransferMayBreakMoreOftenThanThereAreAttempts) {
  const std::string megabyte(1 << 20, 'm');
  std::deque<ScriptedAnswer> answers = {{}};
  std::string content;
  for (int i = 0; i < 8; ++i, content += megabyte) {
    const std::string range = "bytes " + std::to_string(content.size()) + "-";
    answers.push_back({.status = 206, .headers = {{"content-range", range}}, .body = megabyte, .broken_off = kBroken});
  }
  Connect(std::move(answers));
  EXPECT_TRUE(FetchBlob(Blob(content)).ok());
  EXPECT_EQ(received_, content);
}

TEST_F(RegistryClientTest, CancelEndsAWait) {
  Connect({{}, {.status = 503}, {.body = kBlobText}});
  cancel_while_waiting_ = true;
  EXPECT_EQ(FetchBlob().error().code(), Code::kCancelled);
  EXPECT_LT(waited_.count(), 500);
}

}  // namespace
}  // namespace varve
