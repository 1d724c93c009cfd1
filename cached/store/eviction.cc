#include "cached/store/eviction.h"

#include <unordered_set>

#include "cached/store/repositories.h"

namespace varve {
namespace {

// The bytes of a set of frames that grows.
class FrameSum {
 public:
  explicit FrameSum(Store& store) : store_(store) {}

  std::uint64_t bytes() const { return bytes_; }

  Status AddManifest(const store::Manifest& manifest) {
    AddParts(manifest.manifest());
    AddParts(manifest.config());
    VARVE_ASSIGN_OR_RETURN(const Digest chain_id, Digest::FromBytes(AsBytes(manifest.chain_id())));
    return AddImage(ChainId{chain_id});
  }

  // An image that is not here needs nothing.
  Status AddImage(const ChainId& chain_id) {
    VARVE_ASSIGN_OR_RETURN(const auto image, store_.FindImage(chain_id));
    if (!image) return Ok();
    AddParts(image->index());
    for (const std::string& diff_id : image->diff_ids()) {
      VARVE_ASSIGN_OR_RETURN(const Digest layer, Digest::FromBytes(AsBytes(diff_id)));
      VARVE_RETURN_IF_ERROR(AddLayer(layer));
    }
    return Ok();
  }

  Status AddLayer(const Digest& diff_id) {
    if (!layers_.insert(diff_id).second) return Ok();
    VARVE_ASSIGN_OR_RETURN(const auto record, store_.FindLayer(diff_id));
    if (record) {
      AddParts(record->index());
      AddParts(record->recipe());
    }
    VARVE_ASSIGN_OR_RETURN(const MappedLayer layer, store_.index_files().OpenLayer(diff_id));
    VARVE_ASSIGN_OR_RETURN(const LocatorTable table,
                           store_.index_files().OpenLocators(layer, LocatorTable::Access::kReadOnly));
    for (std::uint32_t ordinal = 0; ordinal < table.size(); ++ordinal) {
      const Locator locator = table.Get(ordinal);
      if (locator.pack != 0) AddFrame(locator.pack, locator.offset_bytes, locator.length_bytes);
    }
    return Ok();
  }

 private:
  void AddParts(const store::Parts& parts) {
    for (const store::Placement& part : parts.parts()) AddFrame(part.pack(), part.offset_bytes(), part.frame_bytes());
  }

  void AddFrame(std::uint64_t pack, std::uint32_t offset_bytes, std::uint32_t length_bytes) {
    if (frames_.insert(pack << 32 | offset_bytes).second) bytes_ += length_bytes;
  }

  Store& store_;
  std::unordered_set<Digest> layers_;
  std::unordered_set<std::uint64_t> frames_;  // pack << 32 | offset
  std::uint64_t bytes_ = 0;
};

}  // namespace

Result<std::size_t> CountThatFit(Store& store, std::span<const ChainId> in_use, std::span<const store::Manifest> images,
                                 std::uint64_t budget_bytes) {
  FrameSum sum(store);
  for (const ChainId& chain_id : in_use) VARVE_RETURN_IF_ERROR(sum.AddImage(chain_id));
  VARVE_ASSIGN_OR_RETURN(const std::vector<Digest> layers, LayersOfRepositories(store));
  for (const Digest& diff_id : layers) VARVE_RETURN_IF_ERROR(sum.AddLayer(diff_id));
  for (std::size_t fit = 0; fit < images.size(); ++fit) {
    VARVE_RETURN_IF_ERROR(sum.AddManifest(images[fit]));
    if (sum.bytes() > budget_bytes) return fit;
  }
  return images.size();
}

}  // namespace varve
