#include "cached/config.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/support/temp_dir.h"

namespace varve {
namespace {

std::string ErrorOf(const std::string& text) {
  DaemonConfig config;
  const Status applied = ApplyConfig("x.toml", text, config);
  return applied.ok() ? "" : applied.error().message();
}

DaemonConfig Applied(const std::string& text) {
  DaemonConfig config;
  const Status applied = ApplyConfig("x.toml", text, config);
  EXPECT_TRUE(applied.ok()) << applied.error().message();
  return config;
}

std::string Written(const TempDir& directory, const std::string& name, const std::string& text) {
  std::ofstream(directory / name) << text;
  return directory / name;
}

TEST(ConfigTest, SetsWhatItNamesAndLeavesTheRest) {
  const DaemonConfig config = Applied(R"(
    [gc]
    max_store_bytes = "40GiB"
    [store]
    chunk_average_bytes = 32768
    compression_level = 9
    [limits]
    layer_entries = 1_000
    [listen]
    group = "root"
    [log]
    level = "warning"
  )");
  EXPECT_EQ(config.server.max_store_bytes, 40ull << 30);
  EXPECT_EQ(config.server.store.chunker.average_bytes, 32768u);
  EXPECT_EQ(config.server.store.chunker.max_bytes, ChunkerOptions().max_bytes);
  EXPECT_EQ(config.server.store.writer.zstd_level, 9);
  EXPECT_EQ(config.server.install.ingest.tar.entries, 1000u);
  EXPECT_EQ(config.server.install.ingest.layer.entries_max, 1000u);
  EXPECT_EQ(config.server.listen_group, gid_t{0});
  EXPECT_EQ(config.log_level, LogLevel::kWarning);
  EXPECT_EQ(config.server.install.parallel_layers, InstallOptions().parallel_layers);
}

TEST(ConfigTest, ReadsWhatTheRegistryIsToBe) {
  const HostingOptions hosting = Applied(R"(
    [registry]
    listen = ":5000"
    tls_certificate = "/c.pem"
    tls_key = "/k.pem"
    htpasswd = "/users"
    anonymous = "read"
    read_only_users = ["reader"]
    max_blob_bytes = "1GiB"
    delete = false
    [[registry.access]]
    repositories = ["team/*"]
    users = ["ci", "*"]
    actions = ["pull", "delete"]
  )")
                                     .server.hosting;
  EXPECT_EQ(hosting.listen, ":5000");
  EXPECT_EQ(hosting.tls.certificate_file, "/c.pem");
  EXPECT_EQ(hosting.access.htpasswd_file, "/users");
  EXPECT_TRUE(hosting.access.anonymous_may_read);
  EXPECT_EQ(hosting.access.read_only_users, std::vector<std::string>{"reader"});
  EXPECT_EQ(hosting.host.blob_bytes_max, 1u << 30);
  EXPECT_FALSE(hosting.api.deletes);
  ASSERT_EQ(hosting.access.rules.size(), 1u);
  EXPECT_EQ(hosting.access.rules[0].repositories, std::vector<std::string>{"team/*"});
  EXPECT_EQ(hosting.access.rules[0].actions, (std::vector{v2::Action::kPull, v2::Action::kDelete}));
}

TEST(ConfigTest, ReadsTimes) {
  EXPECT_EQ(Applied("gc.upload_grace = \"90s\"").server.push_grace, std::chrono::seconds(90));
  EXPECT_EQ(Applied("gc.upload_grace = \"2d\"").server.push_grace, std::chrono::hours(48));
  EXPECT_EQ(Applied("gc.upload_grace = \"0s\"").server.push_grace, std::chrono::seconds(0));
  for (const char* const wrong :
       {"\"\"", "\"5\"", "\"h\"", "\"1w\"", "\"-1h\"", "\"99999999999999999999d\"", "\"4000d\"", "60"})
    EXPECT_NE(ErrorOf(std::string("gc.upload_grace = ") + wrong).find("must be a time"), std::string::npos) << wrong;
}

TEST(ConfigTest, RefusesRulesThatAreNone) {
  EXPECT_EQ(ErrorOf("registry.access = 1"), "x.toml:1: registry.access: must be tables: [[registry.access]]");
  EXPECT_EQ(ErrorOf("[[registry.access]]\nusers = [\"a\"]"), "x.toml:1: registry.access: a rule needs repositories");
  EXPECT_EQ(ErrorOf("[[registry.access]]\nrepositories = [\"a\"]\nactions = [\"read\"]"),
            "x.toml:1: registry.access: actions: must be \"pull\", \"push\" or \"delete\"");
  EXPECT_EQ(ErrorOf("registry.anonymous = \"write\""), "x.toml:1: registry.anonymous: must be \"none\" or \"read\"");
}

TEST(ConfigTest, ReadsSizesWithBinaryAndDecimalUnits) {
  const auto limit = [](const std::string& value) {
    return Applied("gc.max_store_bytes = " + value).server.max_store_bytes;
  };
  EXPECT_EQ(limit("123"), 123u);
  EXPECT_EQ(limit("\"123\""), 123u);
  EXPECT_EQ(limit("\"5B\""), 5u);
  EXPECT_EQ(limit("\"500MB\""), 500'000'000u);
  EXPECT_EQ(limit("\"2TiB\""), 2ull << 40);
}

TEST(ConfigTest, NamesFileLineAndKeyOfWhatIsWrong) {
  EXPECT_EQ(ErrorOf("[gc]\nmax_bytes = 1\n"), "x.toml:2: unknown key gc.max_bytes");
  EXPECT_EQ(ErrorOf("\n[cache]\n"), "x.toml:2: unknown key cache");
  EXPECT_EQ(ErrorOf("gc = 5"), "x.toml:1: gc: must be a table");
  EXPECT_EQ(ErrorOf("[[gc]]\nmax_store_bytes = 1"), "x.toml:1: gc: must be a table");
  EXPECT_EQ(ErrorOf("[store]\n\ncompression_level = \"9\""), "x.toml:3: store.compression_level: must be an integer");
  EXPECT_EQ(ErrorOf("store.compression_level = 20"), "x.toml:1: store.compression_level: must be from 1 to 19");
  EXPECT_EQ(ErrorOf("store.compression_level = -1"), "x.toml:1: store.compression_level: must be from 1 to 19");
  EXPECT_EQ(ErrorOf("pull.parallel_layers = 1.5"), "x.toml:1: pull.parallel_layers: must be an integer");
  EXPECT_EQ(ErrorOf("log.level = \"loud\""),
            "x.toml:1: log.level: must be \"debug\", \"info\", \"warning\" or \"error\"");
  EXPECT_EQ(ErrorOf("listen.group = \"no such group\""),
            "x.toml:1: listen.group: the group \"no such group\" does not exist");
  EXPECT_EQ(ErrorOf("gc.max_store_bytes = true"),
            "x.toml:1: gc.max_store_bytes: a size in bytes, or a string such as \"40GiB\": must be an integer");
}

TEST(ConfigTest, RefusesSizesThatAreNone) {
  for (const char* value : {"", "GiB", "1.5GiB", "-1", "1 GiB", "1gib", "99999999999999999999", "20000000TiB"}) {
    EXPECT_NE(ErrorOf(fmt::format("gc.max_store_bytes = \"{}\"", value)).find("is not a size"), std::string::npos)
        << value;
  }
}

TEST(ConfigTest, SyntaxErrorsHaveALine) {
  EXPECT_TRUE(ErrorOf("[gc]\nmax_store_bytes = = 1").starts_with("x.toml:2: "));
  EXPECT_TRUE(ErrorOf("[gc]\nmax_store_bytes = 1\nmax_store_bytes = 2").starts_with("x.toml:3: "));
  EXPECT_NE(ErrorOf("x = " + std::string(1000, '[')), "");
}

TEST(ConfigTest, TheFileBelowTheRootIsReadAndAGivenOneReplacesIt) {
  const TempDir directory;
  const RootPaths paths{directory / "", directory / ""};
  Written(directory, "cached.toml", "[gc]\nmax_store_bytes = 1\n[pull]\nparallel_layers = 2\n");
  const auto of_root = LoadConfig(paths, "");
  ASSERT_TRUE(of_root.ok()) << of_root.error().message();
  EXPECT_EQ(of_root->server.max_store_bytes, 1u);
  EXPECT_EQ(of_root->server.config_files.back(), paths.root + "/cached.toml");
  const std::string other = Written(directory, "other.toml", "[gc]\nmax_store_bytes = 3\n");
  const auto given = LoadConfig(paths, other);
  ASSERT_TRUE(given.ok());
  EXPECT_EQ(given->server.max_store_bytes, 3u);
  EXPECT_EQ(given->server.install.parallel_layers, InstallOptions().parallel_layers);
  EXPECT_EQ(given->server.config_files, std::vector{other});
}

TEST(ConfigTest, AGivenFileMustBeThereAndBoundedAndItsChunkSizesFitTogether) {
  const TempDir directory;
  const RootPaths paths{directory / "", directory / ""};
  EXPECT_EQ(LoadConfig(paths, directory / "absent").error().code(), Code::kNotFound);
  const std::string large = Written(directory, "large", std::string(100'000, '#'));
  EXPECT_EQ(LoadConfig(paths, large).error().code(), Code::kResourceExhausted);
  const std::string crooked = Written(directory, "crooked", "store.chunk_min_bytes = \"128KiB\"");
  const auto loaded = LoadConfig(paths, crooked);
  ASSERT_FALSE(loaded.ok());
  EXPECT_TRUE(loaded.error().message().starts_with(crooked + ": store: chunk sizes")) << loaded.error().message();
}

TEST(ConfigTest, EveryKeyStandsInTheManualWithAnExampleThatIsItsDefault) {
  std::stringstream manual;
  manual << std::ifstream(VARVE_SOURCE_DIR "/docs/man/cached.toml.5").rdbuf();
  ASSERT_FALSE(ConfigKeys().empty());
  for (const ConfigKey& key : ConfigKeys()) {
    const std::size_t dot = key.name.find('.');
    const std::size_t table = manual.str().find("\n.SS [" + key.name.substr(0, dot) + "]\n");
    ASSERT_NE(table, std::string::npos) << key.name;
    const std::string rest = manual.str().substr(table + 1);
    const std::string section = rest.substr(0, rest.find("\n.S", 1));
    EXPECT_NE(section.find("\n.B " + key.name.substr(dot + 1) + " \\fR("), std::string::npos) << key.name;
    EXPECT_FALSE(key.about.empty()) << key.name;
  }
}

}  // namespace
}  // namespace varve
