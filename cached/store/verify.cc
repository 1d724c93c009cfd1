#include "cached/store/verify.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "cached/content/sha256.h"
#include "cached/pack/pack_reader.h"

namespace varve {
namespace {

// How many owners one line of damage names.
constexpr std::size_t kOwnersNamed = 4;
constexpr std::size_t kOriginalReadBytes = 1 << 20;
// Chunks of a layer whose placements are looked up together.
constexpr std::size_t kChunksPerLookUp = 1024;

class Verification {
 public:
  Verification(Store& store, const std::function<Status(const VerifyProgress&)>& progress)
      : store_(store), report_(progress) {}

  Result<std::vector<Damage>> Run() {
    VARVE_ASSIGN_OR_RETURN(const auto durable, DurablePacks(store_.database()));
    for (const auto& [pack, bytes] : durable) progress_.total_bytes += bytes;
    VARVE_RETURN_IF_ERROR(EachOriginal([&](const Digest&, const store::Original& original) {
      progress_.total_bytes += original.size_bytes();
      return Ok();
    }));
    for (const auto& [pack, bytes] : durable) VARVE_RETURN_IF_ERROR(CheckPack(pack, bytes));
    VARVE_RETURN_IF_ERROR(EachOriginal([&](const Digest& blob, const store::Original& original) {
      return CheckOriginal(blob, original.size_bytes());
    }));
    VARVE_RETURN_IF_ERROR(report_(progress_));
    VARVE_RETURN_IF_ERROR(CheckPlacements());
    VARVE_RETURN_IF_ERROR(CheckRecords());
    VARVE_RETURN_IF_ERROR(CheckLayers());
    std::vector<Damage> found;
    found.reserve(damage_.size() + files_.size());
    for (auto& [where, damage] : damage_) found.push_back(std::move(damage));
    std::move(files_.begin(), files_.end(), std::back_inserter(found));
    return found;
  }

 private:
  Damage& At(PackId pack, std::uint64_t offset, std::string_view reason) {
    const auto [found, fresh] = damage_.try_emplace({pack, offset});
    if (fresh) found->second = {pack, offset, std::string(reason), {}, {}, {}, {}};
    return found->second;
  }
  void AtFile(const std::string& path, std::string_view reason, const Damage::Lost& lost) {
    files_.push_back({PackId{}, 0, fmt::format("{}: {}", path, reason), {}, {}, {lost}, {lost.ToString()}});
  }

  Status CheckPack(PackId pack, std::uint64_t durable_bytes);
  Status CheckFrame(const PackReader& reader, std::uint64_t offset, const FrameHeader& header);
  template <class Visit>
  Status EachOriginal(const Visit& visit) const;
  Status CheckOriginal(const Digest& blob, std::uint64_t size_bytes);
  Result<std::string> TroubleOf(const Digest& blob, std::uint64_t size_bytes);
  Status CheckPlacements();
  Status CheckRecords();
  void CheckParts(const store::Parts& parts, const Damage::Lost& lost);
  void CheckCopy(const std::string& path, const store::Parts& parts, const Damage::Lost& lost);
  Status CheckLayers();
  Status CheckLayer(const Digest& diff_id, const LayerIndex& index, const std::string& owner,
                    const std::unordered_map<Digest, Damage*>& damaged);
  Status CheckLocators(const LayerIndex& index);
  Result<bool> LeadsAstray(const LocatorTable& table, std::uint32_t ordinal, const Digest& chunk);
  Result<std::unordered_map<Digest, std::string>> ImagesOfLayers();

