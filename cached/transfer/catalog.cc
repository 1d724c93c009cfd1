#include "cached/transfer/catalog.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <tuple>

namespace varve {
namespace {

bool IsHex(std::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// The canonical key of a reference: what a pull of it would have stored.
std::string NameOf(const Reference& reference) {
  return reference.digest ? reference.Repository() + "@" + reference.digest->ToString() : reference.Canonical();
}

Error NoSuchImage(std::string_view image) { return {Code::kNotFound, "No such image: " + std::string(image)}; }

}  // namespace

std::string FamiliarOf(const std::string& canonical) {
  const auto reference = Reference::Parse(canonical);
  return reference.ok() ? reference->Familiar() : canonical;
}

Result<FoundImage> Catalog::Load(const Digest& manifest_digest, std::string name) const {
  VARVE_ASSIGN_OR_RETURN(auto record, store_.FindManifest(manifest_digest));
  if (!record) return NoSuchImage(name.empty() ? manifest_digest.ToString() : name);
  VARVE_ASSIGN_OR_RETURN(std::vector<Digest> diff_ids, DiffIdsOf(*record));
  return FoundImage{manifest_digest, *std::move(record), std::move(diff_ids), std::move(name)};
}

Result<std::optional<FoundImage>> Catalog::FindByName(std::string_view image) const {
  const auto reference = Reference::Parse(image);
  if (!reference.ok()) return std::optional<FoundImage>();
  const std::string name = NameOf(*reference);
  VARVE_ASSIGN_OR_RETURN(auto ref, store_.FindRef(name));
  while (ref) {
    VARVE_ASSIGN_OR_RETURN(const Digest named, Digest::FromBytes(AsBytes(ref->manifest_digest())));
    auto found = Load(named, name);
    if (found.ok()) return std::optional(*std::move(found));
    // A pull may have given the name to another image, and a collection taken this one.
    VARVE_ASSIGN_OR_RETURN(auto now, store_.FindRef(name));
    if (found.error().code() != Code::kNotFound || (now && now->manifest_digest() == ref->manifest_digest()))
      return found.error();
    ref = std::move(now);
  }
  const auto& digest = reference->digest;
  if (!digest) return std::optional<FoundImage>();
  // name@digest also means an image that was pulled by tag from that repository.
  VARVE_ASSIGN_OR_RETURN(const auto names, NamesOf(*digest));
  const std::string prefix = reference->Repository();
  const bool known = std::any_of(names.begin(), names.end(), [&](const std::string& other) {
    return other.starts_with(prefix) && other.size() > prefix.size() &&
           (other[prefix.size()] == ':' || other[prefix.size()] == '@');
  });
  if (!known) return std::optional<FoundImage>();
  VARVE_ASSIGN_OR_RETURN(FoundImage found, Load(*digest, ""));
  return std::optional(std::move(found));
}

Result<std::vector<Digest>> Catalog::ManifestsById(std::string_view image) const {
  std::string_view prefix = image;
  if (prefix.starts_with("sha256:")) prefix.remove_prefix(7);
  if (!IsHex(prefix)) return NoSuchImage(image);
  std::map<Digest, std::int64_t> pulled;
  std::set<std::string> configs;
  VARVE_RETURN_IF_ERROR(
      store_.database().Scan(Column::kManifest, [&](std::string_view key, std::string_view value) -> Status {
        store::Manifest record;
        if (!record.ParseFromArray(value.data(), static_cast<int>(value.size()))) return Ok();
        const bool fits =
            ToHex(AsBytes(key)).starts_with(prefix) || ToHex(AsBytes(record.config_digest())).starts_with(prefix);
        if (!fits) return Ok();
        VARVE_ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(AsBytes(key)));
        configs.insert(record.config_digest());
        pulled.emplace(digest, record.pulled_unix());
        return Ok();
      }));
  if (configs.empty()) return NoSuchImage(image);
  if (configs.size() > 1)
    return Error(Code::kInvalidArgument, "image id " + std::string(image) + ": fits several images; give more of it");
  std::vector<std::tuple<bool, std::int64_t, Digest>> ranked;
  for (const auto& [manifest, when] : pulled) {
    VARVE_ASSIGN_OR_RETURN(const auto names, NamesOf(manifest));
    ranked.emplace_back(!names.empty(), when, manifest);
  }
  std::ranges::sort(ranked, std::greater());
  std::vector<Digest> manifests;
  manifests.reserve(ranked.size());
  for (const auto& [named, when, manifest] : ranked) manifests.push_back(manifest);
  return manifests;
}

Result<FoundImage> Catalog::FindById(std::string_view image) const {
  VARVE_ASSIGN_OR_RETURN(const std::vector<Digest> manifests, ManifestsById(image));
  return Load(manifests.front(), "");
}

Result<FoundImage> Catalog::Find(std::string_view image) const {
  VARVE_ASSIGN_OR_RETURN(auto named, FindByName(image));
  if (named) return std::move(*named);
  auto by_id = FindById(image);
  if (by_id.ok() || by_id.error().code() != Code::kNotFound) return by_id;
  const auto reference = Reference::Parse(image);
  if (!reference.ok() && !IsHex(image) && !image.starts_with("sha256:")) return reference.error();
  return by_id;
}

// The name may mean another image by the time that the first one has gone.
Result<FoundImage> Catalog::Find(std::string_view image, Leased what, LeaseTable::Session& session) const {
  while (true) {
    VARVE_ASSIGN_OR_RETURN(FoundImage found, Find(image));
    VARVE_ASSIGN_OR_RETURN(const auto record, FindLeased(store_, found.manifest_digest, what, session));
    if (record) return found;
  }
}

Result<std::vector<std::string>> Catalog::NamesOf(const Digest& manifest_digest) const {
  VARVE_ASSIGN_OR_RETURN(auto names, NamesByManifest(store_));
  return std::move(names[std::string(KeyOf(manifest_digest))]);
}

Result<std::vector<Catalog::Row>> Catalog::List() const {
  std::vector<Row> rows;
  const MutexLock names_lock(store_.names_mutex());
  VARVE_ASSIGN_OR_RETURN(auto names, NamesByManifest(store_));
  VARVE_RETURN_IF_ERROR(
      store_.database().Scan(Column::kManifest, [&](std::string_view key, std::string_view value) -> Status {
        Row row;
        VARVE_ASSIGN_OR_RETURN(row.manifest_digest, Digest::FromBytes(AsBytes(key)));
        if (!row.record.ParseFromArray(value.data(), static_cast<int>(value.size())))
          return Error(Code::kDataLoss, "a manifest record does not parse; run: varve store rebuild-index");
        std::vector<std::string>& named = names[std::string(key)];
        if (named.empty()) named.emplace_back();
        for (std::string& name : named) {
          row.name = std::move(name);
          rows.push_back(row);
        }
        return Ok();
      }));
  std::ranges::sort(rows, {}, [](const Row& row) {
    return std::tuple(-row.record.pulled_unix(), row.manifest_digest, std::string_view(row.name));
  });
  return rows;
}

Result<ImageOrigin> Catalog::OriginOf(const FoundImage& image) const {
  std::vector<std::string> names = {image.name};
  if (image.name.empty()) {
    VARVE_ASSIGN_OR_RETURN(names, NamesOf(image.manifest_digest));
  }
  std::set<ImageOrigin> origins;
  for (const std::string& name : names) {
    VARVE_ASSIGN_OR_RETURN(const auto ref, store_.FindRef(name));
    if (!ref || ref->manifest_digest() != KeyOf(image.manifest_digest)) continue;  // it means another one by now
    ImageOrigin origin{ref->source(), std::nullopt};
    if (!ref->index_digest().empty()) {
      VARVE_ASSIGN_OR_RETURN(origin.index, Digest::FromBytes(AsBytes(ref->index_digest())));
    }
    origins.insert(std::move(origin));
  }
  if (origins.size() > 1)
    return Error(Code::kFailedPrecondition, "its names come from different places; name it by one of them");
  return origins.empty() ? ImageOrigin() : *origins.begin();
}

Status Catalog::Tag(std::string_view image, std::string_view reference) {
  const MutexLock names_lock(store_.names_mutex());
  VARVE_ASSIGN_OR_RETURN(const FoundImage found, Find(image));
  VARVE_ASSIGN_OR_RETURN(const Reference name, Reference::Parse(reference));
  if (name.digest)
    return Error(Code::kInvalidArgument, "reference " + std::string(reference) + ": a tag cannot be a digest");
  store::Ref ref;
  ref.set_manifest_digest(std::string(KeyOf(found.manifest_digest)));
  const auto origin = OriginOf(found);
  if (!origin.ok() && origin.error().code() != Code::kFailedPrecondition) return origin.error();
  if (origin.ok()) {
    ref.set_source(origin->repository);
    if (origin->index) ref.set_index_digest(std::string(KeyOf(*origin->index)));
  }
  ref.set_updated_unix_nanoseconds(clock_.Now().time_since_epoch() / std::chrono::nanoseconds(1));
  JournaledChanges changes;
  changes.Put(Column::kRef, NameOf(name), ref.SerializeAsString());
  return store_.CommitChanges(std::move(changes));
}

Result<Catalog::Removed> Catalog::Remove(std::string_view image, Force force) {
  const MutexLock names_lock(store_.names_mutex());
  VARVE_ASSIGN_OR_RETURN(const FoundImage found, Find(image));
  std::vector<Digest> manifests = {found.manifest_digest};
  if (const auto all = ManifestsById(image); found.name.empty() && all.ok()) manifests = *all;
  std::vector<std::string> names;
  for (const Digest& manifest : manifests) {
    VARVE_ASSIGN_OR_RETURN(const auto more, NamesOf(manifest));
    names.insert(names.end(), more.begin(), more.end());
  }
  Removed removed;
  if (!found.name.empty()) {
    removed.untagged.push_back(found.name);
  } else if (names.size() > 1 && force == Force::kNo) {
    return Error(Code::kFailedPrecondition,
                 "image " + std::string(image) + ": has several names; use --force, or remove them one by one");
  } else {
    removed.untagged = names;
  }
  JournaledChanges changes;
  for (const std::string& name : removed.untagged) changes.Erase(Column::kRef, name);
  if (removed.untagged.size() == names.size()) {
    for (const Digest& manifest : manifests) changes.Erase(Column::kManifest, KeyOf(manifest));
    VARVE_ASSIGN_OR_RETURN(const Digest config, Digest::FromBytes(AsBytes(found.record.config_digest())));
    removed.deleted.push_back(config);
  }
  VARVE_RETURN_IF_ERROR(store_.CommitChanges(std::move(changes)));
  return removed;
}

Status Catalog::Touch(const Digest& manifest_digest) { return store_.CommitUse(manifest_digest, clock_.Now()); }

}  // namespace varve
