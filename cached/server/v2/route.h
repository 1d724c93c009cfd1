#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cached/base/result.h"

namespace varve::v2 {

// What a path of the distribution API means.
struct Route {
  enum class Kind { kBase, kCatalog, kTags, kManifest, kBlob, kUploads, kUpload, kReferrers };
  Kind kind = Kind::kBase;
  std::string repository;  // in the grammar of names; empty for kBase and kCatalog
  std::string
      reference;  // of kManifest a tag or digest, of kBlob and kReferrers a digest, of kUpload its id; unchecked
};

// None if `path` (decoded, without a query) is no address of the API. kInvalidArgument if it would be one, but for the
// repository's name.
Result<std::optional<Route>> ParseRoute(std::string_view path);

}  // namespace varve::v2
