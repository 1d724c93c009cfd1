#include "cli/runtime/user.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <limits>
#include <optional>
#include <string>

#include "cli/runtime/inside.h"

namespace varve {
namespace {

constexpr std::uint32_t kIdMax = std::numeric_limits<std::int32_t>::max();

// Takes what stands before the first `separator` off `text`, and the separator with it.
std::string_view TakeUntil(std::string_view& text, char separator) {
  const std::string_view part = text.substr(0, text.find(separator));
  text.remove_prefix(std::min(part.size() + 1, text.size()));
  return part;
}

std::optional<std::uint32_t> IdOf(std::string_view text) {
  std::uint32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || id > kIdMax) return std::nullopt;
  return id;
}

// The number that `text` is, nothing if it is a name.
Result<std::optional<std::uint32_t>> NumberIn(std::string_view text) {
  const bool digits = !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  const auto id = IdOf(text);
  if (digits && !id)
    return Error(Code::kInvalidArgument, fmt::format("uids and gids must be in range 0-{}, got {}", kIdMax, text));
  return id;
}

struct Account {
  std::string_view name;
  std::uint32_t uid;
  std::uint32_t gid;
};

std::optional<Account> FindAccount(std::string_view passwd, std::string_view name, std::optional<std::uint32_t> uid) {
  while (!passwd.empty()) {
    std::string_view line = TakeUntil(passwd, '\n');
    const std::string_view line_name = TakeUntil(line, ':');
    TakeUntil(line, ':');
    const auto line_uid = IdOf(TakeUntil(line, ':'));
    const auto line_gid = IdOf(TakeUntil(line, ':'));
    if (!line_uid || !line_gid) continue;
    if (uid ? *uid == *line_uid : name == line_name) return Account{line_name, *line_uid, *line_gid};
  }
  return std::nullopt;
}

struct Group {
  std::string_view name;
  std::uint32_t gid;
  std::string_view members;  // separated by commas
};

// The next well-formed line of `text`, which loses it.
std::optional<Group> TakeGroup(std::string_view& text) {
  while (!text.empty()) {
    std::string_view line = TakeUntil(text, '\n');
    const std::string_view name = TakeUntil(line, ':');
    TakeUntil(line, ':');
    if (const auto gid = IdOf(TakeUntil(line, ':'))) return Group{name, *gid, line};
  }
  return std::nullopt;
}

bool HasMember(std::string_view members, std::string_view name) {
  while (!members.empty()) {
    if (TakeUntil(members, ',') == name) return true;
  }
  return false;
}

Result<std::uint32_t> FindGroup(std::string_view text, std::string_view wanted) {
  VARVE_ASSIGN_OR_RETURN(const auto number, NumberIn(wanted));
  if (number) return *number;
  while (const auto group = TakeGroup(text)) {
    if (group->name == wanted) return group->gid;
  }
  return Error(Code::kNotFound,
               fmt::format("unable to find group {}: no matching entries in the image's /etc/group", wanted));
}

Status AddGroupsOf(std::string_view text, std::string_view name, std::vector<std::uint32_t>& groups) {
  while (const auto group = TakeGroup(text)) {
    if (!HasMember(group->members, name) || group->gid == groups.front()) continue;
    if (groups.size() == kSupplementaryGroupsMax) {
      return Error(Code::kResourceExhausted,
                   fmt::format("user {} is in more than {} groups", name, kSupplementaryGroupsMax));
    }
    groups.push_back(group->gid);
  }
  return Ok();
}

Result<std::string> ReadAccountFile(int root, const std::string& path) {
  Result<UniqueFd> fd = OpenInside(root, path, O_RDONLY | O_NONBLOCK);
  if (!fd.ok() && fd.error().code() == Code::kNotFound) return std::string();
  if (!fd.ok()) return fd.error();
  struct stat info{};
  if (::fstat(fd->get(), &info) != 0) return ErrnoError(errno, path);
  if (!S_ISREG(info.st_mode)) return Error(Code::kInvalidArgument, path + ": is not a regular file");
  std::string text;
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t n = ::read(fd->get(), buffer.data(), buffer.size());
    if (n < 0) return ErrnoError(errno, path);
    if (n == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(n));
    if (text.size() > kAccountFileBytesMax) {
      return Error(Code::kResourceExhausted, fmt::format("{}: more than {} bytes", path, kAccountFileBytesMax));
    }
  }
}

}  // namespace

Result<ContainerUser> ResolveUser(std::string_view spec, std::string_view passwd, std::string_view group) {
  const std::string_view name = TakeUntil(spec, ':');
  VARVE_ASSIGN_OR_RETURN(auto uid, NumberIn(name));
  if (name.empty()) uid = 0;

  ContainerUser user;
  const auto account = FindAccount(passwd, name, uid);
  if (!account && !uid) {
    return Error(Code::kNotFound,
                 fmt::format("unable to find user {}: no matching entries in the image's /etc/passwd", name));
  }
  user.uid = account ? account->uid : *uid;
  user.gid = account ? account->gid : 0;
  if (!spec.empty()) {
    VARVE_ASSIGN_OR_RETURN(user.gid, FindGroup(group, spec));
  }
  user.groups.push_back(user.gid);
  if (account && spec.empty()) VARVE_RETURN_IF_ERROR(AddGroupsOf(group, account->name, user.groups));
  return user;
}

Result<ContainerUser> ResolveUserInside(int root, std::string_view spec, const std::vector<std::string>& more_groups) {
  VARVE_ASSIGN_OR_RETURN(const std::string passwd, ReadAccountFile(root, "/etc/passwd"));
  VARVE_ASSIGN_OR_RETURN(const std::string group, ReadAccountFile(root, "/etc/group"));
  VARVE_ASSIGN_OR_RETURN(ContainerUser user, ResolveUser(spec, passwd, group));
  for (const std::string& more : more_groups) {
    VARVE_ASSIGN_OR_RETURN(const std::uint32_t gid, FindGroup(group, more));
    if (std::ranges::find(user.groups, gid) == user.groups.end()) user.groups.push_back(gid);
  }
  return user;
}

}  // namespace varve
