#pragma once

#include <string>
#include <vector>

#include "cached/transfer/install.h"

namespace varve {

// Images made of a few files that they share: the same layer is in several images, the same file in several layers, so
// that whoever takes them in at the same time meets in the same chunks. The same for the same shape, in every process.
class SyntheticImages final : public BlobFetcher {
 public:
  struct Shape {
    std::size_t files = 32;
    std::size_t layers = 24;
    std::size_t images = 16;
    std::size_t layers_per_image_max = 3;
    std::size_t file_bytes_max = 150'000;
  };
  explicit SyntheticImages(const Shape& shape);

  std::size_t size() const { return images_.size(); }
  const ImageDocuments& operator[](std::size_t image) const { return images_[image]; }
  // The exact tar of a layer.
  const Bytes& TarOf(const Digest& diff_id) const { return tars_.at(diff_id); }

  // Layers are not compressed: a blob is the tar itself.
  Status Fetch(const Descriptor& blob, const Sink& sink, const CancelToken& cancel) override;

 private:
  std::map<Digest, Bytes> tars_;
  std::vector<ImageDocuments> images_;
};

// Takes the image in and names it, as a pull does.
Status Install(Store& store, LayerGate& gate, SyntheticImages& images, std::size_t image, const std::string& name);

}  // namespace varve
