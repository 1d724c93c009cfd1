#include "cached/server/images_service.h"

#include <algorithm>

#include "cached/content/chain_id.h"
#include "cached/oci/image_config.h"
#include "cached/oci/reference.h"
#include "cached/server/grpc_status.h"
#include "cached/server/progress_stream.h"
#include "cached/server/registry_access.h"
#include "cached/transfer/layer_tars.h"
#include "cached/transfer/pull.h"

namespace varve {
namespace {

constexpr std::size_t kLayerPieceBytes = 256 << 10;

// Blobs as the client of a Load sends them: one after another, each ended by `last_of_blob`.
class StreamFetcher final : public BlobFetcher {
 public:
  using Stream = grpc::ServerReaderWriter<v1::PullEvent, v1::LoadRequest>;
  StreamFetcher(Stream& stream, std::vector<Descriptor> blobs) : stream_(stream), blobs_(std::move(blobs)) {}

  Status Fetch(const Descriptor& blob, const Sink& sink, const CancelToken& cancel) override {
    // A layer that another pull brought meanwhile is not asked for: its bytes are read and dropped.
    while (next_ < blobs_.size() && blobs_[next_].digest != blob.digest) {
      VARVE_RETURN_IF_ERROR(ReadBlob([](ByteSpan) { return Ok(); }, cancel));
    }
    if (next_ == blobs_.size()) return Error(Code::kFailedPrecondition, "the client was not asked for this blob");
    return ReadBlob(sink, cancel);
  }

 private:
  Status ReadBlob(const Sink& sink, const CancelToken& cancel) {
    ++next_;
    v1::LoadRequest request;
    do {
      VARVE_RETURN_IF_ERROR(cancel.Check());
      if (!stream_.Read(&request)) return Error(Code::kCancelled, "the client stopped sending");
      VARVE_RETURN_IF_ERROR(sink(AsBytes(request.data())));
    } while (!request.last_of_blob());
    return Ok();
  }

