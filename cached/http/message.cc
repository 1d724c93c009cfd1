#include "cached/http/message.h"

#include <algorithm>

namespace varve {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool SameName(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return Lower(x) == Lower(y); });
}

}  // namespace

std::string_view HttpMethodName(HttpMethod method) {
  switch (method) {
    case HttpMethod::kGet:
      return "GET";
    case HttpMethod::kHead:
      return "HEAD";
    case HttpMethod::kPost:
      return "POST";
    case HttpMethod::kPut:
      return "PUT";
    case HttpMethod::kPatch:
      return "PATCH";
    case HttpMethod::kDelete:
      return "DELETE";
    case HttpMethod::kOther:
      break;
  }
  return "OTHER";
}

void HttpFields::Set(std::string_view name, std::string value) {
  std::erase_if(fields_, [&](const Field& field) { return SameName(field.first, name); });
  Add(std::string(name), std::move(value));
}

void HttpFields::Add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }

std::optional<std::string_view> HttpFields::Find(std::string_view name) const {
  const auto found = std::ranges::find_if(fields_, [&](const Field& field) { return SameName(field.first, name); });
  if (found == fields_.end()) return std::nullopt;
  return found->second;
}

std::size_t HttpFields::Count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(fields_, [&](const Field& field) { return SameName(field.first, name); }));
}

std::optional<std::string_view> HttpQuery::Find(std::string_view name) const {
  const auto found = std::ranges::find(pairs_, name, &Pair::first);
  if (found == pairs_.end()) return std::nullopt;
  return found->second;
}

std::uint64_t HttpResponse::body_bytes() const {
  if (const auto* text = std::get_if<std::string>(&body)) return text->size();
  if (const auto* bytes = std::get_if<std::shared_ptr<const Bytes>>(&body)) return *bytes ? (*bytes)->size() : 0;
  return std::get<HttpFileBody>(body).length_bytes;
}

}  // namespace varve
