#include "cached/server/registry_service.h"

#include <optional>
#include <vector>

#include "cached/registry/greeting.h"
#include "cached/registry/login.h"
#include "cached/server/grpc_status.h"
#include "cached/server/registry_access.h"
#include "cached/transfer/copy.h"
#include "cached/transfer/registry_fetcher.h"

namespace varve {
namespace {

// Nothing: all of them.
Result<std::optional<Platform>> ChosenPlatform(const v1::PlatformChoice& choice) {
  if (choice.all()) return std::optional<Platform>();
  VARVE_ASSIGN_OR_RETURN(Platform platform, Platform::ParseOrHost(choice.platform()));
  return std::optional(std::move(platform));
}

}  // namespace

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

grpc::Status RegistryService::GetImage(grpc::ServerContext*, const v1::GetImageRequest* request,
                                       v1::GetImageReply* reply) {
  const CancelToken cancel;
  VARVE_GRPC_ASSIGN_OR_RETURN(const Reference reference, Reference::Parse(request->reference()));
  VARVE_GRPC_ASSIGN_OR_RETURN(const auto platform, ChosenPlatform(request->choice()));
  VARVE_GRPC_ASSIGN_OR_RETURN(
      const auto client, RegistryClient::Create(transport_, reference, ToRegistryOptions(request->access()), cancel));
  VARVE_GRPC_ASSIGN_OR_RETURN(const ImageTree image, FetchImageTree(*client, reference, platform, cancel));
  for (const ImageTree::Document& document : image.manifests) reply->add_manifests(std::string(AsText(document.bytes)));
  return grpc::Status::OK;
}

grpc::Status RegistryService::ReadBlobs(grpc::ServerContext* context, const v1::ReadBlobsRequest* request,
                                        grpc::ServerWriter<v1::BlobPiece>* pieces) {
  const CancelToken cancel;
  VARVE_GRPC_ASSIGN_OR_RETURN(const Reference repository, Reference::Parse(request->repository()));
  VARVE_GRPC_ASSIGN_OR_RETURN(
      const auto client, RegistryClient::Create(transport_, repository, ToRegistryOptions(request->access()), cancel));
  v1::BlobPiece piece;
  for (const auto& blob : request->blobs()) {
    VARVE_GRPC_ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(blob.digest()));
    const Status sent = client->FetchBlob(
        DescriptorOf("", digest, blob.size_bytes()),
        [&](ByteSpan bytes) -> Status {
          piece.set_data(std::string(AsText(bytes)));
          if (!context->IsCancelled() && pieces->Write(piece)) return Ok();
          return Error(Code::kCancelled, "the client is gone");
        },
        cancel);
    if (!sent.ok()) return ToGrpc(sent.error());
    piece.set_blob(piece.blob() + 1);
  }
  return grpc::Status::OK;
}

grpc::Status RegistryService::Download(grpc::ServerContext* context, const v1::DownloadRequest* request,
                                       grpc::ServerWriter<v1::DownloadPiece>* pieces) {
  const CancelToken cancel;
  v1::DownloadPiece piece;
  const auto response = transport_.Send(
      {.url = request->url(), .headers = {std::string(kUserAgent)}}, ToRegistryOptions(request->access()).connection,
      [&](const HttpAnswer& head, ByteSpan bytes) -> Status {
        if (!head.succeeded()) return Ok();
        piece.set_data(std::string(AsText(bytes)));
        if (!context->IsCancelled() && pieces->Write(piece)) return Ok();
        return Error(Code::kCancelled, "the client is gone");
      },
      cancel);
  if (!response.ok()) return ToGrpc(response.error());
  if (response->succeeded()) return grpc::Status::OK;
  return ToGrpc(Error(response->status == 404 ? Code::kNotFound : Code::kUnknown,
                      "the server answered with status " + std::to_string(response->status)));
}

