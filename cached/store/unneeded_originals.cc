// What of a registry nothing needs any more.
//
//   manifest (kept until it is deleted) ──names──> link (blob in a repository) ──needs──> original (record and file)
//        └──────────────────────────────needs────────────────────────────────────────────────^
//
// A link stays while a manifest of its repository names the blob. A push links blobs first and names them last, so one
// that no manifest has named yet stays for CollectOptions::push_grace: from linking, or from the last time that a
// pusher was told it is there (push_leases.h). One that was named, and by none that is left, goes at once, unless a
// pusher was told of it. An original stays while a link or a manifest needs it. With Originals::kDropFetchable links go
// too that can be fetched again, if the blob is a layer that is here and no other link holds its original.
//
// Nobody is stopped. All scans come after LeaseTable::BeginCollection, so for whatever they see as unneeded:
//   - who is at that blob already, or comes before it is condemned (a push, a mount, a manifest that names it, a pusher
//     who asks for it), has leased it: it is not condemned, and stays for this time;
//   - who comes later waits until the erasure is committed and the file removed, and finds that it is gone. So nobody
//     can link or publish it in between, and no record is erased, nor file removed, that somebody has written anew.
// That wait is for one batch: a commit and at most kOriginalsPerBatch removals, of what nothing needed.
//
// The record goes first, then the file. Files without a record, which a push leaves that failed between its file and
// its commit, go the same way: condemned, looked at once more, removed.
//
// All of this comes before the collection's journal checkpoint: a rebuild does not bring back what was erased. And
// before its mark: what manifests of repositories do not name any more needs no layer.
//
// Cost: eight bytes for each name that a manifest has and for each original that stays, sorted; two names that share
// them keep longer. What goes is held with its records.

#include "cached/store/unneeded_originals.h"

#include <algorithm>
#include <map>
#include <vector>

#include "cached/content/sha256.h"
#include "cached/store/repository_keys.h"

namespace varve {
namespace {

constexpr std::size_t kOriginalsPerBatch = 64;

std::uint64_t SumOf(std::string_view key) { return Xxh3Of(AsBytes(key)); }

class Erasure {
 public:
  Erasure(Store& store, const CollectOptions& options) : store_(store), options_(options) {}

  Result<std::uint64_t> Run() {
    VARVE_RETURN_IF_ERROR(ReadManifests());
    VARVE_RETURN_IF_ERROR(JudgeLinks());
    VARVE_RETURN_IF_ERROR(JudgeFetchable());
    VARVE_RETURN_IF_ERROR(JudgeOriginals());
    for (auto from = going_.begin(); from != going_.end();) {
      const auto to = std::next(from, std::min<std::ptrdiff_t>(kOriginalsPerBatch, std::distance(from, going_.end())));
      VARVE_RETURN_IF_ERROR(EraseBatch(from, to));
      from = to;
    }
    VARVE_RETURN_IF_ERROR(store_.blob_files().RemoveUploadsBefore(options_.now - kUploadAgeMax));
    return erased_;
  }

 private:
  struct Link {
    std::string key;
    std::string value;
  };
  // By blob, what goes of it: links, and the original's record if `original` is set; or, if neither, a file that has no
  // record.
  struct Going {
    std::vector<Link> links;
    std::optional<std::string> original;
  };
  using Blobs = std::map<Digest, Going>;

  Status ReadManifests();
  Status JudgeLinks();
  Status JudgeFetchable();
  Status JudgeOriginals();
  Status EraseBatch(Blobs::iterator from, Blobs::iterator to);
  Result<bool> IsLayerHere(const Digest& blob) const;
  bool IsNeeded(const Digest& blob) const { return std::ranges::binary_search(needed_, LeaseTable::Prefix(blob)); }

