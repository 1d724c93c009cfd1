#pragma once

#include <string>
#include <vector>

#include "cached/base/result.h"
#include "cached/client/daemon_client.h"
#include "cli/mounts.h"

namespace varve {

// JSON texts that commands print, without a final newline.
std::string UsageJson(const v1::UsageReply& usage);
std::string DedupJson(const v1::BenchDedupReply& report);
// Rows of docker's `images --format json` and `history --format json`.
std::string ImageRowJson(const v1::ListImagesReply::Image& image, const std::string& id);
struct HistoryRow {
  std::string id;
  std::string created;  // RFC 3339
  std::string created_by;
  std::string size;
  std::string comment;
};
std::string HistoryRowJson(const HistoryRow& row);
// Rows of `mounts`, `tags` and, as docker has them, `system df`.
std::string MountRowJson(const UserMount& mount);
std::string TagRowJson(const std::string& repository, const std::string& tag);
struct UsageRow {
  std::string type;
  std::size_t count = 0;
  std::size_t active = 0;
  std::uint64_t bytes = 0;
  std::uint64_t reclaimable_bytes = 0;
};
std::string UsageRowJson(const UsageRow& row);
// A line of `tree --json`; layers are numbered from 1, the lowest.
std::string TreeLayerJson(const v1::TreeLayer& layer, std::size_t number, const std::string& created_by);
// One line each, for `pull --json` and `push --json` (docs/man/varve.1).
std::string PullLayerJson(const v1::PullEvent::Layer& layer);
std::string PullDoneJson(const v1::PullEvent::Done& done);
std::string PushDoneJson(const v1::PushEvent::Done& done);
std::string ErrorJson(const Error& error);
// docker's `image inspect`, one object.
Result<std::string> InspectJson(const v1::ImageDetail& image);

}  // namespace varve
