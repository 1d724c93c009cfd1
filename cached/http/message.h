#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "cached/base/bytes.h"
#include "cached/base/fs.h"

namespace varve {

enum class HttpMethod { kGet, kHead, kPost, kPut, kPatch, kDelete, kOther };

std::string_view HttpMethodName(HttpMethod method);  // "GET"; "OTHER" for kOther

// Header fields in their order. Names compare without case.
class HttpFields {
 public:
  using Field = std::pair<std::string, std::string>;

  void Set(std::string_view name, std::string value);  // in place of all of that name
  void Add(std::string name, std::string value);
  std::optional<std::string_view> Find(std::string_view name) const;  // the first
  std::size_t Count(std::string_view name) const;

  std::vector<Field>::const_iterator begin() const { return fields_.begin(); }
  std::vector<Field>::const_iterator end() const { return fields_.end(); }

 private:
  std::vector<Field> fields_;
};

// What follows the "?" of a request's target: names and values, percent-decoded, in their order. A "+" stays one, as
// RFC 3986 has it: media types hold it, and nothing that is asked of us holds a space.
class HttpQuery {
 public:
  using Pair = std::pair<std::string, std::string>;

  HttpQuery() = default;
  explicit HttpQuery(std::vector<Pair> pairs) : pairs_(std::move(pairs)) {}

  std::optional<std::string_view> Find(std::string_view name) const;  // the first; empty for a name without "="

  std::vector<Pair>::const_iterator begin() const { return pairs_.begin(); }
  std::vector<Pair>::const_iterator end() const { return pairs_.end(); }

 private:
  std::vector<Pair> pairs_;
};

// A request but for its body.
struct HttpRequest {
  HttpMethod method = HttpMethod::kOther;
  std::string path;  // percent-decoded, begins with "/", without query and control characters
  HttpQuery query;
  HttpFields fields;
  std::optional<std::uint64_t> content_length;  // of the body; absent if it comes in chunks, or there is none
  std::string remote;                           // the client's address without port
  bool secure = false;                          // came over TLS
  std::string client_name;  // common name of the client's verified certificate; empty if there is none
  std::string id;           // unique in the process: for logs, and for X-Request-Id
};

// A part of a file, which goes out by sendfile where there is no TLS. Its file must not shrink meanwhile: the
// connection would be closed in the middle of the answer. `file` may be null in an answer to HEAD.
struct HttpFileBody {
  std::shared_ptr<const File> file = nullptr;
  std::uint64_t offset_bytes = 0;
  std::uint64_t length_bytes = 0;
};

struct HttpResponse {
  int status = 200;
  HttpFields fields = {};  // without Content-Length, Date and Connection, which the server sets
  // To HEAD its length is told and nothing is sent.
  std::variant<std::string, std::shared_ptr<const Bytes>, HttpFileBody> body = {};

  std::uint64_t body_bytes() const;
};

}  // namespace varve
