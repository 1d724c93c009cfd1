#pragma once

#include <string>
#include <utility>

#include "cli/archive/image_files.h"

namespace varve {

// A directory with an OCI layout. Only the layout's own names are files in it: "oci-layout", "index.json" and
// "blobs/sha256/HEX".
class LayoutDirectory final : public ImageFiles {
 public:
  explicit LayoutDirectory(std::string path) : path_(std::move(path)) {}

  const std::string& what() const override { return path_; }
  Result<std::optional<std::uint64_t>> SizeOf(const std::string& name) override;
  Status Read(const std::string& name, const Sink& sink) override;

 private:
  const std::string path_;
};

}  // namespace varve
