#pragma once

#include "cached/distribution/registry_host.h"
#include "cached/http/handler.h"
#include "cached/server/v2/route.h"

namespace varve::v2 {

// GET, HEAD, PUT and DELETE of a manifest by tag or digest.
HttpReply HandleManifest(RegistryHost& registry, const HttpRequest& request, const Route& route);

}  // namespace varve::v2