Result<PushOutcome> RegistryService::Copy(const v1::PushRequest::Start& start, const Reference& destination,
                                          PushDialog& dialog, const CancelToken& cancel) {
  CopyOptions options;
  if (!start.compression().empty()) {
    VARVE_ASSIGN_OR_RETURN(options.compression, LayerCompression::Parse(start.compression()));
  }
  if (start.source().empty()) {
    std::vector<Bytes> manifests;
    for (const std::string& manifest : start.manifests()) manifests.push_back(ToBytes(manifest));
    VARVE_ASSIGN_OR_RETURN(const ImageTree image, ParseImageTree(manifests));
    options.parallel_blobs = 1;  // the client sends one at a time, and an upload that waits for its turn would time out
    return CopyImage(transport_, {image, dialog, std::nullopt}, destination, options, dialog.hooks(), cancel);
  }
  VARVE_ASSIGN_OR_RETURN(const Reference source, Reference::Parse(start.source()));
  VARVE_ASSIGN_OR_RETURN(const auto platform, ChosenPlatform(start.choice()));
  VARVE_ASSIGN_OR_RETURN(RegistryOptions access, dialog.hooks().access(source));
  VARVE_ASSIGN_OR_RETURN(const auto client, RegistryClient::Create(transport_, source, std::move(access), cancel));
  VARVE_ASSIGN_OR_RETURN(const ImageTree image, FetchImageTree(*client, source, platform, cancel));
  RegistryFetcher blobs(*client);
  return CopyImage(transport_, {image, blobs, source}, destination, options, dialog.hooks(), cancel);
}

Result<PushOutcome> RegistryService::CopyIndex(const FoundImage& image, const Reference& destination,
                                               PushDialog& dialog, const CancelToken& cancel) {
  VARVE_ASSIGN_OR_RETURN(const ImageOrigin origin, catalog_.OriginOf(image));
  if (origin.repository.empty()) {
    return Error(
        Code::kFailedPrecondition,
        "--all-platforms: only its own platform is here, and no registry is known that has the others: it was "
        "built, loaded or imported; push it without --all-platforms, or copy --all-platforms from where all are");
  }
  if (!origin.index) {
    return Error(Code::kFailedPrecondition, "--all-platforms: it was pulled from " + origin.repository +
                                                " and is of one platform there, in no index; push it without "
                                                "--all-platforms");
  }
  v1::PushRequest::Start start;
  start.set_source(origin.repository + "@" + origin.index->ToString());
  start.mutable_choice()->set_all(true);
  return Copy(start, destination, dialog, cancel).In("its index at " + origin.repository);
}

grpc::Status RegistryService::Push(grpc::ServerContext* context, PushDialog::Stream* stream) {
  v1::PushRequest first;
  if (!stream->Read(&first) || !first.has_start())
    return {grpc::StatusCode::INVALID_ARGUMENT, "push: the client named no image"};
  const v1::PushRequest::Start& start = first.start();
  std::optional<FoundImage> stored;
  if (!start.image().empty()) {
    VARVE_GRPC_ASSIGN_OR_RETURN(stored, catalog_.Find(start.image()));
  }
  const std::string& name = start.destination().empty() && stored ? stored->name : start.destination();
  if (name.empty())
    return {grpc::StatusCode::INVALID_ARGUMENT, "push " + start.image() + ": an id is no destination; name one",
            "varve"};
  VARVE_GRPC_ASSIGN_OR_RETURN(const Reference destination, Reference::Parse(name));
  PushOptions options;
  if (stored && !start.compression().empty()) {
    VARVE_GRPC_ASSIGN_OR_RETURN(options.compression, LayerCompression::Parse(start.compression()));
  }
  CancelToken cancel;
  PushDialog dialog(*context, *stream, cancel);
  const bool whole_index = stored && start.choice().all();
  const auto outcome = whole_index ? CopyIndex(*stored, destination, dialog, cancel)
                       : stored ? PushImage(store_, transport_, *stored, destination, options, dialog.hooks(), cancel)
                                : Copy(start, destination, dialog, cancel);
  dialog.FinishProgress();
  if (!outcome.ok()) return ToGrpc(outcome.error().In("push " + destination.Familiar()));
  v1::PushEvent last;
  last.mutable_done()->set_reference(destination.Canonical());
  last.mutable_done()->set_manifest_digest(outcome->manifest_digest.ToString());
  last.mutable_done()->set_size_bytes(outcome->manifest_bytes);
  last.mutable_done()->set_changed(outcome->changed);
  for (const std::string& note : outcome->notes) last.mutable_done()->add_notes(note);
  stream->Write(last);
  return grpc::Status::OK;
}

}  // namespace varve
