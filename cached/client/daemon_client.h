#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cached/base/bytes.h"
#include "cached/base/result.h"
#include "proto/varve/v1/image.pb.h"
#include "proto/varve/v1/registry.pb.h"
#include "proto/varve/v1/store.pb.h"
#include "proto/varve/v1/system.pb.h"

namespace varve {

// The daemon's services for commands: one call each, errors as the daemon made them. kUnavailable if nobody listens.
// Not thread-safe.
class DaemonClient {
 public:
  // Does not connect yet: the first call does.
  explicit DaemonClient(const std::string& socket_path);
  ~DaemonClient();
  DaemonClient(DaemonClient&&) noexcept;
  DaemonClient& operator=(DaemonClient&&) noexcept;

  using OnPullEvent = std::function<void(const v1::PullEvent&)>;
  Status Pull(const v1::PullRequest& request, const OnPullEvent& on_event);
  // Gives the bytes of a blob that the daemon asks for, piece by piece, to `send`.
  using Send = std::function<Status(ByteSpan piece)>;
  using SendBlob = std::function<Status(const std::string& digest, const Send& send)>;
  Status Load(const v1::LoadRequest::Start& start, const SendBlob& send_blob, const OnPullEvent& on_event);

  // The uncompressed tars of `diff_ids`, one after another; `layer` counts from 0. They are right only if it returns
  // OK. An error of `on_piece` ends the call and is returned.
  using OnPiece = std::function<Status(std::size_t layer, ByteSpan piece)>;
  Status ReadLayers(const std::vector<std::string>& diff_ids, const OnPiece& on_piece);

  Result<v1::ListImagesReply> ListImages();
  // kUse: to mount or run it, which is remembered; and nothing of it is collected until EndLease, or for a minute.
  enum class Purpose { kLook, kUse };
  Result<v1::ImageDetail> InspectImage(const std::string& image, Purpose purpose);
  Status EndLease(const v1::ImageDetail& image);
  Status TagImage(const std::string& image, const std::string& reference);
  Result<v1::RemoveImageReply> RemoveImage(const v1::RemoveImageRequest& request);

  Status Login(const v1::LoginRequest& request);
  Result<v1::ListTagsReply> ListTags(const v1::ListTagsRequest& request);
  Result<v1::GetManifestReply> GetManifest(const v1::GetManifestRequest& request);
  Result<v1::GetImageReply> GetImage(const v1::GetImageRequest& request);
  // As ReadLayers, but nothing has been verified.
  Status ReadBlobs(const v1::ReadBlobsRequest& request, const OnPiece& on_piece);
  // Hands the file to `sink`, whose error is returned.
  Status Download(const v1::DownloadRequest& request, const Send& sink);
  // `access` answers what the daemon needs to know of a repository that it has to ask, `send_blob` gives blobs of an
  // image that the caller has.
  using PushAccess = std::function<v1::PushRequest(const std::string& repository)>;
  Status Push(const v1::PushRequest::Start& start, const PushAccess& access, const SendBlob& send_blob,
              const std::function<void(const v1::PushEvent&)>& on_event);

  Result<v1::UsageReply> Usage(const v1::UsageRequest& request);
  Result<v1::PruneReply> Prune(const v1::PruneRequest& request);
  Status Verify(const v1::VerifyRequest& request, const std::function<void(const v1::VerifyEvent&)>& on_event);
  // `access` answers what the daemon needs to know of a repository that it has to ask.
  using Access = std::function<v1::RepairRequest(const std::string& repository)>;
  Status Repair(const Access& access, const std::function<void(const v1::RepairEvent&)>& on_event);
  Result<v1::ExplainReply> Explain(const v1::ExplainRequest& request);
  Status Diff(const v1::DiffRequest& request, const std::function<void(const v1::DiffChanges&)>& on_changes);
  Status Tree(const v1::TreeRequest& request, const std::function<void(const v1::TreeLayer&)>& on_layer);
  Result<v1::BenchDedupReply> BenchDedup(const v1::BenchDedupRequest& request);

  Result<v1::StatusReply> SystemStatus();
  Status StopDaemon();

 private:
  struct Stubs;
  std::unique_ptr<Stubs> stubs_;
};

}  // namespace varve