  Store& store_;
  const std::function<Status(const VerifyProgress&)>& report_;
  VerifyProgress progress_;
  std::map<std::pair<PackId, std::uint64_t>, Damage> damage_;
  std::vector<Damage> files_;
  std::map<PackId, std::set<std::uint32_t>> sound_;  // offsets of frames
  std::set<PackId> gone_;                            // dropped by the collector while this ran
};

Status Verification::CheckPack(PackId pack, std::uint64_t durable_bytes) {
  const auto reader = PackReader::Open(store_.fs(), store_.paths().packs(), pack);
  if (!reader.ok()) {
    VARVE_ASSIGN_OR_RETURN(const auto now, DurablePacks(store_.database()));
    if (!now.contains(pack)) {
      gone_.insert(pack);
      return Ok();
    }
    At(pack, 0, reader.error().message());
    return Ok();
  }
  return reader->Scan(
      durable_bytes,
      [&](std::uint64_t offset, const FrameHeader& header) { return CheckFrame(*reader, offset, header); },
      [&](std::uint64_t from, std::uint64_t to) { At(pack, from, fmt::format("{} bytes are no frame", to - from)); });
}

Status Verification::CheckFrame(const PackReader& reader, std::uint64_t offset, const FrameHeader& header) {
  progress_.done_bytes += header.FrameBytes();
  ++progress_.frames;
  if (progress_.frames % 1024 == 0) VARVE_RETURN_IF_ERROR(report_(progress_));
  VARVE_ASSIGN_OR_RETURN(const PackReader::Frame frame, reader.ReadFrame(offset, header.FrameBytes()));
  const auto payload = VerifyFrame(frame.header, frame.bytes);
  if (!payload.ok()) {
    At(reader.id(), offset, payload.error().message());
    return Ok();
  }
  const ByteSpan padding = ByteSpan(frame.bytes).subspan(header.PayloadOffset() + header.stored_length);
  if (std::any_of(padding.begin(), padding.end(), [](std::byte byte) { return byte != std::byte{0}; })) {
    At(reader.id(), offset, "the bytes behind the frame are not zeros").harmless = true;
  }
  sound_[reader.id()].insert(static_cast<std::uint32_t>(offset));
  return Ok();
}

template <class Visit>
Status Verification::EachOriginal(const Visit& visit) const {
  return store_.database().Scan(Column::kOriginal, [&](std::string_view key, std::string_view value) -> Status {
    store::Original original;
    if (!original.ParseFromArray(value.data(), static_cast<int>(value.size())))
      return Error(Code::kDataLoss, "a blob's record does not parse");
    VARVE_ASSIGN_OR_RETURN(const Digest blob, Digest::FromBytes(AsBytes(key)));
    return visit(blob, original);
  });
}

Status Verification::CheckOriginal(const Digest& blob, std::uint64_t size_bytes) {
  VARVE_ASSIGN_OR_RETURN(const std::string trouble, TroubleOf(blob, size_bytes));
  if (trouble.empty()) return Ok();
  VARVE_ASSIGN_OR_RETURN(const auto now, store_.database().Get(Column::kOriginal, KeyOf(blob)));
  if (now) AtFile(store_.paths().blobs() + "/" + blob.hex(), trouble, {Damage::Object::kOriginal, blob});
  return Ok();  // else the collector took it meanwhile
}

// What is wrong with the file of a blob; empty: nothing.
Result<std::string> Verification::TroubleOf(const Digest& blob, std::uint64_t size_bytes) {
  const auto file = store_.fs().Open(store_.paths().blobs() + "/" + blob.hex(), OpenMode::kRead);
  if (!file.ok()) return file.error().code() == Code::kNotFound ? "is missing" : file.error().message();
  Sha256 sha256;
  Bytes buffer(kOriginalReadBytes);
  std::uint64_t done = 0;
  for (std::size_t read = buffer.size(); read == buffer.size(); done += read) {
    const auto piece = (*file)->ReadAt(done, buffer);
    if (!piece.ok()) return piece.error().message();
    read = *piece;
    sha256.Update(ByteSpan(buffer).first(read));
    progress_.done_bytes += read;
    VARVE_RETURN_IF_ERROR(report_(progress_));
  }
  if (done != size_bytes) return fmt::format("has {} bytes, not {}", done, size_bytes);
  return std::string(sha256.Finish() == blob ? "" : "has another digest");
}

Status Verification::CheckPlacements() {
  return store_.database().Scan(Column::kChunk, [&](std::string_view key, std::string_view value) -> Status {
    store::Placement placement;
    if (!placement.ParseFromArray(value.data(), static_cast<int>(value.size())))
      return Error(Code::kDataLoss, "a placement does not parse");
    const PackId pack{placement.pack()};
    if (gone_.contains(pack) || sound_[pack].contains(placement.offset_bytes())) return Ok();
    VARVE_ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(AsBytes(key)));
    // Written since the packs were listed?
    if (store_.ReadChunk(digest).ok()) return Ok();
    At(pack, placement.offset_bytes(), "a chunk of the index is not there").chunks.push_back(digest);
    return Ok();
  });
}

void Verification::CheckParts(const store::Parts& parts, const Damage::Lost& lost) {
  const auto sound = [&](const store::Placement& placement) {
    return gone_.contains(PackId{placement.pack()}) ||
           sound_[PackId{placement.pack()}].contains(placement.offset_bytes());
  };
  if (std::all_of(parts.parts().begin(), parts.parts().end(), sound) || store_.ReadParts(parts).ok()) return;
  for (const store::Placement& placement : parts.parts()) {
    if (sound(placement)) continue;
    Damage& damage = At(PackId{placement.pack()}, placement.offset_bytes(), "a record of the index is not there");
    damage.lost.push_back(lost);
    damage.belongs_to.push_back(lost.ToString());
  }
}

// The file at `path`, if it is there, has to be what the packs hold, if they still do.
void Verification::CheckCopy(const std::string& path, const store::Parts& parts, const Damage::Lost& lost) {
  const auto kept = store_.ReadParts(parts);
  const auto file = ReadWholeFile(store_.fs(), path, kIndexBytesMax);
  if (!kept.ok() || (!file.ok() && file.error().code() == Code::kNotFound) || (file.ok() && *file == *kept)) return;
  AtFile(path, file.ok() ? "is not what the packs hold" : file.error().message(), lost);
}

Status Verification::CheckRecords() {
  const auto check = [&]<class Record>(Column column, const auto& visit) -> Status {
    return store_.database().Scan(column, [&](std::string_view key, std::string_view value) -> Status {
      Record record;
      if (!record.ParseFromArray(value.data(), static_cast<int>(value.size())))
        return Error(Code::kDataLoss, "a record does not parse");
      VARVE_ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(AsBytes(key)));
      return visit(record, digest);
    });
  };
  using Object = Damage::Object;
  VARVE_RETURN_IF_ERROR(
      check.operator()<store::Layer>(Column::kLayer, [&](const store::Layer& layer, const Digest& diff_id) -> Status {
        CheckParts(layer.index(), {Object::kLayerIndex, diff_id});
        CheckParts(layer.recipe(), {Object::kTarRecipe, diff_id});
        CheckCopy(store_.paths().layer_index(diff_id.hex()), layer.index(), {Object::kLayerFile, diff_id});
        return Ok();
      }));
  VARVE_RETURN_IF_ERROR(
      check.operator()<store::Image>(Column::kImage, [&](const store::Image& image, const Digest& chain_id) -> Status {
        CheckParts(image.index(), {Object::kImageIndex, chain_id});
        CheckCopy(store_.paths().image_index(chain_id.hex()), image.index(), {Object::kImageFile, chain_id});
        return Ok();
      }));
  return check.operator()<store::Manifest>(Column::kManifest,
                                           [&](const store::Manifest& manifest, const Digest& digest) -> Status {
                                             CheckParts(manifest.manifest(), {Object::kManifest, digest});
                                             CheckParts(manifest.config(), {Object::kConfig, digest});
                                             return Ok();
                                           });
}

