#include "cached/content/digest.h"

#include <algorithm>

namespace varve {

Result<Digest> Digest::FromBytes(ByteSpan raw) {
  Digest digest;
  if (raw.size() != digest.bytes.size()) return Error(Code::kInvalidArgument, "a SHA-256 is 32 bytes long");
  std::copy(raw.begin(), raw.end(), digest.bytes.begin());
  return digest;
}

Result<Digest> Digest::FromHexText(std::string_view hex) {
  const bool lower = std::none_of(hex.begin(), hex.end(), [](char c) { return c >= 'A' && c <= 'F'; });
  if (hex.size() != 64 || !lower) return Error(Code::kInvalidArgument, "a SHA-256 is 64 hex digits in lower case");
  VARVE_ASSIGN_OR_RETURN(const Bytes raw, FromHex(hex));
  return FromBytes(raw);
}

Result<Digest> Digest::Parse(std::string_view text) {
  constexpr std::string_view kPrefix = "sha256:";
  if (!text.starts_with(kPrefix)) {
    return Error(Code::kInvalidArgument,
                 "digest \"" + std::string(text.substr(0, 80)) + "\": only sha256 is supported");
  }
  return FromHexText(text.substr(kPrefix.size())).In("digest \"" + std::string(text.substr(0, 80)) + "\"");
}

}  // namespace varve
