#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include "cached/base/bytes.h"
#include "cached/base/result.h"

namespace varve {

// A SHA-256: the identity of a chunk, a blob, a layer (its diff ID), a manifest or a config. Always computed here,
// never believed.
struct Digest {
  std::array<std::byte, 32> bytes{};

  auto operator<=>(const Digest&) const = default;
  ByteSpan span() const { return bytes; }
  std::string hex() const { return ToHex(bytes); }
  std::string ToString() const { return "sha256:" + hex(); }  // as OCI writes it
  std::string Short() const { return hex().substr(0, 12); }   // as docker prints it

  // kInvalidArgument unless `text` is "sha256:" and 64 hex digits in lower case.
  static Result<Digest> Parse(std::string_view text);
  static Result<Digest> FromHexText(std::string_view hex);
  // kInvalidArgument unless `raw` is 32 bytes.
  static Result<Digest> FromBytes(ByteSpan raw);
};

// Names a stack of layers (OCI image-spec, config.md, "Layer ChainID"); a type of its own so that it cannot pass for a
// diff ID.
struct ChainId {
  Digest digest;

  auto operator<=>(const ChainId&) const = default;
  std::string hex() const { return digest.hex(); }
};

// SHA-256 is uniform, so any eight of its bytes are a hash.
struct DigestHash {
  std::size_t operator()(const Digest& digest) const {
    std::size_t hash;
    std::memcpy(&hash, digest.bytes.data(), sizeof(hash));
    return hash;
  }
};

}  // namespace varve

template <>
struct std::hash<varve::Digest> : varve::DigestHash {};
