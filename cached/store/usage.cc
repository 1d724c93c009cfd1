#include "cached/store/usage.h"

#include <ftw.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "cached/store/images.h"

namespace varve {
namespace {

struct ImageRecord {
  Digest manifest;
  std::vector<std::string> names;
  std::vector<Digest> diff_ids;
};

// All images with their names, as of one moment, their layers leased by `session`.
Result<std::vector<ImageRecord>> ReadImages(Store& store, LeaseTable::Session& session) {
  std::map<std::string, std::vector<std::string>> names;
  std::vector<Digest> manifests;
  {
    const MutexLock names_lock(store.names_mutex());
    VARVE_ASSIGN_OR_RETURN(names, NamesByManifest(store));
    VARVE_RETURN_IF_ERROR(
        store.database().Scan(Column::kManifest, [&](std::string_view key, std::string_view) -> Status {
          VARVE_ASSIGN_OR_RETURN(manifests.emplace_back(), Digest::FromBytes(AsBytes(key)));
          return Ok();
        }));
  }
  std::vector<ImageRecord> images;
  for (const Digest& manifest : manifests) {
    VARVE_ASSIGN_OR_RETURN(const auto record, FindLeased(store, manifest, Leased::kLayers, session));
    if (!record) continue;
    VARVE_ASSIGN_OR_RETURN(std::vector<Digest> diff_ids, DiffIdsOf(*record));
    images.push_back({manifest, names[std::string(KeyOf(manifest))], std::move(diff_ids)});
  }
  return images;
}

// Splits the stored bytes of all chunks into what one image has alone and what it shares.
class Sharing {
 public:
  explicit Sharing(Store& store) : store_(store) {}

  Status Fill(std::span<const ImageRecord> records, std::vector<StoreUsage::Image>& images) {
    for (std::size_t i = 0; i < records.size(); ++i)
      VARVE_RETURN_IF_ERROR(CountOwners(records[i], static_cast<std::int32_t>(i)));
    VARVE_RETURN_IF_ERROR(SumFrames());
    return store_.database().Scan(Column::kChunk, [&](std::string_view key, std::string_view value) -> Status {
      const auto found = owners_.find(*Digest::FromBytes(AsBytes(key)));
      store::Placement placement;
      if (found == owners_.end() || !placement.ParseFromArray(value.data(), static_cast<int>(value.size())))
        return Ok();
      const std::uint64_t frame_raw = frame_raw_bytes_[{placement.pack(), placement.offset_bytes()}];
      const std::uint64_t stored =
          std::uint64_t{placement.frame_bytes()} * placement.raw_bytes() / std::max<std::uint64_t>(frame_raw, 1);
      if (found->second.size() == 1) {
        images[found->second.front()].exclusive_bytes += stored;
      } else {
        for (const std::uint32_t image : found->second) images[image].shared_bytes += stored;
      }
      return Ok();
    });
  }

 private:
  Status CountOwners(const ImageRecord& record, std::int32_t image) {
    for (const Digest& diff_id : record.diff_ids) {
      VARVE_ASSIGN_OR_RETURN(const MappedLayer layer, store_.index_files().OpenLayer(diff_id));
      for (const fb::Chunk& chunk : layer.index.chunks()) {
        auto& owners = owners_[DigestOf(chunk.sha256())];
        const auto number = static_cast<std::uint32_t>(image);
        if (owners.empty() || owners.back() != number) owners.push_back(number);
      }
    }
    return Ok();
  }

  // A group's bytes are shared out by the raw length of its members.
  Status SumFrames() {
    return store_.database().Scan(Column::kChunk, [&](std::string_view, std::string_view value) -> Status {
      store::Placement placement;
      if (placement.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
        frame_raw_bytes_[{placement.pack(), placement.offset_bytes()}] += placement.raw_bytes();
      }
      return Ok();
    });
  }

  Store& store_;
  std::unordered_map<Digest, std::vector<std::uint32_t>> owners_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> frame_raw_bytes_;
};

}  // namespace

Result<std::uint64_t> DiskBytes(const std::string& directory) {
  thread_local std::uint64_t blocks;
  blocks = 0;
  // What went away meanwhile has no status (FTW_NS), and *info is not set.
  const auto add = [](const char*, const struct stat* info, int kind, struct FTW*) {
    if (kind != FTW_NS) blocks += static_cast<std::uint64_t>(info->st_blocks);
    return 0;
  };
  // NOLINTNEXTLINE(concurrency-mt-unsafe): only FTW_CHDIR is unsafe
  if (::nftw(directory.c_str(), add, 32, FTW_PHYS | FTW_MOUNT) != 0) return ErrnoError(errno, directory);
  return blocks * 512;
}

Result<StoreUsage> UsageOf(Store& store, UsageDetail detail) {
  StoreUsage usage;
  LeaseTable::Session session(store.leases());
  VARVE_ASSIGN_OR_RETURN(const std::vector<ImageRecord> records, ReadImages(store, session));
  std::unordered_map<Digest, std::uint64_t> tar_bytes;
  VARVE_RETURN_IF_ERROR(
      store.database().Scan(Column::kLayer, [&](std::string_view key, std::string_view value) -> Status {
        store::Layer layer;
        if (!layer.ParseFromArray(value.data(), static_cast<int>(value.size())))
          return Error(Code::kDataLoss, "a layer record does not parse; run: varve store rebuild-index");
        VARVE_ASSIGN_OR_RETURN(const Digest diff_id, Digest::FromBytes(AsBytes(key)));
        tar_bytes[diff_id] = layer.tar_bytes();
        usage.layer_bytes += layer.tar_bytes();
        ++usage.layers;
        return Ok();
      }));
  VARVE_RETURN_IF_ERROR(store.database().Scan(Column::kChunk, [&](std::string_view, std::string_view) -> Status {
    ++usage.chunks;
    return Ok();
  }));
  VARVE_RETURN_IF_ERROR(
      store.database().Scan(Column::kOriginal, [&](std::string_view, std::string_view value) -> Status {
        store::Original original;
        if (!original.ParseFromArray(value.data(), static_cast<int>(value.size())))
          return Error(Code::kDataLoss, "a blob's record does not parse; run: varve store rebuild-index");
        ++usage.originals;
        usage.original_bytes += original.size_bytes();
        return Ok();
      }));
  for (const ImageRecord& record : records) {
    StoreUsage::Image image{record.manifest, record.names, 0, 0, 0};
    for (const Digest& diff_id : record.diff_ids) image.raw_bytes += tar_bytes[diff_id];
    usage.raw_bytes += image.raw_bytes;
    usage.images.push_back(std::move(image));
  }
  if (detail == UsageDetail::kPerImage) VARVE_RETURN_IF_ERROR(Sharing(store).Fill(records, usage.images));
  VARVE_ASSIGN_OR_RETURN(usage.stored_bytes, DiskBytes(store.paths().root));
  return usage;
}

}  // namespace varve
