#pragma once

#include <string_view>

#include "cached/base/result.h"
#include "cached/http/message.h"

namespace varve::v2 {

// The codes of the distribution-spec for one kind of object.
struct Words {
  std::string_view unknown;  // it is not there
  std::string_view invalid;  // it breaks the grammar
};
inline constexpr Words kNameWords = {"NAME_UNKNOWN", "NAME_INVALID"};
inline constexpr Words kBlobWords = {"BLOB_UNKNOWN", "DIGEST_INVALID"};
inline constexpr Words kUploadWords = {"BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID"};
inline constexpr Words kManifestWords = {"MANIFEST_UNKNOWN", "MANIFEST_INVALID"};

// The status and error body for `error`. What is the server's fault is logged, with the request's id, and told without
// the paths that it names.
HttpResponse FailureReply(const HttpRequest& request, const Error& error, const Words& words);

}  // namespace varve::v2
