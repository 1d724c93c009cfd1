#include "cached/server/v2/access.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/server/v2/api_client.h"
#include "tests/support/temp_dir.h"

namespace varve::v2 {
namespace {

// htpasswd -Bbn user secret, and reader only; cost 5.
constexpr std::string_view kUser = "user:$2y$05$RRTd8Z4UQPgCAcx0xgrH7.Cto6We2vQoEMHdz.qRfqlv7mLFXrnF2";
constexpr std::string_view kReader = "reader:$2y$05$p4CyynHmeBd1uKuj5daWtOnYqe1Ssr/P2evtYqYjNuwI4TeBOyQjC";

class AccessTest : public testing::Test {
 protected:
  AccessTest() { Write(std::string(kUser) + "\n# a comment\n\n" + std::string(kReader) + "\r\n"); }
  void Write(const std::string& text) {
    std::ofstream(directory_ / "new") << text;
    std::filesystem::rename(directory_ / "new", directory_ / "htpasswd");
  }
  AccessOptions Options() {
    AccessOptions options;
    options.htpasswd_file = directory_ / "htpasswd";
    return options;
  }
  static ApiClient::Fields As(const std::string& user_and_password) {
    return {{"Authorization", "Basic " + ToBase64(user_and_password)}};
  }

  const TempDir directory_;
};

TEST_F(AccessTest, NobodyIsAskedWhereNoUsersAreKnown) {
  ApiClient api;
  api.PushBlob("team/app", "content");
  EXPECT_EQ(api.Get("/v2/team/app/blobs/" + DigestText("content")).status, 200);
}

TEST_F(AccessTest, WhoDoesNotSayWhoTheyAreIsAskedForAPassword) {
  ApiClient api(Options());
  for (const std::string path : {"/v2/", "/v2/_catalog", "/v2/team/app/tags/list"}) {
    const Answer answer = api.Get(path);
    EXPECT_EQ(answer.status, 401) << path;
    EXPECT_EQ(answer.error(), "UNAUTHORIZED");
    EXPECT_EQ(answer["www-authenticate"], "Basic realm=\"varve\", charset=\"UTF-8\"");
  }
}

TEST_F(AccessTest, TheRightPasswordOpens) {
  ApiClient api(Options());
  EXPECT_EQ(api.Get("/v2/", As("user:secret")).status, 200);
  EXPECT_EQ(api.Get("/v2/", As("user:wrong")).status, 401);
  EXPECT_EQ(api.Get("/v2/", As("nobody:secret")).status, 401);
  EXPECT_EQ(api.Get("/v2/", As("user:secretly")).status, 401);
  EXPECT_EQ(api.Get("/v2/", {{"Authorization", "Bearer x"}}).status, 401);
  EXPECT_EQ(api.Get("/v2/", {{"Authorization", "Basic !"}}).status, 401);
}

TEST_F(AccessTest, AReaderReadsAndDoesNotWrite) {
  AccessOptions options = Options();
  options.read_only_users = {"reader"};
  ApiClient api(options);
  EXPECT_EQ(api.Get("/v2/team/app/tags/list", As("reader:only")).error(), "NAME_UNKNOWN");
  const Answer refused = api.Send("POST", "/v2/team/app/blobs/uploads/", "", As("reader:only"));
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.error(), "DENIED");
  EXPECT_EQ(api.Send("POST", "/v2/team/app/blobs/uploads/", "", As("user:secret")).status, 202);
}

TEST_F(AccessTest, AnonymousReadsWhereItMay) {
  AccessOptions options = Options();
  options.anonymous_may_read = true;
  ApiClient api(options);
  EXPECT_EQ(api.Get("/v2/").status, 200);
  EXPECT_EQ(api.Get("/v2/team/app/tags/list").error(), "NAME_UNKNOWN");
  EXPECT_EQ(api.Send("POST", "/v2/team/app/blobs/uploads/").status, 401);
}

TEST_F(AccessTest, RulesDecideAloneWhereTheyFit) {
  AccessOptions options = Options();
  options.rules = {{.repositories = {"secret/*"}, .users = {"user"}, .actions = {Action::kPull, Action::kPush}},
                   {.repositories = {"public/*"}, .users = {"anonymous"}, .actions = {Action::kPull}},
                   {.repositories = {"public/*"}, .users = {"*"}, .actions = {Action::kPush}}};
  auto access = Access::Create(options, Clock::Real());
  ASSERT_TRUE(access.ok());
  EXPECT_TRUE((*access)->Allows("user", "secret/app", Action::kPush));
  EXPECT_FALSE((*access)->Allows("user", "secret/app", Action::kDelete));
  EXPECT_FALSE((*access)->Allows("reader", "secret/app", Action::kPull));
  EXPECT_FALSE((*access)->Allows("", "secret/app", Action::kPull));
  EXPECT_TRUE((*access)->Allows("", "public/app", Action::kPull));
  EXPECT_FALSE((*access)->Allows("", "public/app", Action::kPush));
  EXPECT_TRUE((*access)->Allows("reader", "public/a/b", Action::kPush));
  EXPECT_TRUE((*access)->Allows("reader", "elsewhere", Action::kDelete));
  EXPECT_FALSE((*access)->Allows("", "elsewhere", Action::kPull));
}

TEST_F(AccessTest, AMountNeedsTheRightToReadTheOtherRepository) {
  AccessOptions options = Options();
  options.rules = {{.repositories = {"secret/*"}, .users = {"user"}, .actions = {Action::kPull, Action::kPush}}};
  ApiClient api(options);
  const std::string content = "content";
  const std::string digest = DigestText(content);
  ASSERT_EQ(api.Send("POST", "/v2/secret/app/blobs/uploads/?digest=" + digest, content, As("user:secret")).status, 201);
  const std::string mount = "/v2/team/app/blobs/uploads/?from=secret/app&mount=" + digest;
  EXPECT_EQ(api.Send("POST", mount, "", As("reader:only")).status, 202);
  EXPECT_EQ(api.Send("POST", mount, "", As("user:secret")).status, 201);
}

TEST_F(AccessTest, TheCatalogShowsWhatOneMayPull) {
  AccessOptions options = Options();
  options.rules = {{.repositories = {"secret/*"}, .users = {"user"}, .actions = {Action::kPull, Action::kPush}}};
  ApiClient api(options);
  for (const std::string repository : {"secret/app", "team/app"})
    ASSERT_EQ(
        api.Send("POST", "/v2/" + repository + "/blobs/uploads/?digest=" + DigestText("x"), "x", As("user:secret"))
            .status,
        201);
  EXPECT_EQ(api.Get("/v2/_catalog", As("user:secret")).body, R"({"repositories":["secret/app","team/app"]})");
  EXPECT_EQ(api.Get("/v2/_catalog", As("reader:only")).body, R"({"repositories":["team/app"]})");
}

TEST_F(AccessTest, WhoGuessesIsToldToWaitAndWhoKnowsIsLetIn) {
  ApiClient api(Options());
  ASSERT_EQ(api.Get("/v2/", As("user:secret")).status, 200);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(api.Get("/v2/", As("user:guess" + std::to_string(i))).status, 401);
  const Answer refused = api.Get("/v2/", As("user:another"));
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.error(), "TOOMANYREQUESTS");
  EXPECT_EQ(refused["retry-after"], "60");
  EXPECT_EQ(api.Get("/v2/", As("user:secret")).status, 200);
  api.remote = "192.0.2.2";
  EXPECT_EQ(api.Get("/v2/", As("user:another")).status, 401);
  api.remote = "192.0.2.1";
  api.clock().Advance(std::chrono::minutes(1));
  EXPECT_EQ(api.Get("/v2/", As("user:another")).status, 401);
}

TEST_F(AccessTest, AChangedFileHoldsAtOnceAndABrokenOneNever) {
  ApiClient api(Options());
  ASSERT_EQ(api.Get("/v2/", As("user:secret")).status, 200);
  Write(std::string(kReader) + "\n");
  api.clock().Advance(std::chrono::seconds(2));
  EXPECT_EQ(api.Get("/v2/", As("user:secret")).status, 401);
  EXPECT_EQ(api.Get("/v2/", As("reader:only")).status, 200);
  Write("user:plain text\n");
  api.clock().Advance(std::chrono::seconds(2));
  EXPECT_EQ(api.Get("/v2/", As("reader:only")).status, 200);
}

TEST_F(AccessTest, AFileThatIsNoneIsRefusedWithItsLine) {
  Write(std::string(kUser) + "\nother:$apr1$abc$def\n");
  const auto access = Access::Create(Options(), Clock::Real());
  ASSERT_FALSE(access.ok());
  EXPECT_NE(access.error().message().find("htpasswd:2: not a user with a password hashed by bcrypt"),
            std::string::npos);
}

}  // namespace
}  // namespace varve::v2
