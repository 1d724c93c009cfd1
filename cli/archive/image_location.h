#pragma once

#include <string>

namespace varve {

// Where an image is, in skopeo's notation: "docker://REFERENCE" or a reference alone, "varve:NAME", "oci:DIR[:TAG]",
// "oci-archive:FILE[:TAG]", "docker-archive:FILE[:REFERENCE]".
struct ImageLocation {
  enum class Kind { kRegistry, kStore, kLayout, kOciArchive, kDockerArchive };

  Kind kind = Kind::kRegistry;
  std::string place;  // the reference, the name or id in the store, the directory or file
  std::string name;   // of files, the tag or reference; empty: none given

  // Of files and their names a colon is the divider: the first whose left side is there, else the first.
  static ImageLocation Parse(const std::string& text);
  bool in_files() const { return kind != Kind::kRegistry && kind != Kind::kStore; }
};

}  // namespace varve
