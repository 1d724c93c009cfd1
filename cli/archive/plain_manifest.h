#pragma once

#include <string>

#include "cached/client/daemon_client.h"

namespace varve {

// OCI's manifest for an image of the store, with its layers as plain tars, which the store can give back: the image's
// own if it is that, byte for byte, else one that is made. The image's id is the same.
Result<std::string> PlainManifest(const v1::ImageDetail& image);

}  // namespace varve