Result<std::unordered_map<Digest, std::string>> Verification::ImagesOfLayers() {
  std::unordered_map<std::string, std::string> names;
  VARVE_RETURN_IF_ERROR(
      store_.database().Scan(Column::kRef, [&](std::string_view key, std::string_view value) -> Status {
        store::Ref ref;
        if (ref.ParseFromArray(value.data(), static_cast<int>(value.size()))) names.emplace(ref.manifest_digest(), key);
        return Ok();
      }));
  std::unordered_map<Digest, std::string> images;
  VARVE_RETURN_IF_ERROR(
      store_.database().Scan(Column::kManifest, [&](std::string_view key, std::string_view value) -> Status {
        store::Manifest manifest;
        if (!manifest.ParseFromArray(value.data(), static_cast<int>(value.size()))) return Ok();
        const auto named = names.find(std::string(key));
        for (const std::string& diff_id : manifest.diff_ids()) {
          VARVE_ASSIGN_OR_RETURN(const Digest layer, Digest::FromBytes(AsBytes(diff_id)));
          images.emplace(layer, named != names.end() ? named->second : "sha256:" + ToHex(AsBytes(key)));
        }
        return Ok();
      }));
  return images;
}

// Each chunk of each layer has a place, and the layer's locator words lead there. Names what damaged chunks belong to.
Status Verification::CheckLayers() {
  std::unordered_map<Digest, Damage*> damaged;
  for (auto& [where, damage] : damage_) {
    for (const Digest& chunk : damage.chunks) damaged.emplace(chunk, &damage);
  }
  VARVE_ASSIGN_OR_RETURN(const auto images, ImagesOfLayers());
  return store_.database().Scan(Column::kLayer, [&](std::string_view key, std::string_view) -> Status {
    VARVE_ASSIGN_OR_RETURN(const Digest diff_id, Digest::FromBytes(AsBytes(key)));
    const auto layer = store_.index_files().OpenLayer(diff_id);
    if (!layer.ok()) return Ok();  // CheckRecords has named it
    const auto image = images.find(diff_id);
    const std::string owner = image == images.end() ? fmt::format("layer {}", diff_id.ToString())
                                                    : fmt::format("layer {} ({})", diff_id.ToString(), image->second);
    VARVE_RETURN_IF_ERROR(CheckLayer(diff_id, layer->index, owner, damaged));
    return CheckLocators(layer->index);
  });
}

