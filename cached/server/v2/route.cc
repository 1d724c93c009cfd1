#include "cached/server/v2/route.h"

#include <fmt/core.h>

#include <array>

#include "cached/oci/reference.h"

namespace varve::v2 {
namespace {

constexpr std::string_view kPrefix = "/v2/";

// A name may have any of the words in it, so a path is read from its end: …/NAME/WORD/REFERENCE.
struct Shape {
  std::string_view word;  // between the name and the reference, with both slashes
  Route::Kind kind;
  bool has_reference;
};
constexpr std::array kShapes = {
    Shape{"/tags/list", Route::Kind::kTags, false},         Shape{"/blobs/uploads", Route::Kind::kUploads, false},
    Shape{"/blobs/uploads/", Route::Kind::kUploads, false}, Shape{"/blobs/uploads/", Route::Kind::kUpload, true},
    Shape{"/manifests/", Route::Kind::kManifest, true},     Shape{"/blobs/", Route::Kind::kBlob, true},
    Shape{"/referrers/", Route::Kind::kReferrers, true}};

std::optional<Route> Match(std::string_view rest, const Shape& shape) {
  std::string_view reference;
  if (shape.has_reference) {
    const auto slash = rest.rfind('/');
    if (slash == std::string_view::npos || slash + 1 == rest.size()) return std::nullopt;
    reference = rest.substr(slash + 1);
    rest = rest.substr(0, slash + 1);
  }
  if (!rest.ends_with(shape.word) || rest.size() == shape.word.size()) return std::nullopt;
  rest.remove_suffix(shape.word.size());
  return Route{shape.kind, std::string(rest), std::string(reference)};
}

}  // namespace

Result<std::optional<Route>> ParseRoute(std::string_view path) {
  if (path == "/v2" || path == kPrefix) return std::optional(Route());
  if (!path.starts_with(kPrefix)) return std::optional<Route>();
  const std::string_view rest = path.substr(kPrefix.size());
  if (rest == "_catalog") return std::optional(Route{Route::Kind::kCatalog, "", ""});
  for (const Shape& shape : kShapes) {
    std::optional<Route> route = Match(rest, shape);
    if (!route) continue;
    if (!IsRepositoryPath(route->repository)) {
      return Error(Code::kInvalidArgument,
                   fmt::format("\"{}\" is not a repository name", route->repository.substr(0, 200)));
    }
    return route;
  }
  return std::optional<Route>();
}

}  // namespace varve::v2
