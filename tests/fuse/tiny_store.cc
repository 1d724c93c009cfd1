#include "tests/fuse/tiny_store.h"

#include <algorithm>
#include <utility>

#include "cached/content/codec.h"
#include "cached/content/sha256.h"
#include "cached/tree/image_index.h"
#include "cached/tree/merge.h"

namespace varve {
namespace {

template <class T>
T Must(Result<T> result) {
  VARVE_CHECK(result.ok());
  return std::move(result).value();
}
void Must(const Status& status) { VARVE_CHECK(status.ok()); }

Entry EntryOf(EntryType type, const std::string& path, std::uint32_t mode) {
  Entry entry;
  entry.type = type;
  entry.path = path;
  entry.mode = mode;
  entry.mtime_seconds = 1'600'000'000;
  entry.mtime_nanoseconds = 123;
  return entry;
}

}  // namespace

TinyStore::TinyStore(const std::string& root, std::size_t chunk_bytes)
    : paths_{root, root + "/run"}, chunk_bytes_(chunk_bytes) {
  for (const std::string& directory : {paths_.packs(), paths_.index(), paths_.run()}) {
    Must(Fs::Real().MakeDirectories(directory));
  }
  pack_ = std::make_unique<PackWriter>(Must(PackWriter::Create(Fs::Real(), paths_.packs(), PackId{1})));
}

Locator TinyStore::Store(FrameKind kind, ByteSpan raw) {
  static Compressor compressor(3);
  Bytes compressed;
  const Codec codec = compressor.Compress(raw, compressed);
  if (pack_->Full(static_cast<std::uint32_t>(raw.size()))) {
    const PackId next{pack_->id().number + 1};
    pack_ = std::make_unique<PackWriter>(Must(PackWriter::Create(Fs::Real(), paths_.packs(), next)));
  }
  const PackLocation at = Must(pack_->Append(kind, codec, codec == Codec::kRaw ? raw : compressed,
                                             static_cast<std::uint32_t>(raw.size()), Sha256Of(raw)));
  return {at.pack.number, at.offset_bytes, at.length_bytes};
}

TinyStore::Layer& TinyStore::Layer::Directory(const std::string& path, std::uint32_t mode) {
  return Add(EntryOf(EntryType::kDirectory, path, mode));
}

TinyStore::Layer& TinyStore::Layer::File(const std::string& path, std::string_view content, std::uint32_t mode) {
  Entry entry = EntryOf(EntryType::kFile, path, mode);
  entry.size_bytes = content.size();
  return Add(entry, content);
}

TinyStore::Layer& TinyStore::Layer::Symlink(const std::string& path, const std::string& target) {
  Entry entry = EntryOf(EntryType::kSymlink, path, 0777);
  entry.link_target = target;
  return Add(entry);
}

TinyStore::Layer& TinyStore::Layer::HardLink(const std::string& path, const std::string& target) {
  Entry entry = EntryOf(EntryType::kHardLink, path, 0644);
  entry.link_target = target;
  return Add(entry);
}

TinyStore::Layer& TinyStore::Layer::Add(const Entry& entry, std::string_view content) {
  std::vector<FileExtent> extents;
  std::vector<Segment> segments = entry.segments;
  if (!entry.sparse && !content.empty()) segments = {{0, content.size()}};
  for (const Segment& segment : segments) {
    for (std::uint64_t done = 0; done < segment.length; done += extents.back().length) {
      const std::string_view chunk = content.substr(0, std::min(store_.chunk_bytes_, segment.length - done));
      extents.push_back({segment.offset + done, AddChunk(chunk), static_cast<std::uint32_t>(chunk.size())});
      content.remove_prefix(chunk.size());
    }
  }
  Must(builder_.Add(entry, extents));
  return *this;
}

std::uint32_t TinyStore::Layer::AddChunk(std::string_view chunk) {
  const Digest sha256 = Sha256Of(AsBytes(chunk));
  const std::uint32_t ordinal = builder_.AddChunk(sha256, static_cast<std::uint32_t>(chunk.size()));
  if (!ordinals_.emplace(sha256, ordinal).second) return ordinal;
  if (chunk.size() > kGroupChunkBytesMax) {
    words_[ordinal] = store_.Store(FrameKind::kChunk, AsBytes(chunk)).Pack();
    return ordinal;
  }
  group_.Add(sha256, AsBytes(chunk));
  if (group_.full()) CloseGroup();
  return ordinal;
}

void TinyStore::Layer::CloseGroup() {
  if (group_.empty()) return;
  const auto members = group_.members();
  const std::uint64_t word = store_.Store(FrameKind::kGroup, group_.Finish()).Pack();
  for (const auto& member : members) words_[ordinals_.at(member.sha256)] = word;
}

Digest TinyStore::Layer::Publish() {
  CloseGroup();
  const std::uint32_t slot = store_.next_slot_++;
  const Digest diff_id = Sha256Of(AsBytes("layer " + std::to_string(slot)));
  const std::string path = store_.paths_.layer_index(diff_id.hex());
  Must(builder_.Finish(*Must(Fs::Real().Open(path, OpenMode::kCreateNew)), diff_id, 10240));
  std::vector<std::uint64_t> words;
  for (const auto& [ordinal, word] : words_) words.push_back(word);
  Must(WriteFileAtomically(Fs::Real(), store_.paths_.locators(diff_id.hex()), LocatorTable::Encode(diff_id, words)));
  store_.layers_.emplace(diff_id, StoredLayer{slot, words.size(), Must(MappedFile::Open(Fs::Real(), path))});
  return diff_id;
}

ChainId TinyStore::AddImage(const std::vector<Digest>& layers) {
  std::vector<LayerIndex> indexes;
  ImageSlots slots{.slot = next_slot_++, .layers = {}};
  for (const Digest& layer : layers) {
    indexes.push_back(Must(LayerIndex::Open(layers_.at(layer).index.bytes(), layer, IndexCheck::kFull)));
    slots.layers.push_back({layer, layers_.at(layer).slot});
  }
  const ChainId chain_id = ChainIdOf(layers);
  const auto file = Must(Fs::Real().Open(paths_.image_index(chain_id.hex()), OpenMode::kCreateTruncate));
  Must(MergeLayers(indexes, *file));
  images_.emplace(chain_id, slots);
  return chain_id;
}

LocatorTable TinyStore::LocatorsOf(const Digest& diff_id) const {
  return Must(LocatorTable::Open(Fs::Real(), paths_.locators(diff_id.hex()), diff_id, layers_.at(diff_id).chunks,
                                 LocatorTable::Access::kReadWrite));
}

void TinyStore::DamageFrame(const Locator& at) {
  const auto file = Must(Fs::Real().Open(paths_.packs() + "/" + PackId{at.pack}.FileName(), OpenMode::kReadWrite));
  std::byte byte;
  const std::uint64_t offset = at.offset_bytes + kFrameHeaderBytes + 5;
  VARVE_CHECK(Must(file->ReadAt(offset, {&byte, 1})) == 1);
  byte ^= std::byte{1};
  Must(file->WriteAt(offset, {&byte, 1}));
}

void TinyStore::SetOnResolve(OnResolve on_resolve) {
  MutexLock lock(mutex_);
  on_resolve_ = std::move(on_resolve);
}

Result<ImageSlots> TinyStore::Describe(const ChainId& chain_id) {
  const auto found = images_.find(chain_id);
  if (found == images_.end()) return Error(Code::kNotFound, "no such image");
  return found->second;
}

Result<std::uint64_t> TinyStore::Resolve(const Digest& /*diff_id*/, std::uint32_t ordinal,
                                         const std::string& /*image*/) {
  ++resolve_calls_;
  OnResolve on_resolve;
  {
    MutexLock lock(mutex_);
    on_resolve = on_resolve_;
  }
  if (on_resolve) return on_resolve(ordinal);
  return Error(Code::kDataLoss, "the chunk is damaged");
}

}  // namespace varve
