#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "cached/content/sha256.h"
#include "cached/store/images.h"
#include "cached/store/usage.h"

namespace varve {
namespace {

// Counts each distinct layer, file, piece and chunk of some images once.
class Comparison {
 public:
  explicit Comparison(Store& store) : store_(store) {}

  Status AddImage(const Digest& manifest_digest) {
    LeaseTable::Session session(store_.leases());
    VARVE_ASSIGN_OR_RETURN(const auto manifest, FindLeased(store_, manifest_digest, Leased::kLayers, session));
    if (!manifest) return Error(Code::kNotFound, "image " + manifest_digest.ToString() + ": is not stored");
    VARVE_ASSIGN_OR_RETURN(const std::vector<Digest> diff_ids, DiffIdsOf(*manifest));
    for (const Digest& diff_id : diff_ids) {
      VARVE_ASSIGN_OR_RETURN(const MappedLayer layer, store_.index_files().OpenLayer(diff_id));
      report_.raw_bytes += layer.index.tar_bytes();
      if (!layers_.insert(diff_id).second) continue;
      report_.layer_bytes += layer.index.tar_bytes();
      VARVE_RETURN_IF_ERROR(AddLayer(layer.index));
    }
    return Ok();
  }

  DedupReport Finish() {
    for (const auto& [limit, count] : histogram_) report_.chunk_sizes.emplace_back(limit, count);
    return std::move(report_);
  }

 private:
  Status AddLayer(const LayerIndex& layer) {
    for (const fb::Chunk& chunk : layer.chunks()) VARVE_RETURN_IF_ERROR(AddChunk(chunk));
    for (const fb::Inode& inode : layer.inodes()) {
      if ((inode.mode() & S_IFMT) == S_IFREG && inode.size() > 0) VARVE_RETURN_IF_ERROR(AddFile(layer, inode));
    }
    return Ok();
  }

  Status AddChunk(const fb::Chunk& chunk) {
    const Digest digest = DigestOf(chunk.sha256());
    if (!chunks_.insert(digest).second) return Ok();
    report_.fastcdc_bytes += chunk.raw_length();
    ++histogram_[std::bit_ceil(chunk.raw_length())];
    VARVE_ASSIGN_OR_RETURN(const auto placement,
                           GetRecord<store::Placement>(store_.database(), Column::kChunk, KeyOf(digest)));
    if (placement && frames_[placement->pack()].insert(placement->offset_bytes()).second)
      report_.stored_bytes += placement->frame_bytes();
    return Ok();
  }

  // A file is known by its chunks' digests: equal lists are equal contents.
  Status AddFile(const LayerIndex& layer, const fb::Inode& file) {
    std::vector<Digest> digests;
    digests.reserve(layer.extent_count(file));
    for (std::size_t i = 0; i < layer.extent_count(file); ++i) {
      digests.push_back(DigestOf(layer.chunks()[layer.extent(file, i).chunk()].sha256()));
    }
    Sha256 identity;
    for (const Digest& digest : digests) identity.Update(digest.span());
    if (!files_.insert(identity.Finish()).second) return Ok();
    return AddPieces(digests);
  }

  Status AddPieces(std::span<const Digest> digests) {
    Bytes content;
    for (const Digest& digest : digests) {
      VARVE_ASSIGN_OR_RETURN(const Bytes chunk, store_.ReadChunk(digest));
      report_.file_bytes += chunk.size();
      content.insert(content.end(), chunk.begin(), chunk.end());
      const std::size_t whole = content.size() / report_.fixed_piece_bytes * report_.fixed_piece_bytes;
      for (std::size_t at = 0; at < whole; at += report_.fixed_piece_bytes)
        AddPiece(ByteSpan(content).subspan(at, report_.fixed_piece_bytes));
      content.erase(content.begin(), content.begin() + static_cast<std::ptrdiff_t>(whole));
    }
    if (!content.empty()) AddPiece(content);
    return Ok();
  }

  void AddPiece(ByteSpan piece) {
    if (pieces_.insert(Sha256Of(piece)).second) report_.fixed_bytes += piece.size();
  }

  Store& store_;
  DedupReport report_;
  std::unordered_set<Digest> layers_;
  std::unordered_set<Digest> files_;
  std::unordered_set<Digest> pieces_;
  std::unordered_set<Digest> chunks_;
  std::map<std::uint32_t, std::uint64_t> histogram_;
  std::unordered_map<std::uint32_t, std::unordered_set<std::uint32_t>> frames_;
};

}  // namespace

Result<DedupReport> CompareDedup(Store& store, std::span<const Digest> manifests) {
  Comparison comparison(store);
  for (const Digest& manifest : manifests) VARVE_RETURN_IF_ERROR(comparison.AddImage(manifest));
  return comparison.Finish();
}

}  // namespace varve
