#include "cached/store/verify.h"

#include <fmt/core.h>

#include <algorithm>
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

class Verification {
 public:
  Verification(Store& store, const std::function<Status(const VerifyProgress&)>& progress)
      : store_(store), report_(progress) {}

  Result<std::vector<Damage>> Run() {
    VARVE_ASSIGN_OR_RETURN(const auto durable, DurablePacks(store_.database()));
    for (const auto& [pack, bytes] : durable) progress_.total_bytes += bytes;
    for (const auto& [pack, bytes] : durable) VARVE_RETURN_IF_ERROR(CheckPack(pack, bytes));
    VARVE_RETURN_IF_ERROR(CheckPlacements());
    VARVE_RETURN_IF_ERROR(CheckRecords());
    VARVE_RETURN_IF_ERROR(NameOwners());
    std::vector<Damage> found;
    for (auto& [where, damage] : damage_) found.push_back(std::move(damage));
    return found;
  }

 private:
  Damage& At(PackId pack, std::uint64_t offset, std::string_view reason) {
    const auto [found, fresh] = damage_.try_emplace({pack, offset}, Damage{pack, offset, std::string(reason), {}, {}});
    return found->second;
  }

  Status CheckPack(PackId pack, std::uint64_t durable_bytes);
  Status CheckFrame(const PackReader& reader, std::uint64_t offset, const FrameHeader& header);
  Status CheckPlacements();
  Status CheckRecords();
  void CheckParts(const store::Parts& parts, const std::string& owner);
  Status NameOwners();
  Result<std::unordered_map<Digest, std::string>> ImagesOfLayers();

  Store& store_;
  const std::function<Status(const VerifyProgress&)>& report_;
  VerifyProgress progress_;
  std::map<std::pair<PackId, std::uint64_t>, Damage> damage_;
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
    At(reader.id(), offset, "the bytes behind the frame are not zeros");
  }
  sound_[reader.id()].insert(static_cast<std::uint32_t>(offset));
  return Ok();
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

void Verification::CheckParts(const store::Parts& parts, const std::string& owner) {
  const auto sound = [&](const store::Placement& placement) {
    return gone_.contains(PackId{placement.pack()}) ||
           sound_[PackId{placement.pack()}].contains(placement.offset_bytes());
  };
  if (std::all_of(parts.parts().begin(), parts.parts().end(), sound) || store_.ReadParts(parts).ok()) return;
  for (const store::Placement& placement : parts.parts()) {
    if (sound(placement)) continue;
    At(PackId{placement.pack()}, placement.offset_bytes(), "a record of the index is not there")
        .belongs_to.push_back(owner);
  }
}

Status Verification::CheckRecords() {
  const auto check = [&]<class Record>(Column column, const std::string& what, const auto& visit) -> Status {
    return store_.database().Scan(column, [&](std::string_view key, std::string_view value) -> Status {
      Record record;
      if (!record.ParseFromArray(value.data(), static_cast<int>(value.size())))
        return Error(Code::kDataLoss, "a record does not parse");
      visit(record, what + " sha256:" + ToHex(AsBytes(key)));
      return Ok();
    });
  };
  VARVE_RETURN_IF_ERROR(
      check.operator()<store::Layer>(Column::kLayer, "layer", [&](const store::Layer& layer, const std::string& name) {
        CheckParts(layer.index(), "index of " + name);
        CheckParts(layer.recipe(), "tar recipe of " + name);
      }));
  VARVE_RETURN_IF_ERROR(
      check.operator()<store::Image>(Column::kImage, "chain", [&](const store::Image& image, const std::string& name) {
        CheckParts(image.index(), "image index of " + name);
      }));
  return check.operator()<store::Manifest>(Column::kManifest, "manifest",
                                           [&](const store::Manifest& manifest, const std::string& name) {
                                             CheckParts(manifest.manifest(), name);
                                             CheckParts(manifest.config(), "config of " + name);
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

// Which layers and images the damaged chunks are part of.
Status Verification::NameOwners() {
  std::unordered_map<Digest, Damage*> damaged;
  for (auto& [where, damage] : damage_) {
    for (const Digest& chunk : damage.chunks) damaged.emplace(chunk, &damage);
  }
  if (damaged.empty()) return Ok();
  VARVE_ASSIGN_OR_RETURN(const auto images, ImagesOfLayers());
  for (const auto& [diff_id, image] : images) {
    const auto layer = store_.index_files().OpenLayer(diff_id);
    if (!layer.ok()) continue;  // CheckRecords has named it
    const std::string owner = fmt::format("layer {} ({})", diff_id.ToString(), image);
    for (const fb::Chunk& chunk : layer->index.chunks()) {
      const auto found = damaged.find(DigestOf(chunk.sha256()));
      if (found == damaged.end()) continue;
      auto& owners = found->second->belongs_to;
      if (std::find(owners.begin(), owners.end(), owner) == owners.end()) owners.push_back(owner);
    }
  }
  return Ok();
}

}  // namespace

std::string Damage::ToString() const {
  std::string text = fmt::format("pack {:06} at {}: {}", pack.number, offset_bytes, reason);
  if (!chunks.empty())
    text += fmt::format("; {} chunk{} lost, first {}", chunks.size(), chunks.size() == 1 ? "" : "s",
                        chunks.front().ToString());
  if (chunks.empty() && belongs_to.empty()) text += "; nothing refers to it";
  for (std::size_t i = 0; i < std::min(belongs_to.size(), kOwnersNamed); ++i)
    text += (i == 0 ? "; part of " : ", ") + belongs_to[i];
  if (belongs_to.size() > kOwnersNamed) text += fmt::format(" and {} more", belongs_to.size() - kOwnersNamed);
  return text;
}

Result<std::vector<Damage>> VerifyStore(Store& store, const std::function<Status(const VerifyProgress&)>& progress) {
  return Verification(store, progress).Run();
}

}  // namespace varve
