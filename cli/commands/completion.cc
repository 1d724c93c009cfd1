#include <fmt/core.h>

#include <algorithm>
#include <optional>

#include "cli/cli.h"
#include "cli/listing/print.h"
#include "cli/runtime/connection.h"

// Completion in shells. Their scripts know nothing of varve: with each Tab they ask `varve __complete -- WORDS` for
// what may stand in the place of the last word, which may be empty. The answer follows from what the parser has anyway:
// commands, options, the values that an option is checked against, and the names of positional arguments. It has a
// candidate a line, a tab and a description behind it where there is one, and a last line ":files" if files may stand
// there too. A Tab starts no process and asks no registry.

namespace varve {
namespace {

constexpr const char* kBash = R"(_varve() {
  local line=${COMP_LINE:0:COMP_POINT} words candidate
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  local last=${words[${#words[@]} - 1]}
  local before=${last%"${last##*[:=]}"}  # what bash has already broken off
  COMPREPLY=()
  while IFS= read -r candidate; do
    if [[ $candidate == :files ]]; then
      compopt -o default
    else
      candidate=${candidate%%$'\t'*}
      COMPREPLY+=("${candidate#"$before"}")
    fi
  done < <("${words[0]}" __complete -- "${words[@]:1}" 2>/dev/null)
}
complete -F _varve varve
)";

constexpr const char* kZsh = R"(#compdef varve
_varve() {
  local -a described
  local line files
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      files=yes
    else
      described+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    fi
  done < <("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
  (( ${#described} )) && _describe -t varve varve described
  [[ -n $files ]] && _files
}
if [[ $funcstack[1] == _varve ]]; then _varve "$@"; else compdef _varve varve; fi
)";

constexpr const char* kFish = R"(function __varve_complete
  set -l words (commandline -opc) (commandline -ct)
  for line in ($words[1] __complete -- $words[2..-1] 2>/dev/null)
    if test $line = :files
      __fish_complete_path (commandline -ct)
    else
      echo $line
    end
  end
end
complete -c varve -f -a '(__varve_complete)'
)";

bool IsOption(const std::string& word) { return word.size() > 1 && word[0] == '-'; }

bool TakesValue(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

// nullptr if `app` has none of that name; `name` may have "=VALUE" behind it.
const CLI::Option* FindOption(const CLI::App& app, const std::string& name) {
  return app.get_option_no_throw(name.substr(0, name.find('=')));
}

// nullptr if `app` has none of that name.
const CLI::App* FindCommand(const CLI::App& app, const std::string& name) {
  const auto found = app.get_subcommands([&](const CLI::App* command) { return command->get_name() == name; });
  return found.empty() ? nullptr : found.front();
}

struct Place {
  const CLI::App* app;                    // the command that the words have led to
  const CLI::Option* value_of = nullptr;  // an option that the last word is the value of
  std::size_t positional = 0;             // how many positional arguments stand before the last word
};

Place PlaceOf(const CLI::App& root, const std::vector<std::string>& words) {
  Place place{&root};
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const bool inside = place.app->get_prefix_command() && place.positional > 0;  // of what is to be run
    if (std::exchange(place.value_of, nullptr) != nullptr) continue;
    if (IsOption(words[i]) && !inside) {
      const CLI::Option* option = FindOption(*place.app, words[i]);
      if (option != nullptr && TakesValue(*option) && words[i].find('=') == std::string::npos) place.value_of = option;
    } else if (const CLI::App* command = place.positional == 0 ? FindCommand(*place.app, words[i]) : nullptr) {
      place.app = command;
    } else {
      ++place.positional;
    }
  }
  return place;
}

// What the next positional argument is called. The parser does not know it of a command that runs another.
std::string PositionalName(const Place& place) {
  if (place.app->get_prefix_command()) {
    if (place.positional > 0) return "COMMAND";
    return place.app->get_name() == "exec" ? "CONTAINER" : "IMAGE";
  }
  const auto options = place.app->get_options([](const CLI::Option* option) { return option->get_positional(); });
  std::size_t at = 0;
  for (const CLI::Option* option : options) {
    at += static_cast<std::size_t>(option->get_items_expected_max());
    if (place.positional < at) return option->get_name(true);
  }
  return "";
}

class Candidates {
 public:
  Candidates(Session& session, std::string beginning) : session_(session), beginning_(std::move(beginning)) {}

  void Add(const std::string& word, const std::string& description) {
    if (!word.starts_with(beginning_)) return;
    const std::string first = description.substr(0, description.find('\n'));
    fmt::print("{}{}{}\n", word, first.empty() ? "" : "\t", first);
  }

  void Commands(const CLI::App& app) {
    for (const CLI::App* command : app.get_subcommands([](const CLI::App* one) { return !one->get_group().empty(); }))
      Add(command->get_name(), command->get_description());
  }

  void Options(const CLI::App& app) {
    for (const CLI::Option* option : app.get_options()) {
      for (const std::string& name : option->get_lnames()) Add("--" + name, option->get_description());
      for (const std::string& name : option->get_snames()) Add("-" + name, option->get_description());
    }
  }

  // Of an option that is, with "=", `named` so far. What the parser allows stands in the name of the option's type:
  // "TEXT:{json,table}".
  void Values(const CLI::Option& option, const std::string& named) {
    const std::string type = option.get_type_name();
    const std::size_t open = type.find('{');
    if (open == std::string::npos) return Files();
    std::string value;
    for (const char c : type.substr(open + 1)) {
      if (c != ',' && c != '}') {
        value += c;
        continue;
      }
      Add(named + std::exchange(value, ""), "");
      if (c == '}') break;
    }
  }

  void Positional(const std::string& name) {
    const auto is = [&](std::string_view part) { return name.find(part) != std::string::npos; };
    if (is("CONTAINER") || name == "NAME") Containers();
    if (is("NETWORK")) Networks();
    if (is("IMAGE") || is("REPOSITORY") || name == "NAME") Images();
    if (is("VOLUME")) Volumes();
    if (is("FILE") || is("DIRECTORY") || is("COMMAND") || is("SOURCE")) Files();
  }

  static void Files() { fmt::print(":files\n"); }

 private:
  // Of a list that cannot be had, none; an error has no place in the middle of somebody's line.
  void Containers() {
    const auto containers = ContainerRoom(session_.paths().containers()).List();
    if (!containers.ok()) return;
    for (const Container& container : *containers)
      Add(container.record.name, CellOf(container.record.image, kDescriptionCharacters));
  }

  void Volumes() {
    const auto volumes = ContainerRoom(session_.paths().containers()).volumes().List();
    if (!volumes.ok()) return;
    for (const Volume& volume : *volumes) Add(volume.name, volume.anonymous ? "anonymous" : "");
  }

  void Networks() {
    const NetworkRoom room = NetworksOf(ContainerRoom(session_.paths().containers()));
    if (!room.Exists()) return;  // a look would make it
    const auto networks = room.List();
    if (!networks.ok()) return;
    for (const Network& network : *networks) Add(network.name, network.driver);
  }

  void Images() {
    if (!session_.Lives("cached")) return;
    auto daemon = session_.Daemon();
    if (!daemon.ok()) return;
    const auto reply = daemon->ListImages();
    if (!reply.ok()) return;
    for (const auto& image : reply->images()) {
      if (!image.repository().empty()) Add(image.repository() + ":" + image.tag(), HumanSize(image.size_bytes()));
    }
  }

  static constexpr std::size_t kDescriptionCharacters = 60;

  Session& session_;
  const std::string beginning_;
};

int Complete(const CLI::App& root, Session& session, const std::vector<std::string>& words) {
  const std::string last = words.empty() ? "" : words.back();
  const Place place = PlaceOf(root, words);
  const bool inside = place.app->get_prefix_command() && place.positional > 0;
  const std::size_t equals = IsOption(last) && !inside ? last.find('=') : std::string::npos;
  const CLI::Option* const named = equals == std::string::npos ? nullptr : FindOption(*place.app, last);
  Candidates candidates(session, last);
  if (place.value_of != nullptr) {
    candidates.Values(*place.value_of, "");
  } else if (named != nullptr) {
    candidates.Values(*named, last.substr(0, equals + 1));
  } else if (last.starts_with("-") && !inside) {
    candidates.Options(*place.app);
  } else if (place.positional == 0 && !place.app->get_subcommands({}).empty()) {
    candidates.Commands(*place.app);
  } else {
    candidates.Positional(PositionalName(place));
  }
  return 0;
}

Result<int> RunCompletion(Session&, const std::string& shell) {
  fmt::print("{}", shell == "bash" ? kBash : shell == "zsh" ? kZsh : kFish);
  return 0;
}

}  // namespace

void AddCompletion(Cli& cli) {
  auto shell = std::make_shared<std::string>();
  CLI::App* command = cli.app.add_subcommand("completion", "Print a script that completes commands in a shell");
  command->add_option("SHELL", *shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  SetAction(cli, command, shell, RunCompletion);

  auto words = std::make_shared<std::vector<std::string>>();
  command = cli.app.add_subcommand("__complete", "What may stand in the place of the last word")->group("");
  command->add_option("WORD", *words, "the words behind varve");
  command->callback([&cli, words] { cli.action = [&cli, words] { return Complete(cli.app, cli.session, *words); }; });
}

}  // namespace varve
