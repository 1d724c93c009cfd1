#include "cached/store/layer_content.h"

#include <fmt/core.h>

#include <algorithm>

#include "cached/pack/group.h"

namespace varve {
namespace {

// A layer's small files lie in groups in the order of the tar, but for those that other layers brought: 64 groups of 64
// KiB.
constexpr std::size_t kGroupsKept = 64;
constexpr std::size_t kOpenPacksMax = 64;

Error WrongFrame() { return Error(Code::kDataLoss, "another frame is there"); }

}  // namespace

Result<LayerContent> LayerContent::Open(Store& store, const Digest& diff_id) {
  VARVE_ASSIGN_OR_RETURN(auto record, store.FindLayer(diff_id));
  if (!record) return Error(Code::kNotFound, "it is not stored");
  VARVE_ASSIGN_OR_RETURN(MappedLayer layer, store.index_files().OpenLayer(diff_id));
  VARVE_ASSIGN_OR_RETURN(LocatorTable locators,
                         store.index_files().OpenLocators(layer, LocatorTable::Access::kReadOnly));
  return LayerContent(store, *std::move(record), std::move(layer), std::move(locators));
}

Result<ByteSpan> LayerContent::Chunk(std::uint32_t ordinal) {
  if (ordinal >= layer_.index.chunks().size()) {
    return Error(Code::kDataLoss, fmt::format("the layer has no chunk {}", ordinal));
  }
  const fb::Chunk& chunk = layer_.index.chunks()[ordinal];
  const Locator first = locators_.Get(ordinal);
  if (first.pack != 0) {
    auto read = ReadAt(first, chunk);
    if (read.ok()) return read;
  }
  // A collection has moved it, or it is damaged: the store looks.
  VARVE_ASSIGN_OR_RETURN(const Locator resolved, store_->ResolveLocator(layer_.index.diff_id(), ordinal));
  return ReadAt(resolved, chunk);
}

Result<ByteSpan> LayerContent::ReadAt(const Locator& at, const fb::Chunk& chunk) {
  const auto known = std::ranges::find(groups_, at, &DecodedGroup::at);
  if (known != groups_.end()) return FindInGroup(known->payload, chunk);
  VARVE_ASSIGN_OR_RETURN(const PackReader* const pack, PackOf(at.pack));
  frame_.resize(at.length_bytes);
  VARVE_RETURN_IF_ERROR(pack->ReadRawInto(at.offset_bytes, frame_));
  VARVE_ASSIGN_OR_RETURN(const FrameHeader header, DecodeFrameHeader(frame_));
  if (header.FrameBytes() > frame_.size()) return WrongFrame();
  if (header.kind == FrameKind::kGroup) {
    VARVE_ASSIGN_OR_RETURN(Bytes payload, DecodePayload(header, frame_));
    if (groups_.size() == kGroupsKept) groups_.pop_front();
    groups_.push_back({at, std::move(payload)});
    return FindInGroup(groups_.back().payload, chunk);
  }
  if (header.kind != FrameKind::kChunk || header.sha256 != DigestOf(chunk.sha256()) ||
      header.raw_length != chunk.raw_length()) {
    return WrongFrame();
  }
  chunk_.resize(header.raw_length);
  VARVE_RETURN_IF_ERROR(DecodePayloadInto(header, frame_, chunk_));
  return ByteSpan(chunk_);
}

Result<ByteSpan> LayerContent::FindInGroup(ByteSpan payload, const fb::Chunk& chunk) const {
  VARVE_ASSIGN_OR_RETURN(const GroupView group, GroupView::Open(payload));
  const auto found = group.Find(DigestOf(chunk.sha256()));
  if (!found || found->size() != chunk.raw_length()) return WrongFrame();
  return *found;
}

// One that a collection drops stays readable for whoever has it open.
Result<const PackReader*> LayerContent::PackOf(std::uint32_t number) {
  auto found = packs_.find(number);
  if (found == packs_.end()) {
    VARVE_ASSIGN_OR_RETURN(PackReader opened, PackReader::Open(store_->fs(), store_->paths().packs(), PackId{number}));
    if (packs_.size() == kOpenPacksMax) packs_.erase(packs_.begin());
    found = packs_.emplace(number, std::move(opened)).first;
  }
  return &found->second;
}

Result<std::optional<ByteSpan>> LayerContent::RecipeBlock(int number) {
  if (number >= record_.recipe().parts_size()) return std::optional<ByteSpan>();
  auto block = store_->index_files().ReadPart(record_.recipe(), number);
  if (!block.ok()) {
    // A collection may have moved it.
    VARVE_ASSIGN_OR_RETURN(const auto record, store_->FindLayer(layer_.index.diff_id()));
    if (!record || number >= record->recipe().parts_size()) return block.error();
    record_ = *record;
    block = store_->index_files().ReadPart(record_.recipe(), number);
  }
  if (!block.ok()) return block.error();
  block_ = *std::move(block);
  return std::optional<ByteSpan>(block_);
}

}  // namespace varve
