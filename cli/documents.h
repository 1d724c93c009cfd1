#pragma once

#include <string>
#include <vector>

#include "cached/base/result.h"
#include "cached/client/daemon_client.h"

namespace varve {

// JSON texts that commands print, without a final newline.
std::string UsageJson(const v1::UsageReply& usage);
std::string DedupJson(const v1::BenchDedupReply& report);
std::string ImageRowJson(const v1::ListImagesReply::Image& image);
// docker's `image inspect`, one object.
Result<std::string> InspectJson(const v1::ImageDetail& image);
// The objects in an array, as docker prints them.
std::string JsonArray(const std::vector<std::string>& objects);

}  // namespace varve
