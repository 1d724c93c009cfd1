#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "cached/base/clock.h"
#include "cached/store/store.h"

namespace varve {

// What a registry knows: repositories, the blobs that are linked there, their manifests, tags and referrers. Names are
// the caller's to check by their grammar; that a manifest's references are there too. A repository exists as long as it
// has a blob or manifest.
//
// Thread-safe. Each change is one journaled commit: when it returns OK the change is durable and visible, whatever it
// needs before it; after an error it is neither, but for what `Store::CommitChanges` says. What a collection may take,
// and when: unneeded_originals.h. What is damaged counts as absent, until it is pushed again.
class Repositories {
 public:
  // Both must outlive it. One for a store.
  Repositories(Store& store, Clock& clock) : store_(store), clock_(clock) {}

  // A blob that is linked in `repository`; its bytes are Store::blob_files' to open, which misses should the blob go
  // meanwhile. A pusher who is told of it relies on it: no collection takes it for CollectOptions::push_grace, or until
  // a manifest has come that names it.
  enum class Asker { kReader, kPusher };
  Result<std::optional<store::Original>> FindBlob(std::string_view repository, const Digest& blob, Asker asker);
  // Publishes an upload of BlobFiles whose bytes have been synced and have this digest, and links it. `source`:
  // repository that it was fetched from and can be again; empty: it was pushed.
  Status AddBlob(std::string_view repository, std::string_view upload, const Digest& blob, std::uint64_t size_bytes,
                 std::string source);
  // Links a blob of the repository `from` in `repository` too. False if it is not there.
  Result<bool> MountBlob(std::string_view from, std::string_view repository, const Digest& blob);
  // kNotFound if it is not linked. Manifests that name it stay.
  Status UnlinkBlob(std::string_view repository, const Digest& blob);

  Result<std::optional<store::RepositoryManifest>> FindManifest(std::string_view repository, const Digest& manifest);
  struct ManifestCommit {
    Digest digest;
    ByteSpan bytes;                    // that have this digest
    store::RepositoryManifest record;  // but for size and time, which are set here
    std::vector<Digest> blobs;         // of its references, those that have to be linked
    std::vector<std::string> tags;     // to give it
  };
  // kNotFound if a blob is not linked: then nothing has happened. Of what was asked for and found by a pusher all is
  // there, unless another manifest that named it has come and gone since.
  Status PutManifest(std::string_view repository, const ManifestCommit& manifest);
  // With its tags. kNotFound.
  Status DeleteManifest(std::string_view repository, const Digest& digest);

  Result<std::optional<Digest>> FindTag(std::string_view repository, std::string_view tag);
  Status DeleteTag(std::string_view repository, std::string_view tag);  // kNotFound

  // Lists are in the order of bytes, begin behind `after` (empty: at the start), and have `most` entries at most.
  Result<std::vector<std::string>> ListTags(std::string_view repository, std::string_view after, std::size_t most);
  Result<std::vector<std::string>> ListRepositories(std::string_view after, std::size_t most);
  Result<std::vector<Digest>> ListManifests(std::string_view repository, const std::optional<Digest>& after,
                                            std::size_t most);
  // The manifests whose subject is `subject`, which need not be there.
  using Referrer = std::pair<Digest, store::RepositoryManifest>;
  Result<std::vector<Referrer>> ListReferrers(std::string_view repository, const Digest& subject,
                                              const std::optional<Digest>& after, std::size_t most);
  Result<bool> Exists(std::string_view repository);

 private:
  using Names = std::vector<std::string>;
  void Link(JournaledChanges& changes, std::string_view repository, const Digest& blob, std::string source);
  Result<std::unordered_set<std::string>> ReferencedLinks(std::string_view repository,
                                                          const store::RepositoryManifest& manifest,
                                                          JournaledChanges& changes);
  void AddManifest(std::string_view repository, const ManifestCommit& manifest, JournaledChanges& changes);
  Result<Names> NamesBehind(Column column, std::string_view repository, std::string_view prefix, std::string_view after,
                            std::size_t most) const;
  std::int64_t Now() const;
  Mutex& ChangesOf(std::string_view repository);

  Store& store_;
  Clock& clock_;
  // Who changes a repository by what it has, from the look to the commit. By a sum of the name; two that share one only
  // wait for each other.
  std::array<Mutex, 32> changes_;
};

// The layers, by diff ID, that are here and whose blobs manifests of repositories name: they stay, with their chunks.
Result<std::vector<Digest>> LayersOfRepositories(const Store& store);

}  // namespace varve
