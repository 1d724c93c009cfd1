#include "cli/runtime/storage_options.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace varve {
namespace {

constexpr std::size_t kVolumeNameBytesMax = 255;
constexpr std::array<std::string_view, 6> kTmpfsValues = {"size=", "mode=", "uid=", "gid=", "nr_inodes=", "nr_blocks="};
constexpr std::array<std::string_view, 3> kTmpfsRestrictions = {"noexec", "nosuid", "nodev"};
constexpr std::array<std::string_view, 4> kPropagations = {"private", "rprivate", "slave", "rslave"};
constexpr std::array<std::string_view, 5> kWithoutMeaning = {"z", "Z", "cached", "delegated", "consistent"};

template <class List>
bool IsOneOf(const List& list, std::string_view text) {
  return std::ranges::find(list, text) != std::end(list);
}

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

Error Invalid(std::string_view what, std::string_view spec, std::string_view why) {
  return Error(Code::kInvalidArgument, fmt::format("{} \"{}\": {}", what, spec, why));
}

Error InvalidMount(std::string_view spec, std::string_view why) {
  return Error(Code::kInvalidArgument, fmt::format("invalid argument \"{}\" for \"--mount\" flag: {}", spec, why));
}

std::string Normal(const std::string& path) {
  std::string normal = std::filesystem::path(path).lexically_normal().string();
  if (normal.size() > 1 && normal.ends_with('/')) normal.pop_back();
  return normal;
}

Result<std::string> Destination(std::string_view what, std::string_view spec, const std::string& path) {
  const std::string normal = Normal(path);
  if (!normal.starts_with('/')) return Invalid(what, spec, "the path in the container must be absolute");
  if (normal == "/") return Invalid(what, spec, "the path in the container cannot be '/'");
  return normal;
}

Error SharedIsMissing(std::string_view what, std::string_view spec) {
  return Error(Code::kUnimplemented,
               fmt::format("{} \"{}\": a container's mounts never reach the host: use rslave", what, spec));
}

Status ApplyVolumeOptions(std::string_view spec, ContainerMount& mount) {
  for (const std::string& option : Split(mount.mode, ',')) {
    if (option == "ro" || option == "rw") {
      mount.read_only = option == "ro";
    } else if (IsOneOf(kPropagations, option)) {
      if (mount.kind != MountKind::kBind) return Invalid("volume", spec, "only a directory of the host propagates");
      mount.propagation = option;
    } else if (option == "shared" || option == "rshared") {
      return SharedIsMissing("volume", spec);
    } else if (option == "nocopy") {
      if (mount.kind != MountKind::kVolume) return Invalid("volume", spec, "nocopy is for volumes");
      mount.copy = false;
    } else if (!IsOneOf(kWithoutMeaning, option)) {
      return Invalid("volume", spec, fmt::format("unknown option '{}'", option));
    }
  }
  return Ok();
}

// Sets what a mount is made of: a directory of the host, or a volume.
Status SetSource(const std::string& source, ContainerMount& mount) {
  if (source.starts_with('/') || source.starts_with('.')) {
    std::error_code error;
    const std::filesystem::path path = std::filesystem::absolute(source, error);
    if (error) return ErrnoError(error.value(), source);
    mount.kind = MountKind::kBind;
    mount.source = Normal(path.string());
    mount.propagation = "rprivate";
    return Ok();
  }
  mount.name = source;
  return CheckVolumeName(source);
}

// One line of CSV, as Go reads it: a field in quotes may have commas, and two quotes for one.
std::optional<std::vector<std::string>> CsvFields(std::string_view line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted && c == '"' && i + 1 < line.size() && line[i + 1] == '"') {
      fields.back() += line[++i];
    } else if (c == '"' && (quoted || fields.back().empty())) {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  if (quoted) return std::nullopt;
  return fields;
}

// What --mount says, before it is put together.
struct MountFields {
  std::string type = "volume";
  std::string source;
  std::string target;
  std::string tmpfs_size;
  std::string tmpfs_mode;
  std::string foreign = {};  // the first key that belongs to one type: "bind", "volume" or "tmpfs"
  ContainerMount mount;
};

std::optional<bool> Truth(std::string_view value) {
  if (IsOneOf(std::array<std::string_view, 6>{"", "1", "t", "true", "True", "TRUE"}, value)) return true;
  if (IsOneOf(std::array<std::string_view, 5>{"0", "f", "false", "False", "FALSE"}, value)) return false;
  return std::nullopt;
}

bool IsSwitch(std::string_view key) {
  return key == "readonly" || key == "ro" || key == "volume-nocopy" || key == "bind-nonrecursive";
}

bool IsText(std::string_view key) {
  return key == "volume-label" || key == "bind-propagation" || key == "tmpfs-size" || key == "tmpfs-mode" ||
         key == "volume-driver";
}

Status ApplySwitch(std::string_view key, std::string_view value, MountFields& fields) {
  const std::optional<bool> on = Truth(value);
  if (!on) return Error(Code::kInvalidArgument, fmt::format("invalid value for {}: {}", key, value));
  if (key == "volume-nocopy") {
    fields.mount.copy = !*on;
  } else if (key == "bind-nonrecursive") {
    fields.mount.recursive = !*on;
  } else {
    fields.mount.read_only = *on;
  }
  return Ok();
}

Status ApplyText(std::string_view key, const std::string& value, MountFields& fields) {
  if (key == "volume-label") {
    fields.mount.labels.push_back(value);
  } else if (key == "bind-propagation") {
    fields.mount.propagation = value;
  } else if (key == "tmpfs-size") {
    fields.tmpfs_size = value;
  } else if (key == "tmpfs-mode") {
    fields.tmpfs_mode = value;
  } else if (value != "local") {
    return Error(Code::kInvalidArgument, fmt::format("the volume driver '{}' is not there: only local is", value));
  }
  return Ok();
}

Status ApplyField(const std::string& field, MountFields& fields) {
  const std::size_t equals = std::min(field.find('='), field.size());
  std::string key = field.substr(0, equals);
  std::ranges::transform(key, key.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const std::string value = field.substr(std::min(equals + 1, field.size()));
  if (equals == field.size() && !IsSwitch(key))
    return Error(Code::kInvalidArgument, fmt::format("invalid field '{}' must be a key=value pair", field));
  if (const std::size_t dash = key.find('-'); dash != std::string::npos && fields.foreign.empty())
    fields.foreign = key.substr(0, dash);
  if (key == "type") {
    fields.type = value;
  } else if (key == "source" || key == "src") {
    fields.source = value;
  } else if (key == "target" || key == "dst" || key == "destination") {
    fields.target = value;
  } else if (IsSwitch(key)) {
    return ApplySwitch(key, value, fields);
  } else if (IsText(key)) {
    return ApplyText(key, value, fields);
  } else if (key != "consistency") {
    return Error(Code::kInvalidArgument, fmt::format("unexpected key '{}' in '{}'", key, field));
  }
  return Ok();
}

// docker's sizes, "64m" or "64MB", as the kernel's.
std::optional<std::string> TmpfsSize(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (text.size() > 1 && text.ends_with('b')) text.pop_back();
  const std::size_t digits = text.find_first_not_of("0123456789");
  const std::string unit = text.substr(std::min(digits, text.size()));
  if (digits == 0 || text.empty() || unit.size() > 1 || unit.find_first_not_of("kmg") != std::string::npos)
    return std::nullopt;
  return text;
}

Status FinishBind(std::string_view spec, const MountFields& fields, ContainerMount& mount) {
  const auto invalid = [](Code code, std::string_view why) {
    return Error(code, fmt::format("invalid mount config for type \"bind\": {}", why));
  };
  if (fields.source.empty()) return invalid(Code::kInvalidArgument, "field Source must not be empty");
  const std::string propagation = mount.propagation.empty() ? "rprivate" : mount.propagation;
  if (propagation == "shared" || propagation == "rshared") return SharedIsMissing("mount", spec);
  if (!IsOneOf(kPropagations, propagation)) return InvalidMount(spec, "invalid propagation value: " + propagation);
  if (!fields.source.starts_with('/') && !fields.source.starts_with('.'))
    return invalid(Code::kInvalidArgument, fmt::format("mount path '{}' must be absolute", fields.source));
  VARVE_RETURN_IF_ERROR(SetSource(fields.source, mount));
  mount.propagation = propagation;
  struct stat info{};
  if (::stat(mount.source.c_str(), &info) != 0)
    return invalid(Code::kNotFound, "bind source path does not exist: " + mount.source);
  return Ok();
}

Status FinishTmpfs(std::string_view spec, const MountFields& fields, ContainerMount& mount) {
  if (!fields.source.empty()) return InvalidMount(spec, "a tmpfs has no source");
  mount.kind = MountKind::kTmpfs;
  mount.options.assign(kTmpfsRestrictions.begin(), kTmpfsRestrictions.end());
  if (!fields.tmpfs_size.empty()) {
    const std::optional<std::string> size = TmpfsSize(fields.tmpfs_size);
    if (!size) return InvalidMount(spec, "invalid value for tmpfs-size: " + fields.tmpfs_size);
    mount.options.push_back("size=" + *size);
  }
  if (fields.tmpfs_mode.find_first_not_of("01234567") != std::string::npos)
    return InvalidMount(spec, "invalid value for tmpfs-mode: " + fields.tmpfs_mode);
  if (!fields.tmpfs_mode.empty()) mount.options.push_back("mode=" + fields.tmpfs_mode);
  return Ok();
}

}  // namespace

Status CheckVolumeName(std::string_view name) {
  const auto plain = [](unsigned char c) { return std::isalnum(c) != 0 && c < 128; };
  const auto inner = [&](unsigned char c) { return plain(c) || c == '_' || c == '.' || c == '-'; };
  if (name.size() >= 2 && name.size() <= kVolumeNameBytesMax && plain(static_cast<unsigned char>(name[0])) &&
      std::ranges::all_of(name, inner))
    return Ok();
  return Error(
      Code::kInvalidArgument,
      fmt::format("\"{}\" includes invalid characters for a local volume name, only "
                  "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed; for a directory of the host give an absolute path",
                  name));
}

Result<ContainerMount> ParseVolume(std::string_view spec) {
  const std::vector<std::string> parts = Split(spec, ':');
  if (parts.size() > 3 || std::ranges::any_of(parts, &std::string::empty))
    return Invalid("volume", spec, "it is not [SOURCE:]CONTAINER[:OPTIONS]");
  ContainerMount mount{.make_source = true, .anonymous = parts.size() == 1};
  if (parts.size() > 1) VARVE_RETURN_IF_ERROR(SetSource(parts[0], mount));
  VARVE_ASSIGN_OR_RETURN(mount.destination, Destination("volume", spec, parts[parts.size() == 1 ? 0 : 1]));
  if (parts.size() == 3) {
    mount.mode = parts[2];
    VARVE_RETURN_IF_ERROR(ApplyVolumeOptions(spec, mount));
  }
  return mount;
}

Result<ContainerMount> ParseMount(std::string_view spec) {
  const std::optional<std::vector<std::string>> texts = CsvFields(spec);
  if (!texts) return InvalidMount(spec, "a quote is not closed");
  MountFields fields;
  for (const std::string& text : *texts) {
    const Status applied = ApplyField(text, fields);
    if (!applied.ok()) return InvalidMount(spec, applied.error().message());
  }
  ContainerMount mount = fields.mount;
  if (!IsOneOf(std::array<std::string_view, 4>{"volume", "bind", "tmpfs", "image"}, fields.type))
    return InvalidMount(spec,
                        fmt::format("mount type unknown: \"{}\" (known: volume, bind, tmpfs, image)", fields.type));
  if (fields.target.empty()) return InvalidMount(spec, "target is required");
  if (!fields.foreign.empty() && fields.foreign != fields.type) {
    return InvalidMount(spec,
                        fmt::format("cannot mix '{}-*' options with mount type '{}'", fields.foreign, fields.type));
  }
  VARVE_ASSIGN_OR_RETURN(mount.destination, Destination("mount", spec, fields.target));
  if (fields.type == "bind") {
    VARVE_RETURN_IF_ERROR(FinishBind(spec, fields, mount));
  } else if (fields.type == "tmpfs") {
    VARVE_RETURN_IF_ERROR(FinishTmpfs(spec, fields, mount));
  } else if (fields.type == "image") {
    if (fields.source.empty()) return InvalidMount(spec, "an image mount needs a source, the name of the image");
    mount.kind = MountKind::kImage;
    mount.name = fields.source;
    mount.read_only = true;
  } else if (fields.source.empty()) {
    mount.anonymous = true;
  } else {
    VARVE_RETURN_IF_ERROR(CheckVolumeName(fields.source));
    mount.name = fields.source;
  }
  return mount;
}

Result<ContainerMount> ParseTmpfs(std::string_view spec) {
  const std::size_t colon = spec.find(':');
  ContainerMount mount{.kind = MountKind::kTmpfs};
  VARVE_ASSIGN_OR_RETURN(mount.destination, Destination("tmpfs", spec, std::string(spec.substr(0, colon))));
  std::set<std::string> restrictions(kTmpfsRestrictions.begin(), kTmpfsRestrictions.end());
  if (colon != std::string_view::npos) {
    mount.mode = spec.substr(colon + 1);
    for (const std::string& option : Split(mount.mode, ',')) {
      if (restrictions.erase("no" + option) > 0) continue;
      if (IsOneOf(kTmpfsRestrictions, option)) {
        restrictions.insert(option);
      } else if (option == "ro" || option == "rw") {
        mount.read_only = option == "ro";
      } else if (std::ranges::any_of(kTmpfsValues, [&](std::string_view key) { return option.starts_with(key); })) {
        mount.options.push_back(option);
      } else {
        return Invalid("tmpfs", spec, fmt::format("unknown option '{}'", option));
      }
    }
  }
  mount.options.insert(mount.options.end(), restrictions.begin(), restrictions.end());
  return mount;
}

Mount ToRuntimeMount(const ContainerMount& mount) {
  const std::string access = mount.read_only ? "ro" : "rw";
  if (mount.kind == MountKind::kTmpfs) {
    Mount tmpfs{mount.destination, "tmpfs", "tmpfs", mount.options};
    tmpfs.options.push_back(access);
    return tmpfs;
  }
  const std::string propagation = mount.kind == MountKind::kBind ? mount.propagation : "rprivate";
  return {mount.destination, "bind", mount.source, {mount.recursive ? "rbind" : "bind", propagation, access}};
}

}  // namespace varve
