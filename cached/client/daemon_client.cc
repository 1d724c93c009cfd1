#include "cached/client/daemon_client.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>

#include "cached/client/channel.h"
#include "proto/varve/v1/image.grpc.pb.h"
#include "proto/varve/v1/registry.grpc.pb.h"
#include "proto/varve/v1/store.grpc.pb.h"
#include "proto/varve/v1/system.grpc.pb.h"

namespace varve {
namespace {

constexpr std::size_t kPieceBytesMax = 256 << 10;

Status FromCall(const grpc::Status& status) {
  if (status.ok()) return Ok();
  return FromGrpc(status);
}

template <class Stub, class Request, class Reply>
Result<Reply> Call(Stub& stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
                   const Request& request) {
  grpc::ClientContext context;
  Reply reply;
  VARVE_RETURN_IF_ERROR(FromCall((stub.*method)(&context, request, &reply)));
  return reply;
}

template <class Reader, class Event>
Status ReadAll(Reader& reader, const std::function<void(const Event&)>& on_event) {
  Event event;
  while (reader.Read(&event)) on_event(event);
  return FromCall(reader.Finish());
}

// Gives `on_piece` what the daemon sends, until its error, which is returned.
template <class Piece>
Status TakePieces(grpc::ClientContext& context, grpc::ClientReader<Piece>& reader,
                  const std::function<Status(const Piece&)>& on_piece) {
  Piece piece;
  while (reader.Read(&piece)) {
    const Status taken = on_piece(piece);
    if (taken.ok()) continue;
    context.TryCancel();
    FromCall(reader.Finish()).IgnoreError("it was cancelled here");
    return taken;
  }
  return FromCall(reader.Finish());
}

// Sends the blob that the daemon wants, as `data` and `last_of_blob`. kCancelled if the daemon reads no more.
template <class Request, class Stream>
Status SendPieces(Stream& stream, const std::string& digest, const DaemonClient::SendBlob& send_blob) {
  Request piece;
  bool flowing = true;
  VARVE_RETURN_IF_ERROR(send_blob(digest, [&](ByteSpan bytes) -> Status {
    for (; !bytes.empty() && flowing; bytes = bytes.subspan(std::min(kPieceBytesMax, bytes.size()))) {
      piece.set_data(std::string(AsText(bytes.first(std::min(kPieceBytesMax, bytes.size())))));
      flowing = stream.Write(piece);
    }
    return flowing ? Ok() : Status(Error(Code::kCancelled, "the daemon stopped reading"));
  }));
  Request last;
  last.set_data("");
  last.set_last_of_blob(true);
  stream.Write(last);
  return Ok();
}

}  // namespace

struct DaemonClient::Stubs {
  std::unique_ptr<v1::Images::Stub> images;
  std::unique_ptr<v1::Registry::Stub> registry;
  std::unique_ptr<v1::Store::Stub> store;
  std::unique_ptr<v1::System::Stub> system;
};

DaemonClient::DaemonClient(const std::string& socket_path) : stubs_(std::make_unique<Stubs>()) {
  const auto channel = ConnectUnix(socket_path);
  stubs_->images = v1::Images::NewStub(channel);
  stubs_->registry = v1::Registry::NewStub(channel);
  stubs_->store = v1::Store::NewStub(channel);
  stubs_->system = v1::System::NewStub(channel);
}
DaemonClient::~DaemonClient() = default;
DaemonClient::DaemonClient(DaemonClient&&) noexcept = default;
DaemonClient& DaemonClient::operator=(DaemonClient&&) noexcept = default;

Status DaemonClient::Pull(const v1::PullRequest& request, const OnPullEvent& on_event) {
  grpc::ClientContext context;
  const auto reader = stubs_->images->Pull(&context, request);
  return ReadAll(*reader, on_event);
}

Status DaemonClient::Load(const v1::LoadRequest::Start& start, const SendBlob& send_blob, const OnPullEvent& on_event) {
  grpc::ClientContext context;
  const auto stream = stubs_->images->Load(&context);
  v1::LoadRequest first;
  *first.mutable_start() = start;
  v1::PullEvent event;
  if (!stream->Write(first) || !stream->Read(&event)) return FromCall(stream->Finish());
  const v1::PullEvent::Need need = event.need();
  // Events arrive while blobs are sent; the daemon does not wait for its reader, so they may be read afterwards.
  Status sent;
  for (int i = 0; i < need.blobs_size() && sent.ok(); ++i)
    sent = SendPieces<v1::LoadRequest>(*stream, need.blobs(i), send_blob);
  if (!sent.ok() && sent.error().code() != Code::kCancelled) context.TryCancel();
  stream->WritesDone();
  Status finished = ReadAll<decltype(*stream), v1::PullEvent>(*stream, on_event);
  if (!sent.ok() && sent.error().code() != Code::kCancelled) return sent;
  return finished;
}

Status DaemonClient::ReadLayers(const std::vector<std::string>& diff_ids, const OnPiece& on_piece) {
  v1::ReadLayersRequest request;
  request.mutable_diff_ids()->Assign(diff_ids.begin(), diff_ids.end());
  grpc::ClientContext context;
  const auto reader = stubs_->images->ReadLayers(&context, request);
  return TakePieces<v1::LayerPiece>(
      context, *reader, [&](const v1::LayerPiece& piece) { return on_piece(piece.layer(), AsBytes(piece.data())); });
}

Result<v1::ListImagesReply> DaemonClient::ListImages() {
  return Call(*stubs_->images, &v1::Images::Stub::List, v1::ListImagesRequest());
}

Result<v1::ImageDetail> DaemonClient::InspectImage(const std::string& image, Purpose purpose) {
  v1::InspectImageRequest request;
  request.set_image(image);
  request.set_to_use(purpose == Purpose::kUse);
  return Call(*stubs_->images, &v1::Images::Stub::Inspect, request);
}

Status DaemonClient::EndLease(const v1::ImageDetail& image) {
  v1::EndLeaseRequest request;
  request.set_lease(image.lease());
  VARVE_RETURN_IF_ERROR(Call(*stubs_->images, &v1::Images::Stub::EndLease, request));
  return Ok();
}

Status DaemonClient::TagImage(const std::string& image, const std::string& reference) {
  v1::TagRequest request;
  request.set_image(image);
  request.set_reference(reference);
  VARVE_RETURN_IF_ERROR(Call(*stubs_->images, &v1::Images::Stub::Tag, request));
  return Ok();
}

Result<v1::RemoveImageReply> DaemonClient::RemoveImage(const v1::RemoveImageRequest& request) {
  return Call(*stubs_->images, &v1::Images::Stub::Remove, request);
}

Status DaemonClient::Login(const v1::LoginRequest& request) {
  VARVE_RETURN_IF_ERROR(Call(*stubs_->registry, &v1::Registry::Stub::Login, request));
  return Ok();
}

Result<v1::ListTagsReply> DaemonClient::ListTags(const v1::ListTagsRequest& request) {
  return Call(*stubs_->registry, &v1::Registry::Stub::ListTags, request);
}

Result<v1::GetManifestReply> DaemonClient::GetManifest(const v1::GetManifestRequest& request) {
  return Call(*stubs_->registry, &v1::Registry::Stub::GetManifest, request);
}

Result<v1::GetImageReply> DaemonClient::GetImage(const v1::GetImageRequest& request) {
  return Call(*stubs_->registry, &v1::Registry::Stub::GetImage, request);
}

Status DaemonClient::ReadBlobs(const v1::ReadBlobsRequest& request, const OnPiece& on_piece) {
  grpc::ClientContext context;
  const auto reader = stubs_->registry->ReadBlobs(&context, request);
  return TakePieces<v1::BlobPiece>(
      context, *reader, [&](const v1::BlobPiece& piece) { return on_piece(piece.blob(), AsBytes(piece.data())); });
}

Status DaemonClient::Download(const v1::DownloadRequest& request, const Send& sink) {
  grpc::ClientContext context;
  const auto reader = stubs_->registry->Download(&context, request);
  return TakePieces<v1::DownloadPiece>(context, *reader,
                                       [&](const v1::DownloadPiece& piece) { return sink(AsBytes(piece.data())); });
}

Status DaemonClient::Push(const v1::PushRequest::Start& start, const PushAccess& access, const SendBlob& send_blob,
                          const std::function<void(const v1::PushEvent&)>& on_event) {
  grpc::ClientContext context;
  const auto stream = stubs_->registry->Push(&context);
  v1::PushRequest first;
  *first.mutable_start() = start;
  stream->Write(first);
  Status sent;
  // An answer that cannot be written shows as the end of the stream.
  Status finished = ReadAll<decltype(*stream), v1::PushEvent>(*stream, [&](const v1::PushEvent& event) {
    if (!event.need_access().empty()) {
      stream->Write(access(event.need_access()));
    } else if (!event.need_blob().empty()) {
      sent = SendPieces<v1::PushRequest>(*stream, event.need_blob(), send_blob);
      if (!sent.ok()) context.TryCancel();
    } else {
      on_event(event);
    }
  });
  if (!sent.ok() && sent.error().code() != Code::kCancelled) return sent;
  return finished;
}

Result<v1::UsageReply> DaemonClient::Usage(const v1::UsageRequest& request) {
  return Call(*stubs_->store, &v1::Store::Stub::Usage, request);
}

Result<v1::PruneReply> DaemonClient::Prune(const v1::PruneRequest& request) {
  return Call(*stubs_->store, &v1::Store::Stub::Prune, request);
}

Status DaemonClient::Verify(const v1::VerifyRequest& request,
                            const std::function<void(const v1::VerifyEvent&)>& on_event) {
  grpc::ClientContext context;
  const auto reader = stubs_->store->Verify(&context, request);
  return ReadAll(*reader, on_event);
}

Status DaemonClient::Repair(const Access& access, const std::function<void(const v1::RepairEvent&)>& on_event) {
  grpc::ClientContext context;
  const auto stream = stubs_->store->Repair(&context);
  return ReadAll<decltype(*stream), v1::RepairEvent>(*stream, [&](const v1::RepairEvent& event) {
    if (event.need_access().empty()) return on_event(event);
    stream->Write(access(event.need_access()));  // one that fails shows as the end of the stream
  });
}

Result<v1::ExplainReply> DaemonClient::Explain(const v1::ExplainRequest& request) {
  return Call(*stubs_->store, &v1::Store::Stub::Explain, request);
}

Status DaemonClient::Diff(const v1::DiffRequest& request,
                          const std::function<void(const v1::DiffChanges&)>& on_changes) {
  grpc::ClientContext context;
  const auto reader = stubs_->store->Diff(&context, request);
  return ReadAll(*reader, on_changes);
}

Status DaemonClient::Tree(const v1::TreeRequest& request, const std::function<void(const v1::TreeLayer&)>& on_layer) {
  grpc::ClientContext context;
  const auto reader = stubs_->store->Tree(&context, request);
  return ReadAll(*reader, on_layer);
}

Result<v1::BenchDedupReply> DaemonClient::BenchDedup(const v1::BenchDedupRequest& request) {
  return Call(*stubs_->store, &v1::Store::Stub::BenchDedup, request);
}

Result<v1::StatusReply> DaemonClient::SystemStatus() {
  return Call(*stubs_->system, &v1::System::Stub::Status, v1::StatusRequest());
}

Status DaemonClient::StopDaemon() {
  VARVE_RETURN_IF_ERROR(Call(*stubs_->system, &v1::System::Stub::Stop, v1::StopRequest()));
  return Ok();
}

}  // namespace varve
