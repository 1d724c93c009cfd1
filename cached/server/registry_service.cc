#include "cached/server/registry_service.h"

#include "cached/registry/login.h"
#include "cached/server/grpc_status.h"
#include "cached/server/progress_stream.h"
#include "cached/server/registry_access.h"

namespace varve {

grpc::Status RegistryService::Login(grpc::ServerContext*, const v1::LoginRequest* request, v1::LoginReply*) {
  const CancelToken cancel;
  return ToGrpc(CheckLogin(transport_, request->domain(), ToRegistryOptions(request->access()), cancel).In("login"));
}

grpc::Status RegistryService::ListTags(grpc::ServerContext*, const v1::ListTagsRequest* request,
                                       v1::ListTagsReply* reply) {
  const CancelToken cancel;
  VARVE_GRPC_ASSIGN_OR_RETURN(const Reference repository, Reference::Parse(request->repository()));
  VARVE_GRPC_ASSIGN_OR_RETURN(
      const auto client, RegistryClient::Create(transport_, repository, ToRegistryOptions(request->access()), cancel));
  VARVE_GRPC_ASSIGN_OR_RETURN(const std::vector<std::string> tags, client->ListTags(cancel));
  for (const std::string& tag : tags) reply->add_tags(tag);
  return grpc::Status::OK;
}

grpc::Status RegistryService::GetManifest(grpc::ServerContext*, const v1::GetManifestRequest* request,
                                          v1::GetManifestReply* reply) {
  const CancelToken cancel;
  VARVE_GRPC_ASSIGN_OR_RETURN(const Reference reference, Reference::Parse(request->reference()));
  VARVE_GRPC_ASSIGN_OR_RETURN(
      const auto client, RegistryClient::Create(transport_, reference, ToRegistryOptions(request->access()), cancel));
  VARVE_GRPC_ASSIGN_OR_RETURN(const FetchedManifest fetched, reference.digest
                                                                 ? client->GetManifest(*reference.digest, cancel)
                                                                 : client->GetManifest(reference.tag, cancel));
  reply->set_manifest(std::string(AsText(fetched.bytes)));
  return grpc::Status::OK;
}

grpc::Status RegistryService::Push(grpc::ServerContext* context, PushStream* stream) {
  v1::PushRequest first;
  if (!stream->Read(&first) || !first.has_start())
    return {grpc::StatusCode::INVALID_ARGUMENT, "push: the client named no image"};
  const v1::PushRequest::Start& start = first.start();
  VARVE_GRPC_ASSIGN_OR_RETURN(const FoundImage image, catalog_.Find(start.image()));
  if (start.destination().empty() && image.name.empty())
    return {grpc::StatusCode::INVALID_ARGUMENT, "push " + start.image() + ": an id is no destination; name one",
            "varve"};
  VARVE_GRPC_ASSIGN_OR_RETURN(const Reference destination,
                              Reference::Parse(start.destination().empty() ? image.name : start.destination()));
  PushOptions options;
  if (!start.compression().empty()) {
    VARVE_GRPC_ASSIGN_OR_RETURN(options.compression, LayerCompression::Parse(start.compression()));
  }
  CancelToken cancel;
  // Layers ask and report from threads of their own, and a stream takes one writer at a time.
  std::mutex writing;
  std::mutex asking;
  const auto send = [&](const v1::PushEvent& event) {
    const std::lock_guard<std::mutex> lock(writing);
    return !context->IsCancelled() && stream->Write(event);
  };
  ProgressStream progress(
      [&](const v1::PullEvent& pull) {
        v1::PushEvent event;
        *event.mutable_layers() = pull.layers();
        return send(event);
      },
      cancel);
  PushHooks hooks;
  hooks.access = [&](const Reference& repository) -> Result<RegistryOptions> {
    const std::lock_guard<std::mutex> lock(asking);
    v1::PushEvent event;
    event.set_need_access(repository.Repository());
    v1::PushRequest answer;
    if (!send(event) || !stream->Read(&answer)) return Error(Code::kCancelled, "the client is gone");
    if (!answer.trouble().empty()) return Error(Code::kFailedPrecondition, answer.trouble());
    return ToRegistryOptions(answer.access());
  };
  hooks.progress = [&](const LayerProgress& layer) { progress.Report(layer); };
  const auto outcome = PushImage(store_, transport_, image, destination, options, hooks, cancel);
  progress.Finish();
  if (!outcome.ok()) return ToGrpc(outcome.error().In("push " + destination.Familiar()));
  v1::PushEvent last;
  last.mutable_done()->set_reference(destination.Canonical());
  last.mutable_done()->set_manifest_digest(outcome->manifest_digest.ToString());
  last.mutable_done()->set_size_bytes(outcome->manifest_bytes);
  last.mutable_done()->set_changed(outcome->changed);
  for (const std::string& note : outcome->notes) last.mutable_done()->add_notes(note);
  send(last);
  return grpc::Status::OK;
}

}  // namespace varve
