#include "cached/oci/image_config.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cached/content/sha256.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const Digest kOne = Sha256Of(AsBytes("one"));
const Digest kTwo = Sha256Of(AsBytes("two"));

TEST(ImageConfigTest, SaysHowToRunTheImageAndWhatItIsMadeOf) {
  const auto image = ParseImageConfig(AsBytes(fmt::format(R"({{
    "created": "2026-01-02T03:04:05Z", "author": "me", "architecture": "arm64", "os": "linux", "variant": "v8",
    "config": {{"User": "1000:1000", "Env": ["A=b"], "Entrypoint": ["python3"], "Cmd": ["/main.py", ""], "WorkingDir": "/app",
               "Volumes": {{"/z": {{}}, "/a": {{}}}}, "ExposedPorts": {{"80/tcp": {{}}}}, "Labels": {{"l": "v"}}, "StopSignal": "SIGINT",
               "Healthcheck": {{"Test": ["CMD"]}}}},
    "rootfs": {{"type": "layers", "diff_ids": ["{}", "{}"]}},
    "history": [{{"created_by": "COPY", "comment": "c"}}, {{"created": "t", "author": "a", "empty_layer": true}}]}})",
                                                          kOne.ToString(), kTwo.ToString())));
  ASSERT_TRUE(image.ok()) << image.error().message();
  EXPECT_EQ(image->created, "2026-01-02T03:04:05Z");
  EXPECT_EQ(image->author, "me");
  EXPECT_EQ(image->platform.ToString(), "linux/arm64/v8");
  EXPECT_EQ(image->config.user, "1000:1000");
  EXPECT_THAT(image->config.env, ElementsAre("A=b"));
  EXPECT_THAT(image->config.entrypoint, ElementsAre("python3"));
  EXPECT_THAT(image->config.cmd, ElementsAre("/main.py", ""));
  EXPECT_EQ(image->config.working_dir, "/app");
  EXPECT_THAT(image->config.volumes, ElementsAre("/a", "/z"));
  EXPECT_THAT(image->config.exposed_ports, ElementsAre("80/tcp"));
  EXPECT_EQ(image->config.labels.at("l"), "v");
  EXPECT_EQ(image->config.stop_signal, "SIGINT");
  EXPECT_THAT(image->diff_ids, ElementsAre(kOne, kTwo));
  ASSERT_EQ(image->history.size(), 2u);
  EXPECT_EQ(image->history[0].created_by, "COPY");
  EXPECT_EQ(image->history[0].comment, "c");
  EXPECT_FALSE(image->history[0].empty_layer);
  EXPECT_EQ(image->history[1].created, "t");
  EXPECT_EQ(image->history[1].author, "a");
  EXPECT_TRUE(image->history[1].empty_layer);
}

TEST(ImageConfigTest, NullIsTheSameAsAbsent) {
  const auto image = ParseImageConfig(AsBytes(R"({"config":{"Cmd":null,"Volumes":null,"Env":null,"Labels":null},
                                                  "history":null,"rootfs":{"type":"layers","diff_ids":null}})"));
  ASSERT_TRUE(image.ok()) << image.error().message();
  EXPECT_THAT(image->config.cmd, IsEmpty());
  EXPECT_THAT(image->diff_ids, IsEmpty());
}

struct Refusal {
  std::string json;
  Code code;
  std::string reason;
};

std::string ManyDiffIds(std::size_t count) {
  std::string ids = "\"" + kOne.ToString() + "\"";
  for (std::size_t i = 1; i < count; ++i) ids += ",\"" + kOne.ToString() + "\"";
  return R"({"rootfs":{"type":"layers","diff_ids":[)" + ids + "]}}";
}

TEST(ImageConfigTest, RefusalSaysWhatIsWrong) {
  const Refusal refusals[] = {
      {"\xff", Code::kInvalidArgument, "not JSON"},
      {"\"x\"", Code::kInvalidArgument, "not a JSON object"},
      {std::string(kConfigBytesMax + 1, ' '), Code::kResourceExhausted, "4194305 bytes of JSON, at most"},
      {"{}", Code::kInvalidArgument, "rootfs.type is \"\""},
      {R"({"rootfs":{"type":"x"}})", Code::kInvalidArgument, "rootfs.type is \"x\""},
      {R"({"rootfs":[]})", Code::kInvalidArgument, "field \"rootfs\" is not an object"},
      {R"({"rootfs":{"type":"layers","diff_ids":["x"]}})", Code::kInvalidArgument, "rootfs.diff_ids: digest"},
      {ManyDiffIds(kLayersMax + 1), Code::kResourceExhausted, "513 layers, at most 512"},
      {R"({"config":{"Env":[1]}})", Code::kInvalidArgument, "field \"Env\" is not a list of strings"},
      {R"({"config":{"User":1}})", Code::kInvalidArgument, "field \"User\" is not a string"},
      {R"({"config":{"Labels":{"a":1}}})", Code::kInvalidArgument, "field \"Labels\" is not an object of strings"},
      {R"({"rootfs":{"type":"layers"},"history":[1]})", Code::kInvalidArgument, "field \"history\""},
      {R"({"rootfs":{"type":"layers"},"history":[{"empty_layer":1}]})", Code::kInvalidArgument,
       "field \"empty_layer\" is not true or false"}};
  for (const Refusal& refusal : refusals) {
    SCOPED_TRACE(refusal.reason);
    const auto parsed = ParseImageConfig(AsBytes(refusal.json));
    ASSERT_FALSE(parsed.ok());
    EXPECT_EQ(parsed.error().code(), refusal.code) << parsed.error().message();
    EXPECT_THAT(parsed.error().message(), HasSubstr(refusal.reason));
  }
}

}  // namespace
}  // namespace varve
