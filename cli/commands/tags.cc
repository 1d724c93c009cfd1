#include <fmt/core.h>

#include "cached/oci/reference.h"
#include "cli/caller_world.h"
#include "cli/cli.h"
#include "cli/documents.h"
#include "cli/listing/rows.h"

namespace varve {
namespace {

struct TagsOptions {
  std::string repository;
  std::string format = "{{.Tag}}";
  std::string tls_verify = "true";
};

Result<int> RunTags(Session& session, const TagsOptions& options) {
  VARVE_ASSIGN_OR_RETURN(const Reference repository, Reference::Parse(options.repository));
  v1::ListTagsRequest request;
  request.set_repository(options.repository);
  VARVE_ASSIGN_OR_RETURN(
      *request.mutable_access(),
      AccessTo(repository.domain, options.tls_verify == "false" ? TlsMode::kSkip : TlsMode::kVerify));
  VARVE_ASSIGN_OR_RETURN(DaemonClient daemon, session.Daemon());
  VARVE_ASSIGN_OR_RETURN(const v1::ListTagsReply reply, daemon.ListTags(request));
  std::vector<std::string> rows;
  for (const std::string& tag : reply.tags()) rows.push_back(TagRowJson(repository.FamiliarRepository(), tag));
  VARVE_ASSIGN_OR_RETURN(const std::string text,
                         FormatRows(options.format, "{{.Name}}\t{{.Tag}}", {{"Name", "NAME"}, {"Tag", "TAG"}}, rows));
  fmt::print("{}", text);
  return 0;
}

}  // namespace

void AddTags(Cli& cli) {
  auto options = std::make_shared<TagsOptions>();
  CLI::App* command = cli.app.add_subcommand("tags", "List the tags of a repository at its registry, one a line");
  command->add_option("REPOSITORY", options->repository, "name without a tag")->required();
  command->add_option("--format", options->format, kFormatHelp);
  command->add_option("--tls-verify", options->tls_verify, "false: accept any certificate, or plain HTTP")
      ->check(CLI::IsMember({"true", "false"}));
  SetAction(cli, command, options, RunTags);
}

}  // namespace varve