Status Verification::CheckLayer(const Digest& diff_id, const LayerIndex& index, const std::string& owner,
                                const std::unordered_map<Digest, Damage*>& damaged) {
  const auto chunks = index.chunks();
  const auto belongs = [&](Damage& damage) {
    if (!damage.layers.empty() && damage.layers.back() == diff_id) return;
    damage.layers.push_back(diff_id);
    damage.belongs_to.push_back(owner);
  };
  for (std::size_t first = 0; first < chunks.size(); first += kChunksPerLookUp) {
    std::vector<Digest> digests;
    std::vector<std::string_view> keys;
    const auto batch = chunks.subspan(first, std::min(kChunksPerLookUp, chunks.size() - first));
    digests.reserve(batch.size());
    keys.reserve(batch.size());
    for (const fb::Chunk& chunk : batch) keys.push_back(KeyOf(digests.emplace_back(DigestOf(chunk.sha256()))));
    VARVE_ASSIGN_OR_RETURN(const auto places, store_.database().MultiGet(Column::kChunk, keys));
    for (std::size_t i = 0; i < digests.size(); ++i) {
      const auto found = damaged.find(digests[i]);
      if (found != damaged.end()) belongs(*found->second);
      if (places[i]) continue;
      VARVE_ASSIGN_OR_RETURN(const auto record, store_.FindLayer(diff_id));
      if (!record) return Ok();  // the collector took both meanwhile
      Damage& damage = At(PackId{}, 0, "a chunk is not in the index");
      if (std::find(damage.chunks.begin(), damage.chunks.end(), digests[i]) == damage.chunks.end())
        damage.chunks.push_back(digests[i]);
      belongs(damage);
    }
  }
  return Ok();
}

