#include "cached/store/repositories.h"

#include <fmt/core.h>

#include <algorithm>
#include <unordered_set>

#include "cached/content/sha256.h"
#include "cached/store/repository_keys.h"

namespace varve {
namespace {

Error Unknown(std::string_view noun, std::string_view name, std::string_view repository) {
  return {Code::kNotFound, fmt::format("{} {}: not in repository {}", noun, name, repository)};
}

void PutOriginal(JournaledChanges& changes, const Digest& blob, std::uint64_t size_bytes) {
  store::Original original;
  original.set_size_bytes(size_bytes);
  changes.Put(Column::kOriginal, KeyOf(blob), original.SerializeAsString());
}

std::string ReferrerKey(std::string_view repository, std::string_view subject, const Digest& manifest) {
  return KeyIn(repository, std::string(subject) + std::string(KeyOf(manifest)));
}

}  // namespace

std::int64_t Repositories::Now() const { return clock_.Now().time_since_epoch() / std::chrono::nanoseconds(1); }

Mutex& Repositories::ChangesOf(std::string_view repository) {
  return changes_[Xxh3Of(AsBytes(repository)) % changes_.size()];
}

Result<std::optional<store::Original>> Repositories::FindBlob(std::string_view repository, const Digest& blob,
                                                              Asker asker) {
  using Found = std::optional<store::Original>;
  // Open until the push lease is there: a collection that begins meanwhile finds the one or the other.
  LeaseTable::Session session(store_.leases());
  if (!session.Await(LeaseOfOriginal(blob))) return Found();
  const std::string key = KeyIn(repository, KeyOf(blob));
  VARVE_ASSIGN_OR_RETURN(const auto link, store_.database().Get(Column::kRepositoryBlob, key));
  if (!link) return Found();
  VARVE_ASSIGN_OR_RETURN(Found original, GetRecord<store::Original>(store_.database(), Column::kOriginal, KeyOf(blob)));
  if (original && asker == Asker::kPusher) store_.push_leases().Add(key, clock_.Now());
  return original;
}

void Repositories::Link(JournaledChanges& changes, std::string_view repository, const Digest& blob,
                        std::string source) {
  store::RepositoryBlob link;
  link.set_linked_unix_nanoseconds(Now());
  link.set_source(std::move(source));
  changes.Put(Column::kRepositoryBlob, KeyIn(repository, KeyOf(blob)), link.SerializeAsString());
}

Status Repositories::AddBlob(std::string_view repository, std::string_view upload, const Digest& blob,
                             std::uint64_t size_bytes, std::string source) {
  LeaseTable::Session session(store_.leases());
  static_cast<void>(session.Await(LeaseOfOriginal(blob)));  // one that is damaged is replaced
  VARVE_RETURN_IF_ERROR(store_.blob_files().Publish(repository, upload, blob));
  JournaledChanges changes;
  PutOriginal(changes, blob, size_bytes);
  Link(changes, repository, blob, std::move(source));
  VARVE_RETURN_IF_ERROR(store_.CommitChanges(std::move(changes)));
  session.SetSound();
  return Ok();
}

Result<bool> Repositories::MountBlob(std::string_view from, std::string_view repository, const Digest& blob) {
  LeaseTable::Session session(store_.leases());
  if (!session.Await(LeaseOfOriginal(blob))) return false;
  VARVE_ASSIGN_OR_RETURN(const auto link, store_.database().Get(Column::kRepositoryBlob, KeyIn(from, KeyOf(blob))));
  if (!link) return false;
  JournaledChanges changes;
  Link(changes, repository, blob, "");
  VARVE_RETURN_IF_ERROR(store_.CommitChanges(std::move(changes)));
  return true;
}

Status Repositories::UnlinkBlob(std::string_view repository, const Digest& blob) {
  const std::string key = KeyIn(repository, KeyOf(blob));
  const MutexLock lock(ChangesOf(repository));
  VARVE_ASSIGN_OR_RETURN(const auto link, store_.database().Get(Column::kRepositoryBlob, key));
  if (!link) return Unknown("blob", blob.ToString(), repository);
  JournaledChanges changes;
  changes.Erase(Column::kRepositoryBlob, key);
  return store_.CommitChanges(std::move(changes));
}

Result<std::optional<store::RepositoryManifest>> Repositories::FindManifest(std::string_view repository,
                                                                            const Digest& manifest) {
  LeaseTable::Session session(store_.leases());
  if (!session.Await(LeaseOfOriginal(manifest))) return std::optional<store::RepositoryManifest>();
  return GetRecord<store::RepositoryManifest>(store_.database(), Column::kRepositoryManifest,
                                              KeyIn(repository, KeyOf(manifest)));
}

// The links of `repository` that `manifest` names, and those of them that no manifest has named before changed so.
Result<std::unordered_set<std::string>> Repositories::ReferencedLinks(std::string_view repository,
                                                                      const store::RepositoryManifest& manifest,
                                                                      JournaledChanges& changes) {
  std::unordered_set<std::string> links;
  for (const std::string& reference : manifest.references()) {
    std::string key = KeyIn(repository, reference);
    if (links.contains(key)) continue;
    VARVE_ASSIGN_OR_RETURN(auto link,
                           GetRecord<store::RepositoryBlob>(store_.database(), Column::kRepositoryBlob, key));
    if (!link) continue;  // another manifest, or what the caller allows to be elsewhere
    if (!link->referenced()) {
      link->set_referenced(true);
      changes.Put(Column::kRepositoryBlob, key, link->SerializeAsString());
    }
    links.insert(std::move(key));
  }
  return links;
}

Status Repositories::PutManifest(std::string_view repository, const ManifestCommit& manifest) {
  LeaseTable::Session session(store_.leases());
  const bool sound = session.Await(LeaseOfOriginal(manifest.digest));
  LeaseTable::Session references(store_.leases());  // apart: what of them is damaged stays so
  for (const std::string& reference : manifest.record.references()) {
    VARVE_ASSIGN_OR_RETURN(const Digest blob, Digest::FromBytes(AsBytes(reference)));
    static_cast<void>(references.Await(LeaseOfOriginal(blob)));
  }
  VARVE_ASSIGN_OR_RETURN(const auto original, store_.database().Get(Column::kOriginal, KeyOf(manifest.digest)));
  if (!original || !sound) VARVE_RETURN_IF_ERROR(store_.blob_files().Write(manifest.digest, manifest.bytes));

  const MutexLock lock(ChangesOf(repository));
  JournaledChanges changes;
  VARVE_ASSIGN_OR_RETURN(const auto links, ReferencedLinks(repository, manifest.record, changes));
  for (const Digest& blob : manifest.blobs) {
    if (!links.contains(KeyIn(repository, KeyOf(blob)))) return Unknown("blob", blob.ToString(), repository);
  }
  AddManifest(repository, manifest, changes);
  VARVE_RETURN_IF_ERROR(store_.CommitChanges(std::move(changes)));
  for (const std::string& link : links) store_.push_leases().Drop(link);
  session.SetSound();
  return Ok();
}

void Repositories::AddManifest(std::string_view repository, const ManifestCommit& manifest, JournaledChanges& changes) {
  store::RepositoryManifest record = manifest.record;
  record.set_size_bytes(manifest.bytes.size());
  record.set_pushed_unix_nanoseconds(Now());
  PutOriginal(changes, manifest.digest, manifest.bytes.size());
  changes.Put(Column::kRepositoryManifest, KeyIn(repository, KeyOf(manifest.digest)), record.SerializeAsString());
  if (!record.subject().empty())
    changes.Put(Column::kReferrer, ReferrerKey(repository, record.subject(), manifest.digest), "");
  store::Tag tag;
  tag.set_manifest_digest(std::string(KeyOf(manifest.digest)));
  tag.set_updated_unix_nanoseconds(Now());
  for (const std::string& name : manifest.tags)
    changes.Put(Column::kTag, KeyIn(repository, name), tag.SerializeAsString());
}

Status Repositories::DeleteManifest(std::string_view repository, const Digest& digest) {
  const std::string key = KeyIn(repository, KeyOf(digest));
  const MutexLock lock(ChangesOf(repository));
  VARVE_ASSIGN_OR_RETURN(const auto manifest,
                         GetRecord<store::RepositoryManifest>(store_.database(), Column::kRepositoryManifest, key));
  if (!manifest) return Unknown("manifest", digest.ToString(), repository);
  JournaledChanges changes;
  changes.Erase(Column::kRepositoryManifest, key);
  if (!manifest->subject().empty())
    changes.Erase(Column::kReferrer, ReferrerKey(repository, manifest->subject(), digest));
  const std::string first = KeyIn(repository, "");
  VARVE_RETURN_IF_ERROR(store_.database().ScanFrom(
      Column::kTag, first, [&](std::string_view tag, std::string_view value) -> Result<bool> {
        if (!tag.starts_with(first)) return false;
        store::Tag record;
        if (!record.ParseFromArray(value.data(), static_cast<int>(value.size())))
          return Error(Code::kDataLoss, "a tag's record does not parse; run: varve store rebuild-index");
        if (record.manifest_digest() == KeyOf(digest)) changes.Erase(Column::kTag, tag);
        return true;
      }));
  return store_.CommitChanges(std::move(changes));
}

Result<std::optional<Digest>> Repositories::FindTag(std::string_view repository, std::string_view tag) {
  VARVE_ASSIGN_OR_RETURN(const auto record,
                         GetRecord<store::Tag>(store_.database(), Column::kTag, KeyIn(repository, tag)));
  if (!record) return std::optional<Digest>();
  VARVE_ASSIGN_OR_RETURN(const Digest manifest, Digest::FromBytes(AsBytes(record->manifest_digest())));
  return std::optional<Digest>(manifest);
}

Status Repositories::DeleteTag(std::string_view repository, std::string_view tag) {
  const MutexLock lock(ChangesOf(repository));
  VARVE_ASSIGN_OR_RETURN(const auto manifest, FindTag(repository, tag));
  if (!manifest) return Unknown("tag", tag, repository);
  JournaledChanges changes;
  changes.Erase(Column::kTag, KeyIn(repository, tag));
  return store_.CommitChanges(std::move(changes));
}

// What is named in `repository`, of names that begin with `prefix`, and without it.
Result<Repositories::Names> Repositories::NamesBehind(Column column, std::string_view repository,
                                                      std::string_view prefix, std::string_view after,
                                                      std::size_t most) const {
  const std::string all = KeyIn(repository, prefix);
  Names names;
  if (most == 0) return names;
  VARVE_RETURN_IF_ERROR(store_.database().ScanFrom(column, after.empty() ? all : Behind(all + std::string(after)),
                                                   [&](std::string_view key, std::string_view) -> Result<bool> {
                                                     if (!key.starts_with(all)) return false;
                                                     names.emplace_back(key.substr(all.size()));
                                                     return names.size() < most;
                                                   }));
  return names;
}

Result<std::vector<std::string>> Repositories::ListTags(std::string_view repository, std::string_view after,
                                                        std::size_t most) {
  return NamesBehind(Column::kTag, repository, "", after, most);
}

Result<std::vector<std::string>> Repositories::ListRepositories(std::string_view after, std::size_t most) {
  // Behind the last key of a repository: what stands there instead of the zero byte is greater.
  const auto behind = [](std::string_view repository) { return std::string(repository) + '\1'; };
  Names repositories;
  for (std::string first = after.empty() ? "" : behind(after); repositories.size() < most;) {
    std::optional<std::string> next;
    for (const Column column : {Column::kRepositoryManifest, Column::kRepositoryBlob}) {
      VARVE_RETURN_IF_ERROR(
          store_.database().ScanFrom(column, first, [&](std::string_view key, std::string_view) -> Result<bool> {
            VARVE_ASSIGN_OR_RETURN(const RepositoryKey parsed, RepositoryKey::Parse(key));
            if (!next || parsed.repository < *next) next = parsed.repository;
            return false;
          }));
    }
    if (!next) break;
    first = behind(*next);
    repositories.push_back(*std::move(next));
  }
  return repositories;
}

Result<std::vector<Repositories::Referrer>> Repositories::ListReferrers(std::string_view repository,
                                                                        const Digest& subject,
                                                                        const std::optional<Digest>& after,
                                                                        std::size_t most) {
  VARVE_ASSIGN_OR_RETURN(const Names names, NamesBehind(Column::kReferrer, repository, KeyOf(subject),
                                                        after ? KeyOf(*after) : std::string_view(), most));
  std::vector<Referrer> referrers;
  for (const std::string& name : names) {
    VARVE_ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(AsBytes(name)));
    VARVE_ASSIGN_OR_RETURN(auto manifest,
                           GetRecord<store::RepositoryManifest>(store_.database(), Column::kRepositoryManifest,
                                                                KeyIn(repository, KeyOf(digest))));
    if (manifest) referrers.emplace_back(digest, *std::move(manifest));
  }
  return referrers;
}

