#pragma once

#include "cached/registry/http_transport.h"
#include "cached/server/use_leases.h"
#include "cached/transfer/catalog.h"
#include "cached/transfer/install.h"
#include "proto/varve/v1/image.grpc.pb.h"

namespace varve {

// varve.v1.Images over a store. Everything must outlive it. `stored` is told the manifest of each image that a pull or
// load has brought.
class ImagesService final : public v1::Images::Service {
 public:
  ImagesService(Store& store, Catalog& catalog, ImageInstaller& installer, HttpTransport& transport, UseLeases& leases,
                std::function<void(const Digest&)> stored)
      : store_(store),
        catalog_(catalog),
        installer_(installer),
        transport_(transport),
        leases_(leases),
        stored_(std::move(stored)) {}

  grpc::Status Pull(grpc::ServerContext* context, const v1::PullRequest* request,
                    grpc::ServerWriter<v1::PullEvent>* events) override;
  grpc::Status Load(grpc::ServerContext* context,
                    grpc::ServerReaderWriter<v1::PullEvent, v1::LoadRequest>* stream) override;
  grpc::Status ReadLayers(grpc::ServerContext* context, const v1::ReadLayersRequest* request,
                          grpc::ServerWriter<v1::LayerPiece>* pieces) override;
  grpc::Status List(grpc::ServerContext* context, const v1::ListImagesRequest* request,
                    v1::ListImagesReply* reply) override;
  grpc::Status Inspect(grpc::ServerContext* context, const v1::InspectImageRequest* request,
                       v1::ImageDetail* reply) override;
  grpc::Status EndLease(grpc::ServerContext* context, const v1::EndLeaseRequest* request,
                        v1::EndLeaseReply* reply) override;
  grpc::Status Tag(grpc::ServerContext* context, const v1::TagRequest* request, v1::TagReply* reply) override;
  grpc::Status Remove(grpc::ServerContext* context, const v1::RemoveImageRequest* request,
                      v1::RemoveImageReply* reply) override;

 private:
  // kNotFound if it has gone since it was listed.
  Result<v1::ListImagesReply::Image> Describe(const Catalog::Row& row) const;
  // Also each layer's into `detail`, if there is one. The layers are leased.
  Result<std::uint64_t> TarBytes(std::span<const Digest> diff_ids, v1::ImageDetail* detail) const;
  // Of the image's lowest `layers`, 0: of all. Its image index is there afterwards, as long as `session` is open.
  Result<ChainId> PrepareImage(const FoundImage& found, std::size_t layers, LeaseTable::Session& session,
                               const grpc::ServerContext& context);

  Store& store_;
  Catalog& catalog_;
  ImageInstaller& installer_;
  HttpTransport& transport_;
  UseLeases& leases_;
  const std::function<void(const Digest&)> stored_;
};

}  // namespace varve