  Stream& stream_;
  const std::vector<Descriptor> blobs_;
  std::size_t next_ = 0;
};

// Splits "name@layer:3"; 0 layers where none is asked for.
Result<std::pair<std::string, std::size_t>> SplitLayer(const std::string& image) {
  constexpr std::string_view kMark = "@layer:";
  const std::size_t at = image.rfind(kMark);
  if (at == std::string::npos) return std::pair(image, std::size_t{0});
  std::size_t layers = 0;
  for (const char c : image.substr(at + kMark.size())) {
    if (c < '0' || c > '9' || layers > kLayersMax)
      return Error(Code::kInvalidArgument, "reference " + image + ": a layer is a number from 1");
    layers = layers * 10 + static_cast<std::size_t>(c - '0');
  }
  if (layers == 0) return Error(Code::kInvalidArgument, "reference " + image + ": a layer is a number from 1");
  return std::pair(image.substr(0, at), layers);
}

// The canonical name for an image; nothing for an empty one.
Result<std::optional<std::string>> NameIn(const std::string& text) {
  if (text.empty()) return std::optional<std::string>();
  VARVE_ASSIGN_OR_RETURN(const Reference reference, Reference::Parse(text));
  return std::optional(reference.Canonical());
}

void SetDone(const std::string& name, const Digest& manifest, const Digest& config, bool up_to_date,
             v1::PullEvent& event) {
  event.mutable_done()->set_reference(name);
  event.mutable_done()->set_manifest_digest(manifest.ToString());
  event.mutable_done()->set_config_digest(config.ToString());
  event.mutable_done()->set_up_to_date(up_to_date);
}

}  // namespace

grpc::Status ImagesService::Pull(grpc::ServerContext* context, const v1::PullRequest* request,
                                 grpc::ServerWriter<v1::PullEvent>* events) {
  VARVE_GRPC_ASSIGN_OR_RETURN(const Reference reference, Reference::Parse(request->reference()));
  VARVE_GRPC_ASSIGN_OR_RETURN(const Platform platform, Platform::ParseOrHost(request->platform()));
  VARVE_GRPC_ASSIGN_OR_RETURN(const std::optional<std::string> name, NameIn(request->name()));
  CancelToken cancel;
  ProgressStream progress([&](const v1::PullEvent& event) { return !context->IsCancelled() && events->Write(event); },
                          cancel);
  auto outcome = PullImage(
      store_, installer_, transport_, reference, platform, ToRegistryOptions(request->access()),
      [&](const LayerProgress& layer) { progress.Report(layer); }, cancel, name);
  progress.Finish();
  if (!outcome.ok()) return ToGrpc(outcome.error().In("pull " + reference.Familiar()));
  stored_(outcome->manifest_digest);
  v1::PullEvent done;
  SetDone(outcome->name, outcome->manifest_digest, outcome->config_digest, outcome->up_to_date, done);
  events->Write(done);
  return grpc::Status::OK;
}

grpc::Status ImagesService::Load(grpc::ServerContext* context,
                                 grpc::ServerReaderWriter<v1::PullEvent, v1::LoadRequest>* stream) {
  v1::LoadRequest first;
  if (!stream->Read(&first) || !first.has_start())
    return ToGrpc(Error(Code::kInvalidArgument, "load: the client sent no manifest"));
  const v1::LoadRequest::Start& start = first.start();
  VARVE_GRPC_ASSIGN_OR_RETURN(const std::optional<std::string> name, NameIn(start.reference()));
  VARVE_GRPC_ASSIGN_OR_RETURN(const ImageDocuments image,
                              ImageDocuments::Parse(ToBytes(start.manifest()), "", ToBytes(start.config())));
  VARVE_GRPC_ASSIGN_OR_RETURN(const std::vector<Descriptor> missing, installer_.Missing(image));
  v1::PullEvent need;
  need.mutable_need();
  for (const Descriptor& blob : missing) need.mutable_need()->add_blobs(blob.digest.ToString());
  stream->Write(need);

  CancelToken cancel;
  StreamFetcher fetcher(*stream, missing);
  ProgressStream progress([&](const v1::PullEvent& event) { return !context->IsCancelled() && stream->Write(event); },
                          cancel);
  const Status installed = installer_.Install(
      image, name, "", fetcher, [&](const LayerProgress& layer) { progress.Report(layer); }, cancel,
      ImageInstaller::Order::kOneByOne);
  progress.Finish();
  if (!installed.ok()) return ToGrpc(installed.error().In("load"));
  stored_(image.manifest_digest);
  v1::PullEvent done;
  SetDone(name.value_or(""), image.manifest_digest, image.manifest.config.digest, missing.empty(), done);
  stream->Write(done);
  return grpc::Status::OK;
}

grpc::Status ImagesService::ReadLayers(grpc::ServerContext* context, const v1::ReadLayersRequest* request,
                                       grpc::ServerWriter<v1::LayerPiece>* pieces) {
  std::vector<Digest> diff_ids;
  for (const std::string& text : request->diff_ids()) {
    VARVE_GRPC_ASSIGN_OR_RETURN(const Digest diff_id, Digest::Parse(text));
    diff_ids.push_back(diff_id);
  }
  CancelToken cancel;
  v1::LayerPiece gathered;
  const auto send = [&] {
    if (gathered.data().empty()) return;
    if (context->IsCancelled() || !pieces->Write(gathered)) cancel.Cancel();
    gathered.mutable_data()->clear();
  };
  const Status read = ReadLayerTars(
      store_, diff_ids,
      [&](std::size_t layer, ByteSpan piece) -> Status {
        if (layer != gathered.layer() || gathered.data().size() + piece.size() > kLayerPieceBytes) send();
        gathered.set_layer(static_cast<std::uint32_t>(layer));
        gathered.mutable_data()->append(AsText(piece));
        return Ok();
      },
      cancel);
  if (!read.ok()) return ToGrpc(read.error());
  send();
  return grpc::Status::OK;
}

Result<std::uint64_t> ImagesService::TarBytes(std::span<const Digest> diff_ids, v1::ImageDetail* detail) const {
  std::uint64_t total = 0;
  for (const Digest& diff_id : diff_ids) {
    VARVE_ASSIGN_OR_RETURN(const auto layer, store_.FindLayer(diff_id));
    if (!layer)
      return Error(Code::kDataLoss,
                   "layer " + diff_id.ToString() + ": its record is missing; run: varve store rebuild-index");
    total += layer->tar_bytes();
    if (detail != nullptr) detail->add_layer_bytes(layer->tar_bytes());
  }
  return total;
}

grpc::Status ImagesService::List(grpc::ServerContext*, const v1::ListImagesRequest*, v1::ListImagesReply* reply) {
  VARVE_GRPC_ASSIGN_OR_RETURN(const std::vector<Catalog::Row> rows, catalog_.List());
  for (const Catalog::Row& row : rows) {
    const auto image = Describe(row);
    if (image.ok()) *reply->add_images() = *image;
    // One that was removed since the rows were read is not listed.
    if (!image.ok() && image.error().code() != Code::kNotFound) return ToGrpc(image.error());
  }
  return grpc::Status::OK;
}

Result<v1::ListImagesReply::Image> ImagesService::Describe(const Catalog::Row& row) const {
  LeaseTable::Session session(store_.leases());
  VARVE_ASSIGN_OR_RETURN(const auto record, FindLeased(store_, row.manifest_digest, Leased::kLayers, session));
  if (!record) return Error(Code::kNotFound, "image " + row.manifest_digest.ToString() + ": is not stored");
  VARVE_ASSIGN_OR_RETURN(const Bytes config_bytes, ReadConfig(store_, row.manifest_digest));
  VARVE_ASSIGN_OR_RETURN(const ImageConfig config, ParseImageConfig(config_bytes));
  v1::ListImagesReply::Image image;
  const auto reference = Reference::Parse(row.name);
  if (reference.ok()) {
    image.set_repository(reference->FamiliarRepository());
    image.set_tag(reference->tag);
  }
  image.set_manifest_digest(row.manifest_digest.ToString());
  image.set_config_digest("sha256:" + ToHex(AsBytes(row.record.config_digest())));
  image.set_created(config.created);
  image.mutable_labels()->insert(config.config.labels.begin(), config.config.labels.end());
  VARVE_ASSIGN_OR_RETURN(const std::uint64_t size, TarBytes(config.diff_ids, nullptr));
  image.set_size_bytes(size);
  return image;
}

Result<ChainId> ImagesService::PrepareImage(const FoundImage& found, std::size_t layers, LeaseTable::Session& session,
                                            const grpc::ServerContext& context) {
  if (layers > found.diff_ids.size()) {
    return Error(Code::kNotFound,
                 "the image has " + std::to_string(found.diff_ids.size()) + " layers, not " + std::to_string(layers));
  }
  const auto wanted = std::span(found.diff_ids).first(layers == 0 ? found.diff_ids.size() : layers);
  const ChainId chain_id = ChainIdOf(wanted);
  static_cast<void>(session.Touch(chain_id.digest));  // EnsureImage looks by itself what is there
  const auto writer = store_.OpenWriter();
  VARVE_RETURN_IF_ERROR(store_.EnsureImage(*writer, wanted, chain_id, [&]() -> Status {
    if (context.IsCancelled()) return Error(Code::kCancelled, "the client has gone");
    return Ok();
  }));
  return chain_id;
}

grpc::Status ImagesService::Inspect(grpc::ServerContext* context, const v1::InspectImageRequest* request,
                                    v1::ImageDetail* reply) {
  VARVE_GRPC_ASSIGN_OR_RETURN(const auto split, SplitLayer(request->image()));
  auto session = std::make_unique<LeaseTable::Session>(store_.leases());
  VARVE_GRPC_ASSIGN_OR_RETURN(const FoundImage found, catalog_.Find(split.first, Leased::kLayersAndIndex, *session));
  VARVE_GRPC_ASSIGN_OR_RETURN(const Bytes manifest, ReadManifest(store_, found.manifest_digest));
  VARVE_GRPC_ASSIGN_OR_RETURN(const Bytes config, ReadConfig(store_, found.manifest_digest));
  VARVE_GRPC_ASSIGN_OR_RETURN(const auto names, catalog_.NamesOf(found.manifest_digest));
  VARVE_GRPC_ASSIGN_OR_RETURN(const ChainId chain_id, PrepareImage(found, split.second, *session, *context));
  VARVE_GRPC_ASSIGN_OR_RETURN(const std::uint64_t size, TarBytes(found.diff_ids, reply));
  reply->set_size_bytes(size);
  reply->set_manifest_digest(found.manifest_digest.ToString());
  reply->set_config_digest("sha256:" + ToHex(AsBytes(found.record.config_digest())));
  reply->set_manifest(std::string(AsText(manifest)));
  reply->set_config(std::string(AsText(config)));
  reply->set_chain_id(chain_id.hex());
  reply->set_reference(found.name);
  for (const std::string& name : names) {
    const auto reference = Reference::Parse(name);
    if (!reference.ok()) continue;
    if (!reference->digest) reply->add_tags(reference->Familiar());
    const Digest digest = reference->digest.value_or(found.manifest_digest);
    const std::string repo_digest = reference->FamiliarRepository() + "@" + digest.ToString();
    const auto& known = reply->repo_digests();
    if (std::find(known.begin(), known.end(), repo_digest) == known.end()) reply->add_repo_digests(repo_digest);
  }
  if (!request->to_use()) return grpc::Status::OK;
  VARVE_GRPC_RETURN_IF_ERROR(catalog_.Touch(found.manifest_digest));
  reply->set_lease(leases_.Grant(std::move(session)));
  return grpc::Status::OK;
}

grpc::Status ImagesService::EndLease(grpc::ServerContext*, const v1::EndLeaseRequest* request, v1::EndLeaseReply*) {
  leases_.End(request->lease());
  return grpc::Status::OK;
}

grpc::Status ImagesService::Tag(grpc::ServerContext*, const v1::TagRequest* request, v1::TagReply*) {
  return ToGrpc(catalog_.Tag(request->image(), request->reference()));
}

grpc::Status ImagesService::Remove(grpc::ServerContext*, const v1::RemoveImageRequest* request,
                                   v1::RemoveImageReply* reply) {
  VARVE_GRPC_ASSIGN_OR_RETURN(
      const Catalog::Removed removed,
      catalog_.Remove(request->image(), request->force() ? Catalog::Force::kYes : Catalog::Force::kNo));
  for (const std::string& name : removed.untagged) reply->add_untagged(FamiliarOf(name));
  for (const Digest& config : removed.deleted) reply->add_deleted(config.ToString());
  return grpc::Status::OK;
}

}  // namespace varve
