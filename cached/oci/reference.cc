#include "cached/oci/reference.h"

#include <fmt/core.h>

#include <algorithm>

// The grammar (distribution/reference, regexp.go), read by hand: a regular expression engine recurses on input that it
// is given.
//   reference  = [domain "/"] path [":" tag] ["@" digest]
//   domain     = host [":" digits]          host = label *("." label) | "[" hex-and-colons "]"
//   path       = component *("/" component) component = lower-and-digits, joined by ".", "_", "__" or any number of "-"
//   tag        = word character, then at most 127 of word characters, "." and "-"

namespace varve {
namespace {

constexpr std::string_view kDefaultDomain = "docker.io";
constexpr std::string_view kLegacyDomain = "index.docker.io";
constexpr std::string_view kOfficialPrefix = "library/";
constexpr std::size_t kPathBytesMax = 255;
constexpr std::size_t kDomainBytesMax = 255;
constexpr std::size_t kTagBytesMax = 128;
constexpr std::size_t kShownBytesMax = 200;

bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLowerOrDigit(char c) { return (c >= 'a' && c <= 'z') || IsDigit(c); }
bool IsAlphanumeric(char c) { return IsLowerOrDigit(c) || IsUpper(c); }
bool IsHexDigit(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool IsWord(char c) { return IsAlphanumeric(c) || c == '_'; }

// Calls `accept` on each part of `text` between separators, until one is refused.
template <class Accept>
bool EachPart(std::string_view text, char separator, Accept accept) {
  for (;;) {
    const auto at = text.find(separator);
    if (!accept(text.substr(0, at))) return false;
    if (at == std::string_view::npos) return true;
    text.remove_prefix(at + 1);
  }
}

bool IsHostLabel(std::string_view label) {
  return !label.empty() && IsAlphanumeric(label.front()) && IsAlphanumeric(label.back()) &&
         std::ranges::all_of(label, [](char c) { return IsAlphanumeric(c) || c == '-'; });
}

bool IsHost(std::string_view host) {
  if (!host.starts_with('[')) return EachPart(host, '.', IsHostLabel);
  if (host.size() < 3 || !host.ends_with(']')) return false;
  return std::ranges::all_of(host.substr(1, host.size() - 2), [](char c) { return IsHexDigit(c) || c == ':'; });
}

bool IsDomain(std::string_view domain) {
  if (domain.size() > kDomainBytesMax) return false;
  const auto colon = domain.rfind(':');
  if (colon == std::string_view::npos || domain.ends_with(']')) return IsHost(domain);
  const std::string_view port = domain.substr(colon + 1);
  return IsHost(domain.substr(0, colon)) && !port.empty() && std::ranges::all_of(port, IsDigit);
}

bool IsSeparator(std::string_view text) {
  return text == "." || text == "_" || text == "__" || std::ranges::all_of(text, [](char c) { return c == '-'; });
}

bool IsPathComponent(std::string_view component) {
  if (component.empty() || !IsLowerOrDigit(component.front()) || !IsLowerOrDigit(component.back())) return false;
  while (!component.empty()) {
    const auto word_end = std::ranges::find_if_not(component, IsLowerOrDigit);
    const auto separator_end = std::find_if(word_end, component.end(), IsLowerOrDigit);
    if (!IsSeparator(std::string_view(word_end, separator_end))) return false;
    component = std::string_view(separator_end, component.end());
  }
  return true;
}

}  // namespace

bool IsRepositoryPath(std::string_view path) {
  return path.size() <= kPathBytesMax && EachPart(path, '/', IsPathComponent);
}

bool IsTag(std::string_view tag) {
  return !tag.empty() && tag.size() <= kTagBytesMax && IsWord(tag.front()) &&
         std::ranges::all_of(tag, [](char c) { return IsWord(c) || c == '.' || c == '-'; });
}

namespace {

struct SplitName {
  std::string domain;
  std::string remainder;
};

SplitName SplitDomain(std::string_view name) {
  const auto slash = name.find('/');
  std::string_view first = name.substr(0, slash);
  const bool is_domain =
      slash != std::string_view::npos &&
      (first == "localhost" || first.find_first_of(".:") != first.npos || std::ranges::any_of(first, IsUpper));
  std::string_view remainder = name;
  if (is_domain) remainder.remove_prefix(slash + 1);
  if (!is_domain || first == kLegacyDomain) first = kDefaultDomain;
  const bool official = first == kDefaultDomain && remainder.find('/') == std::string_view::npos;
  return {std::string(first), std::string(official ? kOfficialPrefix : "").append(remainder)};
}

Status CheckPath(std::string_view path) {
  if (path.empty() || path == kOfficialPrefix) return Error(Code::kInvalidArgument, "the repository has no name");
  if (path.size() > kPathBytesMax) {
    return Error(Code::kInvalidArgument, fmt::format("the repository name is longer than {} bytes", kPathBytesMax));
  }
  if (std::ranges::any_of(path, IsUpper)) {
    return Error(Code::kInvalidArgument, fmt::format("the repository name \"{}\" must be lower case", path));
  }
  if (!EachPart(path, '/', IsPathComponent)) {
    return Error(Code::kInvalidArgument, fmt::format("\"{}\" is not a repository name", path));
  }
  return Ok();
}

Result<Reference> ParseUnnamed(std::string_view text) {
  if (text.size() == 64 && std::ranges::all_of(text, [](char c) { return IsHexDigit(c) && !IsUpper(c); })) {
    return Error(Code::kInvalidArgument, "64 hex digits name an image ID, not a repository");
  }
  Reference reference;
  const auto at = text.find('@');
  if (at != std::string_view::npos) {
    VARVE_ASSIGN_OR_RETURN(reference.digest, Digest::Parse(text.substr(at + 1)));
  }
  auto [domain, path] = SplitDomain(text.substr(0, at));
  if (!IsDomain(domain)) return Error(Code::kInvalidArgument, fmt::format("\"{}\" is not a registry's host", domain));
  const auto colon = path.find(':');
  if (colon != std::string::npos) {
    reference.tag = path.substr(colon + 1);
    if (!IsTag(reference.tag)) return Error(Code::kInvalidArgument, fmt::format("\"{}\" is not a tag", reference.tag));
    path.resize(colon);
  } else if (!reference.digest) {
    reference.tag = "latest";
  }
  VARVE_RETURN_IF_ERROR(CheckPath(path));
  reference.domain = std::move(domain);
  reference.path = std::move(path);
  return reference;
}

std::string WithSuffix(std::string name, const Reference& reference) {
  if (!reference.tag.empty()) name += ":" + reference.tag;
  if (reference.digest) name += "@" + reference.digest->ToString();
  return name;
}

}  // namespace

Result<Reference> Reference::Parse(std::string_view text) {
  return ParseUnnamed(text).In(fmt::format("invalid reference \"{}\"", text.substr(0, kShownBytesMax)));
}

std::string Reference::Repository() const { return domain + "/" + path; }

std::string Reference::Canonical() const { return WithSuffix(Repository(), *this); }

std::string Reference::FamiliarRepository() const {
  if (domain != kDefaultDomain) return Repository();
  const bool official =
      path.starts_with(kOfficialPrefix) && path.find('/', kOfficialPrefix.size()) == std::string::npos;
  return official ? path.substr(kOfficialPrefix.size()) : path;
}

std::string Reference::Familiar() const { return WithSuffix(FamiliarRepository(), *this); }

}  // namespace varve
