#include <fmt/core.h>

#include <vector>

#include "cached/oci/image_config.h"
#include "cli/cli.h"
#include "cli/documents.h"
#include "cli/listing/print.h"
#include "cli/listing/rows.h"

namespace varve {
namespace {

constexpr std::size_t kCreatedByWidth = 45;  // docker's

struct HistoryOptions {
  std::string image;
  bool quiet = false;
  bool no_trunc = false;
  bool human = true;
  std::string format;
};

// Newest first. Only the newest is an image that has an id.
std::vector<HistoryRow> RowsOf(const v1::ImageDetail& image, const ImageConfig& config, const HistoryOptions& options) {
  std::vector<HistoryRow> rows;
  int layer = image.layer_bytes_size();
  for (auto entry = config.history.rbegin(); entry != config.history.rend(); ++entry) {
    const std::uint64_t size = entry->empty_layer || layer == 0 ? 0 : image.layer_bytes(--layer);
    const std::string& id = image.config_digest();
    rows.push_back({
        .id = !rows.empty()      ? "<missing>"
              : options.no_trunc ? id
                                 : ShortId(id),
        .created = entry->created,
        .created_by = entry->created_by,
        .size = options.human ? HumanSize(size) : std::to_string(size),
        .comment = entry->comment,
    });
  }
  return rows;
}

Result<int> RunHistory(Session& session, const HistoryOptions& options) {
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  VARVE_ASSIGN_OR_RETURN(const v1::ImageDetail image, daemon.InspectImage(options.image, DaemonClient::Purpose::kLook));
  VARVE_ASSIGN_OR_RETURN(const ImageConfig config, ParseImageConfig(AsBytes(image.config())));
  std::vector<std::string> rows;
  for (HistoryRow& row : RowsOf(image, config, options)) {
    const bool whole = options.no_trunc || options.format == "json";
    if (!whole) row.created_by = CellOf(row.created_by, kCreatedByWidth);
    rows.push_back(HistoryRowJson(row));
  }
  VARVE_ASSIGN_OR_RETURN(
      const std::string text,
      FormatRows(options.quiet ? "{{.ID}}" : options.format,
                 options.human ? "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}"
                               : "{{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
                 {{"ID", "IMAGE"},
                  {"CreatedSince", "CREATED"},
                  {"CreatedAt", "CREATED AT"},
                  {"CreatedBy", "CREATED BY"},
                  {"Size", "SIZE"},
                  {"Comment", "COMMENT"}},
                 rows));
  fmt::print("{}", text);
  return 0;
}

}  // namespace

void AddHistory(Cli& cli) {
  auto options = std::make_shared<HistoryOptions>();
  CLI::App* command = cli.app.add_subcommand("history", "Show how an image was made, newest first");
  command->add_option("IMAGE", options->image, "name or id")->required();
  command->add_flag("-q,--quiet", options->quiet, "print ids only");
  command->add_flag("--no-trunc", options->no_trunc, "cut nothing off");
  command->add_flag("-H,--human", options->human, "sizes and ages for people; --human=false: bytes and dates");
  command->add_option("--format", options->format, kFormatHelp);
  SetAction(cli, command, options, RunHistory);
}

}  // namespace varve
