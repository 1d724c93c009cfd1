#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cached/base/bytes.h"

namespace varve {

// Reads JSON that nobody vouches for, without exceptions. Included by *_json.cc files only.
using Json = nlohmann::json;

inline constexpr int kJsonDepthMax = 32;

// kInvalidArgument unless `text` is one object (or list) nested at most kJsonDepthMax deep; kResourceExhausted beyond
// `most_bytes`.
Result<Json> ParseJsonObject(ByteSpan text, std::size_t most_bytes);
Result<Json> ParseJsonArray(ByteSpan text, std::size_t most_bytes);

// The field `key` of `object`. Absent and null are the empty value; another type is kInvalidArgument and names the
// field.
Result<std::string> TextField(const Json& object, const char* key);
Result<bool> BoolField(const Json& object, const char* key);
Result<std::uint64_t> CountField(const Json& object, const char* key);
Result<std::vector<std::string>> TextListField(const Json& object, const char* key);
Result<std::map<std::string, std::string>> TextMapField(const Json& object, const char* key);
// An empty array or object where absent; valid as long as `object`.
Result<const Json*> ArrayField(const Json& object, const char* key);
Result<const Json*> ObjectField(const Json& object, const char* key);

}  // namespace varve
