#pragma once

#include <string>
#include <vector>

#include "cached/base/bytes.h"

namespace varve {

// What servers answer in JSON. Pure, and bounded by kAnswerBytesMax.
inline constexpr std::size_t kAnswerBytesMax = 256 << 10;

// The token in a token server's answer ("token" or "access_token"). kInvalidArgument if there is none that fits into a
// header.
Result<std::string> ParseTokenAnswer(ByteSpan text);

// The tags in a page of a repository's list ({"tags":[…]}); kInvalidArgument if it is not one.
inline constexpr std::size_t kTagsPageBytesMax = 4 << 20;
Result<std::vector<std::string>> ParseTagsAnswer(ByteSpan text);

// The message of a registry's error ({"errors":[{"code","message"}]}) on one line; empty if it is not one.
std::string ParseErrorAnswer(ByteSpan text);

}  // namespace varve
