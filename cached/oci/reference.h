#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cached/base/result.h"
#include "cached/content/digest.h"

namespace varve {

// The name of an image, with docker's rules (github.com/distribution/reference): "debian" is
// docker.io/library/debian:latest, and the first component is a registry only if it has a dot, a colon or a capital
// letter, or is "localhost".
struct Reference {
  std::string domain;            // "docker.io", "127.0.0.1:5000", "[::1]:5000"
  std::string path;              // "library/debian"
  std::string tag;               // empty only where a digest stands without a tag
  std::optional<Digest> digest;  // decides where both are given

  bool operator==(const Reference&) const = default;

  // kInvalidArgument, with "reference" in the message, for anything else: an upper-case path, 64 hex digits alone (they
  // would pass for an image ID), a digest that is not SHA-256, a path of more than 255 bytes.
  static Result<Reference> Parse(std::string_view text);

  std::string Repository() const;          // "docker.io/library/debian"
  std::string Canonical() const;           // "docker.io/library/debian:12", "docker.io/library/debian:12@sha256:ab…"
  std::string Familiar() const;            // the same as docker prints it: "debian:12"
  std::string FamiliarRepository() const;  // "debian"
};

// The two parts that a registry's own addresses have.
bool IsRepositoryPath(std::string_view path);
bool IsTag(std::string_view tag);

}  // namespace varve