Status Verification::CheckLocators(const LayerIndex& index) {
  const Digest diff_id = index.diff_id();
  const std::string path = store_.paths().locators(diff_id.hex());
  const auto chunks = index.chunks();
  const auto table = LocatorTable::Open(store_.fs(), path, diff_id, chunks.size(), LocatorTable::Access::kReadOnly);
  if (!table.ok()) {
    if (table.error().code() != Code::kNotFound)
      AtFile(path, "is not the layer's locator table", {Damage::Object::kLocators, diff_id});
    return Ok();
  }
  std::size_t astray = 0;
  for (std::uint32_t ordinal = 0; ordinal < table->size(); ++ordinal) {
    VARVE_ASSIGN_OR_RETURN(const bool wrong, LeadsAstray(*table, ordinal, DigestOf(chunks[ordinal].sha256())));
    astray += wrong ? 1 : 0;
  }
  if (astray > 0) AtFile(path, fmt::format("words that lead astray: {}", astray), {Damage::Object::kLocators, diff_id});
  return Ok();
}

// A word may name another copy than the placement does: two streams may have written the chunk. It may be absent. What
// moves while this looks is looked at once more.
Result<bool> Verification::LeadsAstray(const LocatorTable& table, std::uint32_t ordinal, const Digest& chunk) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    const Locator word = table.Get(ordinal);
    if (word.pack == 0) return false;
    VARVE_ASSIGN_OR_RETURN(const auto placement,
                           GetRecord<store::Placement>(store_.database(), Column::kChunk, KeyOf(chunk)));
    if (!placement || ToLocator(LocationOf(*placement)) == word) return false;
    if (store_.ReadChunkAt(chunk, {PackId{word.pack}, word.offset_bytes, word.length_bytes}).ok()) return false;
  }
  return true;
}

}  // namespace

std::string Damage::Lost::ToString() const {
  constexpr std::array kNames = {"index of layer",
                                 "tar recipe of layer",
                                 "image index of chain",
                                 "manifest",
                                 "config of manifest",
                                 "layer",
                                 "chain",
                                 "layer",
                                 "blob"};
  return fmt::format("{} {}", kNames.at(static_cast<std::size_t>(object)), of.ToString());
}

std::string Damage::ToString() const {
  std::string text = pack.number == 0 ? reason : fmt::format("pack {:06} at {}: {}", pack.number, offset_bytes, reason);
  if (!chunks.empty())
    text += fmt::format("; {} chunk{} lost, first {}", chunks.size(), chunks.size() == 1 ? "" : "s",
                        chunks.front().ToString());
  if (chunks.empty() && belongs_to.empty()) text += harmless ? "; the frame itself is sound" : "; nothing refers to it";
  for (std::size_t i = 0; i < std::min(belongs_to.size(), kOwnersNamed); ++i)
    text += (i == 0 ? "; part of " : ", ") + belongs_to[i];
  if (belongs_to.size() > kOwnersNamed) text += fmt::format(" and {} more", belongs_to.size() - kOwnersNamed);
  return text;
}

Result<std::vector<Damage>> VerifyStore(Store& store, const std::function<Status(const VerifyProgress&)>& progress) {
  VARVE_ASSIGN_OR_RETURN(std::vector<Damage> found, Verification(store, progress).Run());
  for (const Damage& damage : found) {
    store.leases().AddDamaged(damage.chunks);
    store.leases().AddDamaged(damage.layers);
    for (const Damage::Lost& lost : damage.lost) {
      using enum Damage::Object;
      const bool rewritten = lost.object == kLayerIndex || lost.object == kTarRecipe || lost.object == kImageIndex;
      if (rewritten) store.leases().AddDamaged(std::span(&lost.of, 1));
      const Digest original = LeaseOfOriginal(lost.of);
      if (lost.object == kOriginal) store.leases().AddDamaged(std::span(&original, 1));
    }
  }
  return found;
}

}  // namespace varve
