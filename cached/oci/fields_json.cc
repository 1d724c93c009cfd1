#include "cached/oci/fields_json.h"

#include <fmt/core.h>

namespace varve {
namespace {

Error WrongType(const char* key, const char* expected) {
  return Error(Code::kInvalidArgument, fmt::format("field \"{}\" is not {}", key, expected));
}

// Null for an absent field as for one that is null.
const Json& Field(const Json& object, const char* key) {
  static const Json null;
  const auto at = object.find(key);
  return at == object.end() ? null : *at;
}

Result<Json> ParseBounded(ByteSpan text, std::size_t most_bytes) {
  if (text.size() > most_bytes) {
    return Error(Code::kResourceExhausted,
                 fmt::format("{} bytes of JSON, at most {} allowed", text.size(), most_bytes));
  }
  bool too_deep = false;
  const auto within_depth = [&](int depth, Json::parse_event_t, Json&) {
    too_deep |= depth > kJsonDepthMax;
    return depth <= kJsonDepthMax;
  };
  Json json = Json::parse(AsText(text), within_depth, /*allow_exceptions=*/false);
  if (too_deep) return Error(Code::kInvalidArgument, fmt::format("JSON nested deeper than {}", kJsonDepthMax));
  if (json.is_discarded()) return Error(Code::kInvalidArgument, "not JSON");
  return json;
}

}  // namespace

Result<Json> ParseJsonObject(ByteSpan text, std::size_t most_bytes) {
  VARVE_ASSIGN_OR_RETURN(Json json, ParseBounded(text, most_bytes));
  if (!json.is_object()) return Error(Code::kInvalidArgument, "not a JSON object");
  return json;
}

Result<Json> ParseJsonArray(ByteSpan text, std::size_t most_bytes) {
  VARVE_ASSIGN_OR_RETURN(Json json, ParseBounded(text, most_bytes));
  if (!json.is_array()) return Error(Code::kInvalidArgument, "not a JSON list");
  return json;
}

Result<std::string> TextField(const Json& object, const char* key) {
  const Json& field = Field(object, key);
  if (field.is_null()) return std::string();
  if (!field.is_string()) return WrongType(key, "a string");
  return field.get_ref<const std::string&>();
}

Result<bool> BoolField(const Json& object, const char* key) {
  const Json& field = Field(object, key);
  if (field.is_null()) return false;
  if (!field.is_boolean()) return WrongType(key, "true or false");
  return field.get<bool>();
}

Result<std::uint64_t> CountField(const Json& object, const char* key) {
  const Json& field = Field(object, key);
  if (field.is_null()) return 0;
  if (!field.is_number_unsigned()) return WrongType(key, "a number that is not negative");
  return field.get<std::uint64_t>();
}

Result<std::vector<std::string>> TextListField(const Json& object, const char* key) {
  VARVE_ASSIGN_OR_RETURN(const Json* const array, ArrayField(object, key));
  std::vector<std::string> texts;
  for (const Json& item : *array) {
    if (!item.is_string()) return WrongType(key, "a list of strings");
    texts.push_back(item.get_ref<const std::string&>());
  }
  return texts;
}

Result<std::map<std::string, std::string>> TextMapField(const Json& object, const char* key) {
  VARVE_ASSIGN_OR_RETURN(const Json* const map, ObjectField(object, key));
  std::map<std::string, std::string> texts;
  for (const auto& [name, value] : map->items()) {
    if (!value.is_string()) return WrongType(key, "an object of strings");
    texts.emplace(name, value.get_ref<const std::string&>());
  }
  return texts;
}

Result<const Json*> ArrayField(const Json& object, const char* key) {
  static const Json empty = Json::array();
  const Json& field = Field(object, key);
  if (field.is_null()) return &empty;
  if (!field.is_array()) return WrongType(key, "a list");
  return &field;
}

Result<const Json*> ObjectField(const Json& object, const char* key) {
  static const Json empty = Json::object();
  const Json& field = Field(object, key);
  if (field.is_null()) return &empty;
  if (!field.is_object()) return WrongType(key, "an object");
  return &field;
}

}  // namespace varve