Result<std::vector<Digest>> Repositories::ListManifests(std::string_view repository, const std::optional<Digest>& after,
                                                        std::size_t most) {
  VARVE_ASSIGN_OR_RETURN(const Names names, NamesBehind(Column::kRepositoryManifest, repository, "",
                                                        after ? KeyOf(*after) : std::string_view(), most));
  std::vector<Digest> manifests;
  for (const std::string& name : names) {
    VARVE_ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(AsBytes(name)));
    manifests.push_back(digest);
  }
  return manifests;
}

Result<bool> Repositories::Exists(std::string_view repository) {
  for (const Column column : {Column::kRepositoryManifest, Column::kRepositoryBlob}) {
    VARVE_ASSIGN_OR_RETURN(const Names names, NamesBehind(column, repository, "", "", 1));
    if (!names.empty()) return true;
  }
  return false;
}

Result<std::vector<Digest>> LayersOfRepositories(const Store& store) {
  std::unordered_set<std::string> references;
  VARVE_RETURN_IF_ERROR(
      store.database().Scan(Column::kRepositoryManifest, [&](std::string_view, std::string_view value) -> Status {
        store::RepositoryManifest manifest;
        if (!manifest.ParseFromArray(value.data(), static_cast<int>(value.size())))
          return Error(Code::kDataLoss, "a manifest's record does not parse; run: varve store rebuild-index");
        references.insert(manifest.references().begin(), manifest.references().end());
        return Ok();
      }));
  std::vector<Digest> layers;
  for (const std::string& reference : references) {
    VARVE_ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(AsBytes(reference)));
    VARVE_ASSIGN_OR_RETURN(const auto blob, store.FindBlob(digest));
    if (!blob) continue;
    VARVE_ASSIGN_OR_RETURN(const Digest diff_id, Digest::FromBytes(AsBytes(blob->diff_id())));
    VARVE_ASSIGN_OR_RETURN(const auto layer, store.FindLayer(diff_id));
    if (layer) layers.push_back(diff_id);
  }
  return layers;
}

}  // namespace varve
