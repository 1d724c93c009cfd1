#include "cached/config.h"

#include <fmt/core.h>
#include <grp.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>

// Header only, so that nothing throws: parse errors are values.
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "cached/base/fs.h"

namespace varve {
namespace {

constexpr std::uint64_t kFileBytesMax = 64 << 10;

Error Bad(std::string problem) { return {Code::kInvalidArgument, std::move(problem)}; }

// "40GiB", "500MB" or "4096".
std::optional<std::uint64_t> ParseSize(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::uint64_t>, 10> kUnits = {{{"", 1},
                                                                                  {"B", 1},
                                                                                  {"KB", 1'000},
                                                                                  {"MB", 1'000'000},
                                                                                  {"GB", 1'000'000'000},
                                                                                  {"TB", 1'000'000'000'000},
                                                                                  {"KiB", 1ull << 10},
                                                                                  {"MiB", 1ull << 20},
                                                                                  {"GiB", 1ull << 30},
                                                                                  {"TiB", 1ull << 40}}};
  std::uint64_t number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<std::size_t>(rest - text.data()));
  const auto found = std::ranges::find(kUnits, unit, &std::pair<std::string_view, std::uint64_t>::first);
  std::uint64_t bytes = 0;
  if (found == kUnits.end() || __builtin_mul_overflow(number, found->second, &bytes)) return std::nullopt;
  return bytes;
}

Result<std::uint64_t> NumberIn(const toml::node& node, std::uint64_t least, std::uint64_t most) {
  const auto number = node.value_exact<std::int64_t>();
  if (!number) return Bad("must be an integer");
  if (*number < 0 || static_cast<std::uint64_t>(*number) < least || static_cast<std::uint64_t>(*number) > most)
    return Bad(fmt::format("must be from {} to {}", least, most));
  return static_cast<std::uint64_t>(*number);
}

Result<std::uint64_t> SizeIn(const toml::node& node, std::uint64_t least, std::uint64_t most) {
  const auto text = node.value_exact<std::string_view>();
  if (!text) return NumberIn(node, least, most).In("a size in bytes, or a string such as \"40GiB\"");
  const auto bytes = ParseSize(*text);
  if (!bytes) return Bad(fmt::format("\"{}\" is not a size; write one such as 4096, \"500MB\" or \"40GiB\"", *text));
  if (*bytes < least || *bytes > most) return Bad(fmt::format("must be from {} to {} bytes", least, most));
  return *bytes;
}

Result<std::string> TextOf(const toml::node& node) {
  const auto text = node.value_exact<std::string>();
  if (!text) return Bad("must be a string");
  return *text;
}

template <class Target>
Status SetNumber(const toml::node& node, std::uint64_t least, std::uint64_t most, Target& target) {
  VARVE_ASSIGN_OR_RETURN(const std::uint64_t number, NumberIn(node, least, most));
  target = static_cast<Target>(number);
  return Ok();
}

template <class Target>
Status SetSize(const toml::node& node, std::uint64_t least, std::uint64_t most, Target& target) {
  VARVE_ASSIGN_OR_RETURN(const std::uint64_t bytes, SizeIn(node, least, most));
  target = static_cast<Target>(bytes);
  return Ok();
}

Status SetLogLevel(const toml::node& node, LogLevel& level) {
  constexpr std::array<std::string_view, 4> kNames = {"debug", "info", "warning", "error"};  // as in LogLevel
  VARVE_ASSIGN_OR_RETURN(const std::string name, TextOf(node));
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return Bad("must be \"debug\", \"info\", \"warning\" or \"error\"");
  level = static_cast<LogLevel>(found - kNames.begin());
  return Ok();
}

Status SetGroup(const toml::node& node, std::optional<gid_t>& group) {
  VARVE_ASSIGN_OR_RETURN(const std::string name, TextOf(node));
  ::group entry{};
  ::group* found = nullptr;
  std::array<char, 64 << 10> buffer{};
  const int error = ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (error != 0) return ErrnoError(error, "group \"" + name + "\"");
  if (found == nullptr) return Bad("the group \"" + name + "\" does not exist");
  group = found->gr_gid;
  return Ok();
}

constexpr std::uint64_t kNoMore = std::numeric_limits<std::int64_t>::max();

struct Key {
  std::string_view table;
  std::string_view name;
  std::string_view about;
  Status (*set)(const toml::node& node, DaemonConfig& config);
};
using Node = toml::node;

// All there are. docs/man/cached.toml.5 has the same, with the defaults.
constexpr Key kKeys[] = {
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
    {"listen", "group", "a group whose members may use the daemon's socket",
     [](const Node& node, DaemonConfig& config) { return SetGroup(node, config.server.listen_group); }},
    {"log", "level", "the least severe messages that are logged: debug, info, warning or error",
     [](const Node& node, DaemonConfig& config) { return SetLogLevel(node, config.log_level); }},
};

std::string Dotted(const Key& key) { return fmt::format("{}.{}", key.table, key.name); }

std::string At(const std::string& path, const toml::source_region& where) {
  return fmt::format("{}:{}", path, where.begin.line);
}

Status ApplyTable(const std::string& path, const toml::key& table, const toml::node& node, DaemonConfig& config) {
  if (std::ranges::find(kKeys, table.str(), &Key::table) == std::end(kKeys))
    return Bad(fmt::format("{}: unknown key {}", At(path, table.source()), table.str()));
  if (!node.is_table()) return Bad(fmt::format("{}: {}: must be a table", At(path, table.source()), table.str()));
  for (const auto& [name, value] : *node.as_table()) {
    const auto key = std::ranges::find_if(
        kKeys, [&](const Key& known) { return known.table == table.str() && known.name == name.str(); });
    if (key == std::end(kKeys))
      return Bad(fmt::format("{}: unknown key {}.{}", At(path, name.source()), table.str(), name.str()));
    VARVE_RETURN_IF_ERROR(key->set(value, config).In(Dotted(*key)).In(At(path, name.source())));
  }
  return Ok();
}

}  // namespace

Status ApplyConfig(const std::string& path, std::string_view text, DaemonConfig& config) {
  const toml::parse_result parsed = toml::parse(text, path);
  if (!parsed)
    return Bad(fmt::format("{}: {}", At(path, parsed.error().source()), std::string(parsed.error().description())));
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
  for (const Key& key : kKeys) keys.push_back({Dotted(key), std::string(key.about)});
  return keys;
}

}  // namespace varve
