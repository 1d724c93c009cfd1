#pragma once

#include <string>

#include "cached/base/fd.h"
#include "cached/base/result.h"

namespace varve {

enum class SetuidFiles { kIgnored, kHonoured };

// Attaches the detached root of an image at `directory`, read-only and nodev.
Status AttachImage(const UniqueFd& root, const std::string& directory, SetuidFiles setuid_files);

}  // namespace varve
