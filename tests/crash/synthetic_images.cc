#include "tests/crash/synthetic_images.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <random>

#include "cached/content/sha256.h"
#include "tests/ingest/tar_support.h"

namespace varve {
namespace {

// A third of the files are small enough for groups, and every other one compresses.
std::string FileContent(std::mt19937& random, std::size_t number, std::size_t bytes_max) {
  const std::size_t most = number % 3 == 0 ? bytes_max / 100 : number % 3 == 1 ? bytes_max / 10 : bytes_max;
  std::string content(1 + random() % most, '\0');
  const unsigned mask = number % 2 == 0 ? 0xff : 0x07;
  for (char& c : content) c = static_cast<char>(random() & mask);
  return content;
}

Bytes DocumentBytes(const std::string& json) { return {AsBytes(json).begin(), AsBytes(json).end()}; }

ImageDocuments Documents(std::size_t number, const std::vector<Digest>& diff_ids, const std::map<Digest, Bytes>& tars) {
  std::vector<std::string> ids;
  std::vector<std::string> layers;
  for (const Digest& diff_id : diff_ids) {
    ids.push_back(fmt::format(R"("{}")", diff_id.ToString()));
    layers.push_back(fmt::format(R"({{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{}","size":{}}})",
                                 diff_id.ToString(), tars.at(diff_id).size()));
  }
  const std::string config = fmt::format(
      R"({{"author":"image {}","architecture":"amd64","os":"linux","config":{{}},"rootfs":{{"type":"layers","diff_ids":[{}]}}}})",
      number, fmt::join(ids, ","));
  const std::string manifest = fmt::format(
      R"({{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}","size":{}}},"layers":[{}]}})",
      Sha256Of(AsBytes(config)).ToString(), config.size(), fmt::join(layers, ","));
  auto documents = ImageDocuments::Parse(DocumentBytes(manifest), "", DocumentBytes(config));
  VARVE_CHECK(documents.ok());
  return std::move(documents).value();
}

}  // namespace

SyntheticImages::SyntheticImages(const Shape& shape) {
  std::mt19937 random(1);
  std::vector<std::string> files;
  for (std::size_t i = 0; i < shape.files; ++i) files.push_back(FileContent(random, i, shape.file_bytes_max));
  std::vector<Digest> layers;
  for (std::size_t i = 0; i < shape.layers; ++i) {
    std::vector<Bytes> pieces;
    for (std::size_t file = random() % 4; file < files.size(); file += 1 + random() % 8) {
      pieces.push_back(HeaderBlock(fmt::format("layer{}-file{}", i, file)).Size(files[file].size()).bytes());
      pieces.push_back(Padded(files[file]));
    }
    pieces.push_back(EndBlocks());
    Bytes tar = Join(pieces);
    layers.push_back(Sha256Of(tar));
    tars_.emplace(layers.back(), std::move(tar));
  }
  for (std::size_t i = 0; i < shape.images; ++i) {
    std::vector<Digest> diff_ids;
    for (std::size_t n = 1 + random() % shape.layers_per_image_max; n > 0; --n)
      diff_ids.push_back(layers[random() % layers.size()]);
    images_.push_back(Documents(i, diff_ids, tars_));
  }
}

Status SyntheticImages::Fetch(const Descriptor& blob, const Sink& sink, const CancelToken&) {
  constexpr std::size_t kPieceBytes = 32 << 10;
  const ByteSpan tar = TarOf(blob.digest);
  for (std::size_t at = 0; at < tar.size(); at += kPieceBytes)
    VARVE_RETURN_IF_ERROR(sink(tar.subspan(at, std::min(kPieceBytes, tar.size() - at))));
  return Ok();
}

Status Install(Store& store, LayerGate& gate, SyntheticImages& images, std::size_t image, const std::string& name) {
  ImageInstaller installer(store, gate, Clock::Real(), InstallOptions{});
  return installer.Install(images[image], name, "", images, [](const LayerProgress&) {}, CancelToken());
}

}  // namespace varve
