#include "cached/server/store_service.h"

#include <algorithm>

#include "cached/oci/reference.h"
#include "cached/server/grpc_status.h"
#include "cached/server/progress_stream.h"
#include "cached/server/registry_access.h"
#include "cached/store/image_contents.h"
#include "cached/store/usage.h"
#include "cached/store/verify.h"

namespace varve {
namespace {

constexpr std::size_t kBatchBytes = 64 << 10;       // of paths, in a message of Diff
constexpr std::size_t kTreeFilesMax = 1000;         // of a layer
constexpr std::size_t kTreePathBytesMax = 2 << 20;  // of a layer's files

}  // namespace

grpc::Status StoreService::Usage(grpc::ServerContext*, const v1::UsageRequest* request, v1::UsageReply* reply) {
  VARVE_GRPC_ASSIGN_OR_RETURN(const StoreUsage usage,
                              UsageOf(store_, request->per_image() ? UsageDetail::kPerImage : UsageDetail::kTotals));
  reply->set_images(usage.images.size());
  reply->set_layers(usage.layers);
  reply->set_chunks(usage.chunks);
  reply->set_raw_bytes(usage.raw_bytes);
  reply->set_layer_bytes(usage.layer_bytes);
  reply->set_stored_bytes(usage.stored_bytes);
  reply->set_originals(usage.originals);
  reply->set_original_bytes(usage.original_bytes);
  reply->set_dedup_ratio(
      usage.stored_bytes == 0 ? 0 : static_cast<double>(usage.raw_bytes) / static_cast<double>(usage.stored_bytes));
  if (!request->per_image()) return grpc::Status::OK;
  for (const StoreUsage::Image& image : usage.images) {
    v1::UsageReply::Image& row = *reply->add_per_image();
    row.set_name(image.names.empty() ? image.manifest.Short() : FamiliarOf(image.names.front()));
    row.set_raw_bytes(image.raw_bytes);
    row.set_exclusive_bytes(image.exclusive_bytes);
    row.set_shared_bytes(image.shared_bytes);
    VARVE_GRPC_ASSIGN_OR_RETURN(const auto record, store_.FindManifest(image.manifest));
    if (record) row.set_chain_id(ToHex(AsBytes(record->chain_id())));
  }
  return grpc::Status::OK;
}

grpc::Status StoreService::Prune(grpc::ServerContext* context, const v1::PruneRequest* request, v1::PruneReply* reply) {
  if (request->originals()) {
    const Status idle = await_intake_([&]() -> Status {
      if (context->IsCancelled()) return Error(Code::kCancelled, "cancelled");
      return Ok();
    });
    if (!idle.ok()) return ToGrpc(idle.error().In("prune"));
  }
  VARVE_GRPC_ASSIGN_OR_RETURN(const std::uint64_t before, DiskBytes(store_.paths().root));
  CollectOptions options;
  if (request->all()) options.images = CollectOptions::Images::kUnused;
  if (request->originals()) options.originals = CollectOptions::Originals::kDropFetchable;
  for (const std::string& hex : request->kept_chain_ids()) {
    VARVE_GRPC_ASSIGN_OR_RETURN(const Digest chain_id, Digest::FromHexText(hex));
    options.in_use.push_back(ChainId{chain_id});
  }
  const auto outcome = pruner_.Run(std::move(options));
  if (!outcome.ok()) return ToGrpc(outcome.error().In("prune"));
  VARVE_GRPC_ASSIGN_OR_RETURN(const std::uint64_t after, DiskBytes(store_.paths().root));
  for (const CollectOutcome::Image& image : outcome->deleted) reply->add_deleted_images(image.config.ToString());
  reply->set_reclaimed_bytes(before > after ? before - after : 0);
  return grpc::Status::OK;
}

grpc::Status StoreService::Verify(grpc::ServerContext* context, const v1::VerifyRequest*,
                                  grpc::ServerWriter<v1::VerifyEvent>* events) {
  std::uint64_t frames = 0;
  const auto report = [&](const VerifyProgress& progress) -> Status {
    if (context->IsCancelled()) return Error(Code::kCancelled, "verify: cancelled");
    frames = progress.frames;
    v1::VerifyEvent event;
    event.set_done_bytes(progress.done_bytes);
    event.set_total_bytes(progress.total_bytes);
    event.set_frames(progress.frames);
    events->Write(event);
    return Ok();
  };
  VARVE_GRPC_ASSIGN_OR_RETURN(const std::vector<Damage> found, VerifyStore(store_, report));
  for (const Damage& damage : found) {
    v1::VerifyEvent event;
    event.set_problem(damage.ToString());
    events->Write(event);
  }
  v1::VerifyEvent last;
  last.set_finished(true);
  last.set_frames(frames);
  events->Write(last);
  return grpc::Status::OK;
}

grpc::Status StoreService::Repair(grpc::ServerContext* context, RepairStream* stream) {
  CancelToken cancel;
  // Transfers report from threads of their own, and a stream takes one writer at a time.
  std::mutex writing;
  const auto send = [&](const v1::RepairEvent& event) {
    const std::lock_guard<std::mutex> lock(writing);
    return !context->IsCancelled() && stream->Write(event);
  };
  ProgressStream transfers(
      [&](const v1::PullEvent& pull) {
        v1::RepairEvent event;
        *event.mutable_layers() = pull.layers();
        return send(event);
      },
      cancel);
  RepairHooks hooks;
  hooks.verifying = [&](const VerifyProgress& progress) -> Status {
    v1::RepairEvent event;
    event.mutable_verify()->set_done_bytes(progress.done_bytes);
    event.mutable_verify()->set_total_bytes(progress.total_bytes);
    event.mutable_verify()->set_frames(progress.frames);
    send(event);
    return cancel.Check();
  };
  hooks.damaged = [&](const Damage& damage) {
    v1::RepairEvent event;
    event.mutable_verify()->set_problem(damage.ToString());
    send(event);
  };
  hooks.access = [&](const Reference& repository) -> Result<RegistryOptions> {
    v1::RepairEvent event;
    event.set_need_access(repository.Repository());
    v1::RepairRequest answer;
    if (!send(event) || !stream->Read(&answer)) return Error(Code::kCancelled, "the client is gone");
    if (!answer.trouble().empty()) return Error(Code::kFailedPrecondition, answer.trouble());
    return ToRegistryOptions(answer.access());
  };
  hooks.fetching = [&](const LayerProgress& layer) { transfers.Report(layer); };
  hooks.done = [&](const RepairedObject& object) {
    v1::RepairEvent event;
    event.mutable_object()->set_name(object.object);
    event.mutable_object()->set_repaired(object.repaired);
    event.mutable_object()->set_outcome(object.outcome);
    send(event);
  };
  hooks.close_packs = [this](std::span<const PackId> packs) { pruner_.ClosePacks(packs); };
  hooks.alone = [this](const std::function<Status()>& work) { return pruner_.BesideNone(work); };
  const auto left = RepairStore(store_, installer_, transport_, hooks, cancel);
  transfers.Finish();
  if (!left.ok()) return ToGrpc(left.error().In("repair"));
  v1::RepairEvent last;
  last.set_finished(true);
  last.set_left(*left);
  send(last);
  return grpc::Status::OK;
}

grpc::Status StoreService::Explain(grpc::ServerContext*, const v1::ExplainRequest* request, v1::ExplainReply* reply) {
  LeaseTable::Session session(store_.leases());
  VARVE_GRPC_ASSIGN_OR_RETURN(const FoundImage found,
                              catalog_.Find(request->image(), Leased::kLayersAndIndex, session));
  VARVE_GRPC_ASSIGN_OR_RETURN(const FileExplanation file, ExplainFile(store_, found.manifest_digest, request->path()));
  reply->set_type(file.type);
  reply->set_layer(file.layer);
  if (file.layer != 0) reply->set_diff_id(file.diff_id.ToString());
  reply->set_size_bytes(file.size_bytes);
  for (const FileExplanation::Chunk& chunk : file.chunks) {
    v1::ExplainReply::Chunk& row = *reply->add_chunks();
    row.set_sha256(chunk.sha256.ToString());
    row.set_offset_bytes(chunk.offset_bytes);
    row.set_raw_bytes(chunk.raw_bytes);
    if (chunk.placement) {
      row.set_pack(chunk.placement->pack());
      row.set_pack_offset_bytes(chunk.placement->offset_bytes());
      row.set_frame_bytes(chunk.placement->frame_bytes());
      row.set_grouped(chunk.placement->grouped());
    }
    for (const std::string& image : chunk.images) row.add_images(FamiliarOf(image));
  }
  return grpc::Status::OK;
}

grpc::Status StoreService::Diff(grpc::ServerContext* context, const v1::DiffRequest* request,
                                grpc::ServerWriter<v1::DiffChanges>* changes) {
  LeaseTable::Session session(store_.leases());
  VARVE_GRPC_ASSIGN_OR_RETURN(const FoundImage from, catalog_.Find(request->from(), Leased::kLayersAndIndex, session));
  VARVE_GRPC_ASSIGN_OR_RETURN(const FoundImage to, catalog_.Find(request->to(), Leased::kLayersAndIndex, session));
  v1::DiffChanges batch;
  std::size_t bytes = 0;  // of its paths
  const auto add = [&](const PathChange& change) -> Status {
    v1::DiffChanges::Change& row = *batch.add_changes();
    row.set_kind(static_cast<v1::DiffChanges::Kind>(change.kind));
    row.set_path(change.path);
    row.set_size_bytes(change.size_bytes);
    bytes += change.path.size();
    if (bytes < kBatchBytes) return Ok();
    bytes = 0;
    if (context->IsCancelled() || !changes->Write(batch)) return Error(Code::kCancelled, "diff: cancelled");
    batch.clear_changes();
    return Ok();
  };
  const Status status = DiffStoredImages(store_, from.manifest_digest, to.manifest_digest, request->path(), add);
  if (status.ok()) changes->Write(batch);
  return ToGrpc(status);
}

grpc::Status StoreService::Tree(grpc::ServerContext*, const v1::TreeRequest* request,
                                grpc::ServerWriter<v1::TreeLayer>* layers) {
  LeaseTable::Session session(store_.leases());
  VARVE_GRPC_ASSIGN_OR_RETURN(const FoundImage image, catalog_.Find(request->image(), Leased::kLayers, session));
  const std::size_t most = std::min<std::size_t>(request->most_files(), kTreeFilesMax);
  VARVE_GRPC_ASSIGN_OR_RETURN(const std::vector<LayerContents> contents,
                              ContentsOf(store_, image.manifest_digest, most));
  for (const LayerContents& one : contents) {
    v1::TreeLayer layer;
    layer.set_diff_id(one.diff_id.ToString());
    layer.set_tar_bytes(one.tar_bytes);
    layer.set_files(one.files);
    layer.set_file_bytes(one.file_bytes);
    layer.set_whiteouts(one.whiteouts);
    std::size_t bytes = 0;
    for (const LayerContents::File& file : one.biggest) {
      bytes += file.path.size();
      if (bytes > kTreePathBytesMax) break;  // a message has a bound
      v1::TreeLayer::File& row = *layer.add_biggest();
      row.set_path(file.path);
      row.set_size_bytes(file.size_bytes);
    }
    layers->Write(layer);
  }
  return grpc::Status::OK;
}

grpc::Status StoreService::BenchDedup(grpc::ServerContext*, const v1::BenchDedupRequest* request,
                                      v1::BenchDedupReply* reply) {
  std::vector<Digest> manifests;
  for (const std::string& image : request->images()) {
    VARVE_GRPC_ASSIGN_OR_RETURN(const FoundImage found, catalog_.Find(image));
    manifests.push_back(found.manifest_digest);
  }
  VARVE_GRPC_ASSIGN_OR_RETURN(const DedupReport report, CompareDedup(store_, manifests));
  reply->set_raw_bytes(report.raw_bytes);
  reply->set_layer_bytes(report.layer_bytes);
  reply->set_file_bytes(report.file_bytes);
  reply->set_fixed_bytes(report.fixed_bytes);
  reply->set_fastcdc_bytes(report.fastcdc_bytes);
  reply->set_stored_bytes(report.stored_bytes);
  reply->set_fixed_piece_bytes(report.fixed_piece_bytes);
  for (const auto& [limit, count] : report.chunk_sizes) {
    v1::BenchDedupReply::Bucket& bucket = *reply->add_chunk_sizes();
    bucket.set_up_to_bytes(limit);
    bucket.set_chunks(count);
  }
  return grpc::Status::OK;
}

}  // namespace varve
