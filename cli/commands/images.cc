#include <fmt/core.h>
#include <fnmatch.h>

#include <optional>

#include "cli/cli.h"
#include "cli/documents.h"
#include "cli/listing/filters.h"
#include "cli/listing/print.h"
#include "cli/listing/rows.h"

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

// The image that before= and since= compare with.
const Image* FindImage(const v1::ListImagesReply& reply, const std::string& name) {
  for (const Image& image : reply.images()) {
    if (NameMatches(image, name) || image.config_digest().starts_with("sha256:" + name) ||
        image.config_digest().starts_with(name))
      return &image;
  }
  return nullptr;
}

// The time of the image that before= or since= names; of no value, nothing.
Result<std::optional<std::string>> TimeOf(const v1::ListImagesReply& reply, const std::vector<std::string>& names) {
  if (names.empty()) return std::optional<std::string>();
  const Image* image = FindImage(reply, names.back());
  if (image == nullptr) return Error(Code::kNotFound, "No such image: " + names.back());
  return std::optional(image->created());
}

Result<std::vector<Image>> Choose(const v1::ListImagesReply& reply, const ImagesOptions& options) {
  VARVE_ASSIGN_OR_RETURN(const Filters filters,
                         Filters::Parse(options.filters, {"dangling", "label", "before", "since", "reference"}));
  VARVE_ASSIGN_OR_RETURN(const bool dangling, filters.Flag("dangling", false));
  VARVE_ASSIGN_OR_RETURN(const auto before, TimeOf(reply, filters.Of("before")));
  VARVE_ASSIGN_OR_RETURN(const auto since, TimeOf(reply, filters.Of("since")));
  std::vector<Image> chosen;
  for (const Image& image : reply.images()) {
    const bool nameless = image.repository().empty();
    const bool shown = filters.Of("dangling").empty() ? !nameless || options.all : nameless == dangling;
    if (shown && (options.repository.empty() || NameMatches(image, options.repository)) &&
        filters.Pass("reference", [&](const std::string& pattern) { return NameMatches(image, pattern); }) &&
        filters.PassLabels({image.labels().begin(), image.labels().end()}) && (!before || image.created() < *before) &&
        (!since || image.created() > *since))
      chosen.push_back(image);
  }
  return chosen;
}

Result<int> RunImages(Session& session, const ImagesOptions& options) {
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  VARVE_ASSIGN_OR_RETURN(const v1::ListImagesReply reply, daemon.ListImages());
  VARVE_ASSIGN_OR_RETURN(const std::vector<Image> images, Choose(reply, options));
  std::vector<std::string> rows;
  rows.reserve(images.size());
  for (const Image& image : images)
    rows.push_back(ImageRowJson(image, options.no_trunc ? image.config_digest() : ShortId(image.config_digest())));
  const std::string usual = options.digests
                                ? "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"
                                : "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";
  VARVE_ASSIGN_OR_RETURN(const std::string text, FormatRows(options.quiet ? "{{.ID}}" : options.format, usual,
                                                            {{"Repository", "REPOSITORY"},
                                                             {"Tag", "TAG"},
                                                             {"Digest", "DIGEST"},
                                                             {"ID", "IMAGE ID"},
                                                             {"CreatedSince", "CREATED"},
                                                             {"CreatedAt", "CREATED AT"},
                                                             {"Size", "SIZE"},
                                                             {"Containers", "CONTAINERS"},
                                                             {"SharedSize", "SHARED SIZE"},
                                                             {"UniqueSize", "UNIQUE SIZE"}},
                                                            rows));
  fmt::print("{}", text);
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
  command->add_option("--format", options->format, kFormatHelp);
  SetAction(cli, command, options, RunImages);
}

}  // namespace varve
