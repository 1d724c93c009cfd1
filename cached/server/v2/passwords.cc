#include "cached/server/v2/passwords.h"

#include <crypt.h>
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "cached/base/fs.h"
#include "cached/base/log.h"
#include "cached/content/sha256.h"

namespace varve::v2 {
namespace {

constexpr std::uint64_t kFileBytesMax = 4 << 20;
// What crypt(3) of Debian makes: bcrypt, yescrypt, SHA-512 and SHA-256. Not what htpasswd makes without -B.
constexpr std::string_view kMethods[] = {"$2y$", "$2a$", "$2b$", "$y$", "$6$", "$5$"};

bool Fits(const std::string& hash, const std::string& password) {
  crypt_data work{};
  const char* const made = ::crypt_r(password.c_str(), hash.c_str(), &work);
  if (made == nullptr) return false;
  const std::string_view got = made;
  if (got.size() != hash.size()) return false;
  unsigned difference = 0;  // no early end: the time says nothing of where they differ
  for (std::size_t i = 0; i < got.size(); ++i) difference |= static_cast<unsigned char>(got[i] ^ hash[i]);
  return difference == 0;
}

Digest Fingerprint(std::string_view user, std::string_view hash, std::string_view password) {
  return Sha256Of(AsBytes(fmt::format("{}\n{}\n{}", user, hash, password)));
}

}  // namespace

Result<std::unique_ptr<Passwords>> Passwords::Load(const std::string& path, Clock& clock) {
  std::unique_ptr<Passwords> passwords(new Passwords(path, clock));
  VARVE_ASSIGN_OR_RETURN(Users users, Read(path));
  const MutexLock lock(passwords->mutex_);
  passwords->users_ = std::make_shared<const Users>(std::move(users));
  return passwords;
}

Result<Passwords::Users> Passwords::Read(const std::string& path) {
  VARVE_ASSIGN_OR_RETURN(const Bytes bytes, ReadWholeFile(Fs::Real(), path, kFileBytesMax));
  Users users;
  std::string_view rest = AsText(bytes);
  for (int number = 1; !rest.empty(); ++number) {
    const auto end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    const auto colon = line.find(':');
    const std::string_view hash = colon == std::string_view::npos ? "" : line.substr(colon + 1);
    if (colon == 0 || std::ranges::none_of(kMethods, [&](std::string_view method) { return hash.starts_with(method); }))
      return Error(
          Code::kInvalidArgument,
          fmt::format("{}:{}: not a user with a password hashed by bcrypt; make it with: htpasswd -B", path, number));
    users.insert_or_assign(std::string(line.substr(0, colon)), std::string(hash));
  }
  return users;
}

void Passwords::Refresh() {
  if (!file_.HasChanged()) return;
  auto users = Read(file_.path());
  if (!users.ok()) {
    file_.LookAgain();
    const std::string line = users.error().message() + "; the passwords of before still hold";
    if (const auto left_out = log_limit_.Admit(line)) LogError("{}{}", line, *left_out);
    return;
  }
  auto fresh = std::make_shared<const Users>(*std::move(users));
  const MutexLock lock(mutex_);
  users_ = std::move(fresh);
  known_.clear();
}

bool Passwords::IsKnown(std::string_view user, std::string_view password) {
  Refresh();
  const MutexLock lock(mutex_);
  const auto found = users_->find(std::string(user));
  return found != users_->end() && known_.contains(Fingerprint(user, found->second, password));
}

bool Passwords::Check(std::string_view user, std::string_view password) {
  if (IsKnown(user, password)) return true;
  std::shared_ptr<const Users> users;
  {
    const MutexLock lock(mutex_);
    users = users_;
  }
  if (users->empty()) return false;
  const auto found = users->find(std::string(user));
  // Of an unknown user another's is hashed, so that the time is the same.
  const std::string hash = found == users->end() ? users->begin()->second : found->second;
  const bool fits = Fits(hash, std::string(password)) && found != users->end();
  if (!fits) return false;
  const MutexLock lock(mutex_);
  if (known_.size() >= kKnownMax) known_.clear();
  if (users == users_) known_.insert(Fingerprint(user, hash, password));
  return true;
}

}  // namespace varve::v2
