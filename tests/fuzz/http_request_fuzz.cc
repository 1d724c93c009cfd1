// Any bytes as what a client sends: the parser must end with a request or an error, and what it makes of them must not
// depend on how the network cuts them. The first byte says into how large steps.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "cached/base/check.h"
#include "cached/http/request_parser.h"

namespace {

constexpr std::size_t kHeadBytesMax = 1024;
constexpr std::size_t kPieceBytesMax = 16;

struct Parsed {
  bool done = false;
  std::string path, body;
  std::size_t fields = 0, consumed = 0;
  bool operator==(const Parsed&) const = default;
};

Parsed Parse(std::string_view text, std::size_t step) {
  varve::RequestParser parser(kHeadBytesMax);
  Parsed parsed;
  std::size_t end = 0;
  while (end < text.size() && !parser.done()) {
    end = std::min(text.size(), end + step);
    while (parsed.consumed < end && !parser.done()) {
      varve::Bytes piece;
      const varve::ByteSpan held = varve::AsBytes(text.substr(parsed.consumed, end - parsed.consumed));
      const auto consumed = parser.head_done() ? parser.PutBody(held, piece, kPieceBytesMax) : parser.PutHead(held);
      if (!consumed.ok()) {
        VARVE_CHECK(parser.refusal_status() >= 400 && parser.refusal_status() < 600);
        return {};
      }
      VARVE_CHECK(*consumed <= held.size() && piece.size() <= kPieceBytesMax);
      parsed.consumed += *consumed;
      parsed.body += varve::AsText(piece);
      if (*consumed == 0) break;
    }
  }
  if (!parser.done()) return {};
  parsed.done = true;
  parsed.path = parser.request().path;
  parsed.fields =
      static_cast<std::size_t>(std::distance(parser.request().fields.begin(), parser.request().fields.end()));
  VARVE_CHECK(parsed.path.starts_with('/'));
  VARVE_CHECK(parser.request().content_length.value_or(parsed.body.size()) == parsed.body.size());
  return parsed;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(input) + 1, size - 1);
  VARVE_CHECK(Parse(text, text.size() + 1) == Parse(text, std::size_t{1} + input[0] % 64));
  return 0;
}
