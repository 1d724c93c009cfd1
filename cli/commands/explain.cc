#include <fmt/core.h>

#include "cli/cli.h"
#include "cli/listing/print.h"

namespace varve {
namespace {

struct ExplainOptions {
  std::string image;
  std::string path;
};

Result<int> RunExplain(Session& session, const ExplainOptions& options) {
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  v1::ExplainRequest request;
  request.set_image(options.image);
  request.set_path(options.path);
  VARVE_ASSIGN_OR_RETURN(const v1::ExplainReply file, daemon.Explain(request));
  fmt::print("{}: {}", options.path, file.type());
  if (file.type() == "file") fmt::print(", {}", HumanSize(file.size_bytes()));
  if (file.layer() != 0) fmt::print(", from layer {} ({})", file.layer(), file.diff_id());
  fmt::print("\n");
  if (file.chunks().empty()) return 0;
  Table table({"CHUNK", "OFFSET", "RAW", "PACK", "AT", "FRAME", "SHARED WITH"});
  for (const auto& chunk : file.chunks()) {
    std::string sharers;
    for (const std::string& image : chunk.images()) sharers += (sharers.empty() ? "" : ", ") + image;
    const bool here = chunk.pack() != 0;
    table.Add({ShortId(chunk.sha256()), std::to_string(chunk.offset_bytes()), std::to_string(chunk.raw_bytes()),
               here ? fmt::format("{:06}", chunk.pack()) : "absent",
               here ? std::to_string(chunk.pack_offset_bytes()) : "-",
               here ? std::to_string(chunk.frame_bytes()) + (chunk.grouped() ? " (group)" : "") : "-", sharers});
  }
  fmt::print("{}", table.ToString());
  return 0;
}

}  // namespace

void AddExplain(Cli& cli) {
  auto options = std::make_shared<ExplainOptions>();
  CLI::App* command =
      cli.app.add_subcommand("explain", "Say which layer a file comes from, where its chunks lie and who shares them");
  command->add_option("IMAGE", options->image, "name or id")->required();
  command->add_option("PATH", options->path, "from the image's root; symlinks are not followed")->required();
  SetAction(cli, command, options, RunExplain);
}

}  // namespace varve
