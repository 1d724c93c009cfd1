#include "cached/config.h"

#include <fmt/core.h>
#include <grp.h>

#include <algorithm>
#include <array>

#include "cached/base/fs.h"
#include "cached/config_values.h"

namespace varve {
namespace {

constexpr std::uint64_t kFileBytesMax = 64 << 10;

Status SetLogLevel(const Node& node, LogLevel& level) {
  constexpr std::array<std::string_view, 4> kNames = {"debug", "info", "warning", "error"};  // as in LogLevel
  VARVE_ASSIGN_OR_RETURN(const std::size_t place, ChoiceIn(node, kNames));
  level = static_cast<LogLevel>(place);
  return Ok();
}

Status SetGroup(const Node& node, std::optional<gid_t>& group) {
  VARVE_ASSIGN_OR_RETURN(const std::string name, TextIn(node));
  ::group entry{};
  ::group* found = nullptr;
  std::array<char, 64 << 10> buffer{};
  const int error = ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (error != 0) return ErrnoError(error, "group \"" + name + "\"");
  if (found == nullptr) return BadConfig("the group \"" + name + "\" does not exist");
  group = found->gr_gid;
  return Ok();
}

// All there are, beside those of [registry]. docs/man/cached.toml.5 has the same, with the defaults.
constexpr ConfigKeyRule kKeys[] = {
    {"store", "chunk_min_bytes", "least bytes of a chunk, for a store that is created; an existing one keeps its own",
     [](const Node& node, DaemonConfig& config) {
       return SetSize(node, 1, kChunkBytesMax, config.server.store.chunker.min_bytes);
     }},
    {"store", "chunk_average_bytes", "usual bytes of a chunk, a power of two, for a store that is created",
     [](const Node& node, DaemonConfig& config) {
       return SetSize(node, 1, kChunkBytesMax, config.server.store.chunker.average_bytes);
     }},
    {"store", "chunk_max_bytes", "most bytes of a chunk, for a store that is created",
     [](const Node& node, DaemonConfig& config) {
       return SetSize(node, 1, kChunkBytesMax, config.server.store.chunker.max_bytes);
     }},
    {"store", "compression_level", "zstd level of new chunks",
     [](const Node& node, DaemonConfig& config) {
       return SetNumber(node, 1, 19, config.server.store.writer.zstd_level);
     }},
    {"store", "compression_threads", "threads that compress new chunks",
     [](const Node& node, DaemonConfig& config) {
       return SetNumber(node, 1, 64, config.server.store.compression_threads);
     }},
    {"pull", "parallel_layers", "layers of one pull that are fetched at the same time",
     [](const Node& node, DaemonConfig& config) {
       return SetNumber(node, 1, 16, config.server.install.parallel_layers);
     }},
    {"limits", "layer_bytes", "a layer whose tar is larger is refused",
     [](const Node& node, DaemonConfig& config) {
       return SetSize(node, 1, kNoMore, config.server.install.ingest.decompress.max_output_bytes);
     }},
    {"limits", "layer_entries", "a layer with more entries is refused",
     [](const Node& node, DaemonConfig& config) -> Status {
       LayerIngestOptions& ingest = config.server.install.ingest;
       VARVE_RETURN_IF_ERROR(SetNumber(node, 1, 100'000'000, ingest.tar.entries));
       ingest.layer.entries_max = static_cast<std::uint32_t>(ingest.tar.entries);
       return Ok();
     }},
    {"gc", "max_store_bytes", "bytes of the store above which unused images are evicted; 0: never",
     [](const Node& node, DaemonConfig& config) { return SetSize(node, 0, kNoMore, config.server.max_store_bytes); }},
    {"gc", "upload_grace", "how long a pushed blob stays that no manifest names yet",
     [](const Node& node, DaemonConfig& config) -> Status {
       VARVE_ASSIGN_OR_RETURN(config.server.push_grace, DurationIn(node));
       return Ok();
     }},
    {"listen", "group", "a group whose members may use the daemon's socket",
     [](const Node& node, DaemonConfig& config) { return SetGroup(node, config.server.listen_group); }},
    {"log", "level", "the least severe messages that are logged: debug, info, warning or error",
     [](const Node& node, DaemonConfig& config) { return SetLogLevel(node, config.log_level); }},
};

std::vector<ConfigKeyRule> AllKeys() {
  std::vector<ConfigKeyRule> keys(std::begin(kKeys), std::end(kKeys));
  keys.insert(keys.end(), RegistryConfigKeys().begin(), RegistryConfigKeys().end());
  return keys;
}

std::string Dotted(const ConfigKeyRule& key) { return fmt::format("{}.{}", key.table, key.name); }

std::string At(const std::string& path, const toml::source_region& where) {
  return fmt::format("{}:{}", path, where.begin.line);
}

Status ApplyTable(const std::string& path, const toml::key& table, const Node& node, DaemonConfig& config) {
  const std::vector<ConfigKeyRule> keys = AllKeys();
  if (std::ranges::find(keys, table.str(), &ConfigKeyRule::table) == keys.end())
    return BadConfig(fmt::format("{}: unknown key {}", At(path, table.source()), table.str()));
  if (!node.is_table()) return BadConfig(fmt::format("{}: {}: must be a table", At(path, table.source()), table.str()));
  for (const auto& [name, value] : *node.as_table()) {
    const auto key = std::ranges::find_if(
        keys, [&](const ConfigKeyRule& known) { return known.table == table.str() && known.name == name.str(); });
    if (key == keys.end())
      return BadConfig(fmt::format("{}: unknown key {}.{}", At(path, name.source()), table.str(), name.str()));
    VARVE_RETURN_IF_ERROR(key->set(value, config).In(Dotted(*key)).In(At(path, name.source())));
  }
  return Ok();
}

}  // namespace

Status ApplyConfig(const std::string& path, std::string_view text, DaemonConfig& config) {
  const toml::parse_result parsed = toml::parse(text, path);
  if (!parsed)
    return BadConfig(
        fmt::format("{}: {}", At(path, parsed.error().source()), std::string(parsed.error().description())));
  for (const auto& [table, node] : parsed.table()) VARVE_RETURN_IF_ERROR(ApplyTable(path, table, node, config));
  return Ok();
}

Result<DaemonConfig> LoadConfig(const RootPaths& paths, const std::string& given) {
  DaemonConfig config;
  const std::vector<std::string> files =
      given.empty() ? std::vector<std::string>{"/etc/varve/cached.toml", paths.root + "/cached.toml"}
                    : std::vector<std::string>{given};
  for (const std::string& file : files) {
    const auto text = ReadWholeFile(Fs::Real(), file, kFileBytesMax);
    if (!text.ok() && text.error().code() == Code::kNotFound && given.empty()) continue;
    if (!text.ok()) return text.error();
    VARVE_RETURN_IF_ERROR(ApplyConfig(file, AsText(*text), config));
    config.server.config_files.push_back(file);
  }
  // Each of the sizes may be right, and all of them together wrong.
  const auto chunker = Chunker::Create(config.server.store.chunker);
  if (!chunker.ok()) return chunker.error().In(config.server.config_files.back() + ": store");
  return config;
}

std::vector<ConfigKey> ConfigKeys() {
  std::vector<ConfigKey> keys;
  for (const ConfigKeyRule& key : AllKeys()) keys.push_back({Dotted(key), std::string(key.about)});
  return keys;
}

}  // namespace varve
