#pragma once

#include <mutex>

#include "cached/server/progress_stream.h"
#include "cached/transfer/blob_sender.h"
#include "proto/varve/v1/registry.grpc.pb.h"

namespace varve {

// The client of a push: is asked for what the daemon needs, one thing at a time, and told of progress. Thread-safe.
class PushDialog final : public BlobFetcher {
 public:
  using Stream = grpc::ServerReaderWriter<v1::PushEvent, v1::PushRequest>;
  // A client that goes away sets `cancel`.
  PushDialog(grpc::ServerContext& context, Stream& stream, CancelToken& cancel);

  const PushHooks& hooks() const { return hooks_; }
  // A blob of the client's own image.
  Status Fetch(const Descriptor& blob, const Sink& sink, const CancelToken& cancel) override;
  // The last call: nothing else writes to the stream then.
  void FinishProgress() { progress_.Finish(); }

 private:
  bool Send(const v1::PushEvent& event);
  Result<RegistryOptions> Ask(const Reference& repository);

  grpc::ServerContext& context_;
  Stream& stream_;
  // Both are held while the stream is used, since it takes one writer and one reader at a time: asking_ from a question
  // to the end of its answer, and writing_ inside it.
  std::mutex asking_;
  std::mutex writing_;
  ProgressStream progress_;
  const PushHooks hooks_;
};

}  // namespace varve
