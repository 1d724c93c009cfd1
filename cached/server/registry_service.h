#pragma once

#include "cached/server/push_dialog.h"
#include "cached/transfer/catalog.h"
#include "cached/transfer/push.h"
#include "proto/varve/v1/registry.grpc.pb.h"

namespace varve {

// varve.v1.Registry. Everything must outlive it.
class RegistryService final : public v1::Registry::Service {
 public:
  RegistryService(Store& store, Catalog& catalog, HttpTransport& transport)
      : store_(store), catalog_(catalog), transport_(transport) {}

  grpc::Status Login(grpc::ServerContext* context, const v1::LoginRequest* request, v1::LoginReply* reply) override;
  grpc::Status ListTags(grpc::ServerContext* context, const v1::ListTagsRequest* request,
                        v1::ListTagsReply* reply) override;
  grpc::Status GetManifest(grpc::ServerContext* context, const v1::GetManifestRequest* request,
                           v1::GetManifestReply* reply) override;
  grpc::Status GetImage(grpc::ServerContext* context, const v1::GetImageRequest* request,
                        v1::GetImageReply* reply) override;
  grpc::Status ReadBlobs(grpc::ServerContext* context, const v1::ReadBlobsRequest* request,
                         grpc::ServerWriter<v1::BlobPiece>* pieces) override;
  grpc::Status Download(grpc::ServerContext* context, const v1::DownloadRequest* request,
                        grpc::ServerWriter<v1::DownloadPiece>* pieces) override;
  grpc::Status Push(grpc::ServerContext* context, PushDialog::Stream* stream) override;

 private:
  // Of an image that is not in the store.
  Result<PushOutcome> Copy(const v1::PushRequest::Start& start, const Reference& destination, PushDialog& dialog,
                           const CancelToken& cancel);
  // All platforms of an image, of which the store holds one: from where it was pulled.
  Result<PushOutcome> CopyIndex(const FoundImage& image, const Reference& destination, PushDialog& dialog,
                                const CancelToken& cancel);

  Store& store_;
  Catalog& catalog_;
  HttpTransport& transport_;
};

}  // namespace varve
