#include <algorithm>

#include "cached/oci/fields_json.h"
#include "cached/registry/answers.h"

namespace varve {
namespace {

constexpr std::size_t kShownBytesMax = 200;

bool IsVisible(char c) { return c > ' ' && c < 0x7f; }

Result<std::string> FirstError(ByteSpan text) {
  VARVE_ASSIGN_OR_RETURN(const Json json, ParseJsonObject(text, kAnswerBytesMax));
  VARVE_ASSIGN_OR_RETURN(const Json* const errors, ArrayField(json, "errors"));
  if (errors->empty() || !errors->front().is_object()) return std::string();
  VARVE_ASSIGN_OR_RETURN(std::string message, TextField(errors->front(), "message"));
  if (message.empty()) return TextField(errors->front(), "code");
  return message;
}

}  // namespace

Result<std::string> ParseTokenAnswer(ByteSpan text) {
  VARVE_ASSIGN_OR_RETURN(const Json json, ParseJsonObject(text, kAnswerBytesMax));
  VARVE_ASSIGN_OR_RETURN(std::string token, TextField(json, "token"));
  if (token.empty()) {
    VARVE_ASSIGN_OR_RETURN(token, TextField(json, "access_token"));
  }
  if (token.empty() || !std::ranges::all_of(token, IsVisible)) {
    return Error(Code::kInvalidArgument, "the answer of the token server holds no token");
  }
  return token;
}

Result<std::vector<std::string>> ParseTagsAnswer(ByteSpan text) {
  VARVE_ASSIGN_OR_RETURN(const Json json, ParseJsonObject(text, kTagsPageBytesMax));
  VARVE_ASSIGN_OR_RETURN(std::vector<std::string> tags, TextListField(json, "tags"));
  if (std::ranges::all_of(tags, [](const std::string& tag) { return std::ranges::all_of(tag, IsVisible); }))
    return tags;
  return Error(Code::kInvalidArgument, "a tag holds what no tag can");
}

std::string ParseErrorAnswer(ByteSpan text) {
  auto first = FirstError(text);
  if (!first.ok()) return "";
  std::string message = *std::move(first);
  message.resize(std::min(message.size(), kShownBytesMax));
  std::ranges::replace_if(message, [](char c) { return c < ' ' || c == 0x7f; }, ' ');
  return message;
}

}  // namespace varve