  Store& store_;
  const CollectOptions& options_;
  std::vector<std::uint64_t> named_;   // SumOf the links that manifests name, sorted
  std::vector<std::uint64_t> needed_;  // LeaseTable::Prefix of the originals that stay, sorted where it is searched
  std::vector<std::pair<Digest, Link>> fetchable_;
  Blobs going_;
  std::uint64_t erased_ = 0;
};

template <class Record>
Result<Record> Parse(std::string_view value) {
  Record record;
  if (!record.ParseFromArray(value.data(), static_cast<int>(value.size())))
    return Error(Code::kDataLoss, "a record of a repository does not parse; run: varve store rebuild-index");
  return record;
}

Status Erasure::ReadManifests() {
  VARVE_RETURN_IF_ERROR(
      store_.database().Scan(Column::kRepositoryManifest, [&](std::string_view key, std::string_view value) -> Status {
        VARVE_ASSIGN_OR_RETURN(const RepositoryKey name, RepositoryKey::Parse(key));
        VARVE_ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(AsBytes(name.name)));
        VARVE_ASSIGN_OR_RETURN(const auto manifest, Parse<store::RepositoryManifest>(value));
        needed_.push_back(LeaseTable::Prefix(digest));
        for (const std::string& reference : manifest.references())
          named_.push_back(SumOf(KeyIn(name.repository, reference)));
        return Ok();
      }));
  std::ranges::sort(named_);
  return Ok();
}

Status Erasure::JudgeLinks() {
  const auto since = options_.now - options_.push_grace;
  return store_.database().Scan(Column::kRepositoryBlob, [&](std::string_view key, std::string_view value) -> Status {
    VARVE_ASSIGN_OR_RETURN(const RepositoryKey name, RepositoryKey::Parse(key));
    VARVE_ASSIGN_OR_RETURN(const Digest blob, Digest::FromBytes(AsBytes(name.name)));
    VARVE_ASSIGN_OR_RETURN(const auto link, Parse<store::RepositoryBlob>(value));
    const PushLeases::Time linked{std::chrono::nanoseconds(link.linked_unix_nanoseconds())};
    const bool named = std::ranges::binary_search(named_, SumOf(key));
    const bool awaited = !link.referenced() && linked >= since;
    if (!named && !awaited && !store_.push_leases().Holds(key, since)) {
      going_[blob].links.push_back({std::string(key), std::string(value)});
    } else if (options_.originals == CollectOptions::Originals::kDropFetchable && !link.source().empty()) {
      fetchable_.emplace_back(blob, Link{std::string(key), std::string(value)});
    } else {
      needed_.push_back(LeaseTable::Prefix(blob));
    }
    return Ok();
  });
}

Result<bool> Erasure::IsLayerHere(const Digest& blob) const {
  VARVE_ASSIGN_OR_RETURN(const auto record, store_.FindBlob(blob));
  if (!record) return false;
  VARVE_ASSIGN_OR_RETURN(const auto layer, store_.database().Get(Column::kLayer, record->diff_id()));
  return layer.has_value();
}

Status Erasure::JudgeFetchable() {
  std::ranges::sort(needed_);
  std::vector<std::uint64_t> stays;
  for (auto& [blob, link] : fetchable_) {
    VARVE_ASSIGN_OR_RETURN(const bool here, IsLayerHere(blob));
    if (here && !IsNeeded(blob)) {
      going_[blob].links.push_back(std::move(link));
    } else {
      stays.push_back(LeaseTable::Prefix(blob));
    }
  }
  needed_.insert(needed_.end(), stays.begin(), stays.end());
  std::ranges::sort(needed_);
  return Ok();
}

Status Erasure::JudgeOriginals() {
  VARVE_RETURN_IF_ERROR(
      store_.database().Scan(Column::kOriginal, [&](std::string_view key, std::string_view value) -> Status {
        VARVE_ASSIGN_OR_RETURN(const Digest blob, Digest::FromBytes(AsBytes(key)));
        if (!IsNeeded(blob)) going_[blob].original = value;
        return Ok();
      }));
  VARVE_ASSIGN_OR_RETURN(const std::vector<Digest> files, store_.blob_files().List());
  for (const Digest& blob : files) {
    VARVE_ASSIGN_OR_RETURN(const auto original, store_.database().Get(Column::kOriginal, KeyOf(blob)));
    if (!original) going_.try_emplace(blob);
  }
  return Ok();
}

Status Erasure::EraseBatch(Blobs::iterator from, Blobs::iterator to) {
  std::vector<Digest> leases;
  for (auto blob = from; blob != to; ++blob) leases.push_back(LeaseOfOriginal(blob->first));
  const std::vector<Digest> condemned = store_.leases().Condemn(leases);
  const auto erase = [&]() -> Status {
    Committer::Batch batch;
    for (const Digest& lease : condemned) {
      const Digest blob = LeaseOfOriginal(lease);  // which is its own inverse
      for (Link& link : going_[blob].links)
        batch.moves.push_back({Column::kRepositoryBlob, std::move(link.key), std::move(link.value), std::nullopt});
      auto& original = going_[blob].original;
      if (!original) continue;
      batch.moves.push_back({Column::kOriginal, std::string(KeyOf(blob)), *std::move(original), std::nullopt});
      ++erased_;
    }
    if (!batch.moves.empty()) VARVE_RETURN_IF_ERROR(store_.committer().Commit(std::move(batch)));
    for (const Digest& lease : condemned) {
      const Digest blob = LeaseOfOriginal(lease);
      VARVE_ASSIGN_OR_RETURN(const auto original, store_.database().Get(Column::kOriginal, KeyOf(blob)));
      if (original) continue;  // another repository has it
      const Status removed = store_.blob_files().Remove(blob);
      if (!removed.ok() && removed.error().code() != Code::kNotFound) return removed;
    }
    return Ok();
  };
  Status erased = erase();
  store_.leases().Release(condemned);
  return erased;
}

}  // namespace

Result<std::uint64_t> EraseUnneededOriginals(Store& store, const CollectOptions& options) {
  return Erasure(store, options).Run();
}

}  // namespace varve
