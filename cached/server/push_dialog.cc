#include "cached/server/push_dialog.h"

#include "cached/server/registry_access.h"

namespace varve {

PushDialog::PushDialog(grpc::ServerContext& context, Stream& stream, CancelToken& cancel)
    : context_(context),
      stream_(stream),
      progress_(
          [this](const v1::PullEvent& pull) {
            v1::PushEvent event;
            *event.mutable_layers() = pull.layers();
            return Send(event);
          },
          cancel),
      hooks_({.access = [this](const Reference& repository) { return Ask(repository); },
              .progress = [this](const LayerProgress& layer) { progress_.Report(layer); }}) {}

bool PushDialog::Send(const v1::PushEvent& event) {
  const std::lock_guard<std::mutex> lock(writing_);
  return !context_.IsCancelled() && stream_.Write(event);
}

Result<RegistryOptions> PushDialog::Ask(const Reference& repository) {
  const std::lock_guard<std::mutex> lock(asking_);
  v1::PushEvent question;
  question.set_need_access(repository.Repository());
  v1::PushRequest answer;
  if (!Send(question) || !stream_.Read(&answer)) return Error(Code::kCancelled, "the client is gone");
  if (!answer.trouble().empty()) return Error(Code::kFailedPrecondition, answer.trouble());
  return ToRegistryOptions(answer.access());
}

// A blob that nobody wants to its end is read to its end: what follows is another answer.
Status PushDialog::Fetch(const Descriptor& blob, const Sink& sink, const CancelToken& cancel) {
  const std::lock_guard<std::mutex> lock(asking_);
  v1::PushEvent question;
  question.set_need_blob(blob.digest.ToString());
  v1::PushRequest piece;
  Status taken;
  bool flows = Send(question);
  while (flows && !piece.last_of_blob()) {
    flows = stream_.Read(&piece);
    if (flows && taken.ok()) taken = cancel.Check();
    if (flows && taken.ok()) taken = sink(AsBytes(piece.data()));
  }
  return flows ? taken : Status(Error(Code::kCancelled, "the client is gone"));
}

}  // namespace varve
