#pragma once

#include <string>
#include <string_view>

#include "cached/base/result.h"
#include "cached/http/message.h"

namespace varve {

struct HttpTarget {
  std::string path;
  HttpQuery query;
};

// Reads the target of a request line: "/path?query", or "http://host/path?query" as proxies are asked (RFC 9112, 3.2).
// kInvalidArgument for "*" and "host:port", for a "%" that two hexadecimal digits do not follow, and for control
// characters, encoded or not. Encoded slashes become slashes: no name of ours may hold one.
Result<HttpTarget> ParseHttpTarget(std::string_view target);

// `text` as a value in a query: all but letters, digits and "-._~" becomes "%XX".
std::string PercentEncode(std::string_view text);

}  // namespace varve
