#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "cached/client/daemon_client.h"
#include "cached/oci/image_tree.h"
#include "cli/archive/image_location.h"

namespace varve {

// An image that is copied by this process: its documents, and blobs that can be read.
class CopySource {
 public:
  // `blob` is a place in what was asked for; a blob of no bytes has no piece.
  using OnPiece = std::function<Status(std::size_t blob, ByteSpan piece)>;

  virtual ~CopySource() = default;
  const ImageTree& image() const { return image_; }
  // Some of the image's blobs, one after another. Nobody has verified them; an error of `on_piece` is returned.
  virtual Status Read(std::span<const Descriptor> blobs, const OnPiece& on_piece) = 0;

 protected:
  explicit CopySource(ImageTree image) : image_(std::move(image)) {}

 private:
  const ImageTree image_;
};

// Opens the image at `location`: for `platform`, or with all its platforms. One of the store has its manifest if that
// names plain layers, and else one that does: the blobs that it had are not kept. `access` reaches a registry. `daemon`
// must outlive the source; errors name it.
Result<std::unique_ptr<CopySource>> OpenCopySource(DaemonClient& daemon, const ImageLocation& location,
                                                   const std::optional<Platform>& platform,
                                                   const v1::RegistryAccess& access);

}  // namespace varve
