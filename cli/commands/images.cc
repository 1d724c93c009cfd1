#include <fmt/core.h>
#include <fnmatch.h>

#include <algorithm>
#include <optional>

#include "cli/cli.h"
#include "cli/documents.h"
#include "cli/print.h"

namespace varve {
namespace {

struct ImagesOptions {
  std::string repository;
  bool all = false;
  bool quiet = false;
  bool no_trunc = false;
  bool digests = false;
  std::vector<std::string> filters;
  std::string format;
};

using Image = v1::ListImagesReply::Image;

// docker's patterns: * is any run of characters but "/".
bool Matches(const std::string& pattern, const std::string& text) {
  return ::fnmatch(pattern.c_str(), text.c_str(), FNM_PATHNAME) == 0;
}

bool NameMatches(const Image& image, const std::string& pattern) {
  return Matches(pattern, image.repository()) || Matches(pattern, image.repository() + ":" + image.tag());
}

bool LabelMatches(const Image& image, const std::string& wanted) {
  const std::size_t equals = wanted.find('=');
  const auto found = image.labels().find(wanted.substr(0, equals));
  return found != image.labels().end() && (equals == std::string::npos || found->second == wanted.substr(equals + 1));
}

// The image that before= and since= compare with.
const Image* FindImage(const v1::ListImagesReply& reply, const std::string& name) {
  for (const Image& image : reply.images()) {
    if (NameMatches(image, name) || image.config_digest().starts_with("sha256:" + name) ||
        image.config_digest().starts_with(name))
      return &image;
  }
  return nullptr;
}

Result<bool> Passes(const v1::ListImagesReply& reply, const Image& image, const std::string& filter) {
  const std::size_t equals = filter.find('=');
  const std::string key = filter.substr(0, equals);
  const std::string value = equals == std::string::npos ? "" : filter.substr(equals + 1);
  if (key == "dangling") {
    if (value != "true" && value != "false")
      return Error(Code::kInvalidArgument, "invalid filter 'dangling=" + value + "': it is true or false");
    return (value == "true") == image.repository().empty();
  }
  if (key == "label") return LabelMatches(image, value);
  if (key == "reference") return NameMatches(image, value);
  if (key == "before" || key == "since") {
    const Image* other = FindImage(reply, value);
    if (other == nullptr) return Error(Code::kNotFound, "No such image: " + value);
    return key == "before" ? image.created() < other->created() : image.created() > other->created();
  }
  return Error(Code::kInvalidArgument,
               "invalid filter '" + key + "' (known: dangling, label, before, since, reference)");
}

Result<std::vector<Image>> Choose(const v1::ListImagesReply& reply, const ImagesOptions& options) {
  std::vector<Image> chosen;
  const bool asks_for_dangling = std::any_of(options.filters.begin(), options.filters.end(),
                                             [](const std::string& filter) { return filter.starts_with("dangling"); });
  for (const Image& image : reply.images()) {
    if (image.repository().empty() && !options.all && !asks_for_dangling) continue;
    if (!options.repository.empty() && !NameMatches(image, options.repository)) continue;
    bool passes = true;
    for (const std::string& filter : options.filters) {
      VARVE_ASSIGN_OR_RETURN(const bool one, Passes(reply, image, filter));
      passes = passes && one;
    }
    if (passes) chosen.push_back(image);
  }
  return chosen;
}

void PrintTable(const std::vector<Image>& images, const ImagesOptions& options) {
  std::vector<std::string> header = {"REPOSITORY", "TAG"};
  if (options.digests) header.push_back("DIGEST");
  for (const char* name : {"IMAGE ID", "CREATED", "SIZE"}) header.push_back(name);
  Table table(header);
  for (const Image& image : images) {
    std::vector<std::string> row = {image.repository().empty() ? "<none>" : image.repository(),
                                    image.tag().empty() ? "<none>" : image.tag()};
    if (options.digests) row.push_back(image.manifest_digest());
    row.push_back(options.no_trunc ? image.config_digest() : ShortId(image.config_digest()));
    row.push_back(AgoOf(image.created()));
    row.push_back(HumanSize(image.size_bytes()));
    table.Add(std::move(row));
  }
  fmt::print("{}", table.ToString());
}

Result<int> RunImages(Session& session, const ImagesOptions& options) {
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  VARVE_ASSIGN_OR_RETURN(const v1::ListImagesReply reply, daemon.ListImages());
  VARVE_ASSIGN_OR_RETURN(const std::vector<Image> images, Choose(reply, options));
  if (options.format == "json") {
    for (const Image& image : images) fmt::print("{}\n", ImageRowJson(image));
  } else if (options.quiet) {
    for (const Image& image : images)
      fmt::print("{}\n", options.no_trunc ? image.config_digest() : ShortId(image.config_digest()));
  } else {
    PrintTable(images, options);
  }
  return 0;
}

}  // namespace

void AddImages(Cli& cli) {
  auto options = std::make_shared<ImagesOptions>();
  CLI::App* command = cli.app.add_subcommand("images", "List images");
  command->add_option("REPOSITORY", options->repository, "show only these, NAME[:TAG], * allowed");
  command->add_flag("-a,--all", options->all, "show images without a name too");
  command->add_flag("-q,--quiet", options->quiet, "print ids only");
  command->add_flag("--no-trunc", options->no_trunc, "print whole ids");
  command->add_flag("--digests", options->digests, "show manifest digests");
  command->add_option("-f,--filter", options->filters, "dangling=, label=, before=, since=, reference=");
  command->add_option("--format", options->format, "json: one object a line")->check(CLI::IsMember({"json", "table"}));
  SetAction(cli, command, options, RunImages);
}

}  // namespace varve
