#pragma once

#include <string>

#include "cached/distribution/registry_host.h"
#include "cached/http/handler.h"
#include "cached/server/v2/route.h"

namespace varve::v2 {

// Requests for blobs and uploads that may be answered; `route` is of the kind that each is named after.

// GET, with ranges, HEAD and DELETE of a blob.
HttpReply HandleBlob(RegistryHost& registry, const HttpRequest& request, const Route& route, RegistryHost::Asker asker);
// POST: a blob whole, a mount from the repository `from` (empty: none that the user may read), or the begin of an
// upload.
HttpReply HandleUploads(RegistryHost& registry, const HttpRequest& request, const Route& route,
                        const std::string& from);
// GET (how far it came), PATCH (a piece), PUT (the end) and DELETE of an upload.
HttpReply HandleUpload(RegistryHost& registry, const HttpRequest& request, const Route& route);

}  // namespace varve::v2
