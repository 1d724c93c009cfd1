#include <fmt/core.h>
#include <termios.h>
#include <unistd.h>

#include <iostream>

#include "cli/auth_file.h"
#include "cli/caller_world.h"
#include "cli/cli.h"

namespace varve {
namespace {

constexpr std::size_t kPasswordBytesMax = 64 << 10;

struct LoginOptions {
  std::string server;
  std::string username;
  std::string password;
  bool password_stdin = false;
  std::string tls_verify = "true";
};

// A terminal that does not show what is typed, until this goes.
class HiddenInput {
 public:
  HiddenInput() {
    known_ = ::tcgetattr(STDIN_FILENO, &before_) == 0;
    termios hidden = before_;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    if (known_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
  }
  ~HiddenInput() {
    if (known_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  HiddenInput(const HiddenInput&) = delete;
  HiddenInput& operator=(const HiddenInput&) = delete;

 private:
  termios before_{};
  bool known_ = false;
};

std::string Ask(const char* question) {
  fmt::print("{}: ", question);
  std::fflush(stdout);
  std::string line;
  std::getline(std::cin, line);
  return line;
}

// All of standard input, without the line's end.
Result<std::string> ReadPassword() {
  std::string password(kPasswordBytesMax + 1, '\0');
  std::cin.read(password.data(), static_cast<std::streamsize>(password.size()));
  password.resize(static_cast<std::size_t>(std::cin.gcount()));
  if (password.size() > kPasswordBytesMax)
    return Error(Code::kInvalidArgument, fmt::format("the password has more than {} bytes", kPasswordBytesMax));
  while (password.ends_with('\n') || password.ends_with('\r')) password.pop_back();
  return password;
}

// Asks for what the options leave open.
Status Complete(LoginOptions& options) {
  if (options.password_stdin) {
    if (options.username.empty())
      return Error(Code::kInvalidArgument, "--password-stdin: give the user name by --username");
    VARVE_ASSIGN_OR_RETURN(options.password, ReadPassword());
  } else if (!options.password.empty()) {
    fmt::print(stderr, "WARNING! Others see a password on the command line. Use --password-stdin.\n");
  }
  const bool asks = options.username.empty() || options.password.empty();
  if (asks && (options.password_stdin || ::isatty(STDIN_FILENO) != 1))
    return Error(Code::kInvalidArgument, options.password_stdin
                                             ? "standard input holds no password"
                                             : "standard input is no terminal: use --username and --password-stdin");
  if (options.username.empty()) options.username = Ask("Username");
  if (options.password.empty()) {
    const HiddenInput hidden;
    options.password = Ask("Password");
    fmt::print("\n");
  }
  if (options.username.empty() || options.password.empty())
    return Error(Code::kInvalidArgument, "user name and password must not be empty");
  return Ok();
}

Result<int> RunLogin(Session& session, LoginOptions options) {
  v1::LoginRequest request;
  VARVE_ASSIGN_OR_RETURN(*request.mutable_domain(), RegistryDomain(options.server));
  VARVE_RETURN_IF_ERROR(Complete(options));
  VARVE_ASSIGN_OR_RETURN(v1::RegistryAccess access,
                         AccessTo(request.domain(), options.tls_verify == "false" ? TlsMode::kSkip : TlsMode::kVerify));
  access.clear_identity_token();  // of an earlier login
  access.set_username(options.username);
  access.set_password(options.password);
  *request.mutable_access() = std::move(access);
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  VARVE_RETURN_IF_ERROR(daemon.Login(request));
  VARVE_ASSIGN_OR_RETURN(const KeptCredentials kept,
                         KeepCredentials(request.domain(), options.username, options.password));
  if (!kept.encrypted) {
    fmt::print(stderr, "WARNING! The password is stored unencrypted in {}; a credential helper would encrypt it.\n",
               kept.where);
  }
  fmt::print("Login Succeeded\n");
  return 0;
}

struct LogoutOptions {
  std::string server;
};

Result<int> RunLogout(Session&, const LogoutOptions& options) {
  VARVE_ASSIGN_OR_RETURN(const std::string domain, RegistryDomain(options.server));
  VARVE_ASSIGN_OR_RETURN(const bool erased, EraseCredentials(domain));
  fmt::print("{} {}\n", erased ? "Removing login credentials for" : "Not logged in to", domain);
  return 0;
}

}  // namespace

void AddLogin(Cli& cli) {
  constexpr const char* kServer = "HOST[:PORT]; without it Docker Hub";
  auto options = std::make_shared<LoginOptions>();
  CLI::App* login = cli.app.add_subcommand("login", "Keep the credentials for a registry, once it has taken them");
  login->add_option("SERVER", options->server, kServer);
  login->add_option("-u,--username", options->username, "user name");
  CLI::Option* password = login->add_option("-p,--password", options->password, "password, or access token");
  login->add_flag("--password-stdin", options->password_stdin, "read the password from standard input")
      ->excludes(password);
  login->add_option("--tls-verify", options->tls_verify, "false: accept any certificate, or plain HTTP")
      ->check(CLI::IsMember({"true", "false"}));
  SetAction(cli, login, options, RunLogin);

  auto logout_options = std::make_shared<LogoutOptions>();
  CLI::App* logout = cli.app.add_subcommand("logout", "Forget the credentials for a registry");
  logout->add_option("SERVER", logout_options->server, kServer);
  SetAction(cli, logout, logout_options, RunLogout);
}

}  // namespace varve
