#include <fmt/core.h>

#include "cli/cli.h"
#include "cli/documents.h"
#include "cli/listing/print.h"

namespace varve {
namespace {

struct DedupOptions {
  std::vector<std::string> images;
  bool json = false;
};

Result<int> RunDedup(Session& session, const DedupOptions& options) {
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  v1::BenchDedupRequest request;
  for (const std::string& image : options.images) request.add_images(image);
  VARVE_ASSIGN_OR_RETURN(const v1::BenchDedupReply report, daemon.BenchDedup(request));
  if (options.json) {
    fmt::print("{}\n", DedupJson(report));
    return 0;
  }
  Table table({"METHOD", "KEEPS", "RATIO"});
  const auto add = [&](const char* method, std::uint64_t bytes) {
    table.Add({method, HumanSize(bytes),
               bytes == 0
                   ? "-"
                   : fmt::format("{:.2f}", static_cast<double>(report.raw_bytes()) / static_cast<double>(bytes))});
  };
  add("nothing", report.raw_bytes());
  add("layers", report.layer_bytes());
  add("files", report.file_bytes());
  add("fixed pieces of 64 KiB", report.fixed_bytes());
  add("FastCDC chunks", report.fastcdc_bytes());
  add("varve, compressed", report.stored_bytes());
  fmt::print("{}\n", table.ToString());
  Table sizes({"CHUNKS UP TO", "COUNT"});
  for (const auto& bucket : report.chunk_sizes())
    sizes.Add({HumanSize(bucket.up_to_bytes()), std::to_string(bucket.chunks())});
  fmt::print("{}", sizes.ToString());
  return 0;
}

}  // namespace

void AddBench(Cli& cli) {
  CLI::App* bench = cli.app.add_subcommand("bench", "Measure");
  bench->require_subcommand(1);
  auto options = std::make_shared<DedupOptions>();
  CLI::App* command = bench->add_subcommand("dedup", "What other ways of deduplication would keep of these images");
  command->add_option("IMAGE", options->images, "names or ids")->required();
  command->add_flag("--json", options->json, "for machines");
  SetAction(cli, command, options, RunDedup);
}

}  // namespace varve
