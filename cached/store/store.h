#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cached/base/clock.h"
#include "cached/base/fs.h"
#include "cached/base/log.h"
#include "cached/base/mutex.h"
#include "cached/base/one_at_a_time.h"
#include "cached/base/root_paths.h"
#include "cached/base/thread_pool.h"
#include "cached/content/chunker.h"
#include "cached/store/blob_files.h"
#include "cached/store/chunk_writer.h"
#include "cached/store/committer.h"
#include "cached/store/database.h"
#include "cached/store/index_files.h"
#include "cached/store/journaled_changes.h"
#include "cached/store/lease_table.h"
#include "cached/store/open_packs.h"
#include "cached/store/push_leases.h"

namespace varve {

struct StoreOptions {
  ChunkerOptions chunker;  // for a new store; an existing one keeps its own
  ChunkWriterOptions writer;
  std::size_t compression_threads = 2;
  rocksdb::Env* database_files = nullptr;  // where `fs` is not the real disk: the same for the database
};

// All that a node keeps: packs, the index that finds things in them, and the index files that readers map. One process
// opens it. Thread-safe. What a Commit… acknowledged survives any crash; what it did not is at worst unreferenced
// frames. docs/design/store.md.
class Store {
 public:
  // Creates an empty store where there is none; else recovers: packs are cut at their durable length, what nothing
  // refers to is removed. kFailedPrecondition, naming both versions, for a store of a newer varve.
  static Result<std::unique_ptr<Store>> Open(Fs& fs, const RootPaths& paths, const StoreOptions& options);

  const Chunker& chunker() const { return chunker_; }
  std::unique_ptr<ChunkWriter> OpenWriter();

  Result<std::optional<store::Blob>> FindBlob(const Digest& blob) const;
  Result<std::optional<store::Layer>> FindLayer(const Digest& diff_id) const;
  Result<std::optional<store::Image>> FindImage(const ChainId& chain_id) const;
  Result<std::optional<store::Manifest>> FindManifest(const Digest& manifest) const;
  Result<std::optional<store::Ref>> FindRef(std::string_view name) const;

  // Whoever builds, merges or inflates what takes much memory takes turns: one at a time in the process, over an ingest
  // and its commit. An error of `keep_waiting` ends the wait.
  using LargeTurn = OneAtATime::Turn;
  using KeepWaiting = std::function<Status()>;
  Result<LargeTurn> TakeLargeTurn(const KeepWaiting& keep_waiting) { return large_.Take(keep_waiting); }

  struct LayerCommit {
    LargeTurn turn;  // of a large layer, until it is committed
    Digest diff_id;
    std::uint64_t tar_bytes = 0;
    std::unique_ptr<IndexDraft> index;
    std::uint32_t chunk_count = 0;
    std::vector<ChunkWriter::Part> recipe;  // CompressPart'ed
    std::uint64_t recipe_bytes = 0;
    Digest blob;
    std::uint64_t blob_bytes = 0;
    std::string media_type;
    std::string source;
  };
  // Makes a layer durable and visible; `writer` is the one that took its chunks.
  Status CommitLayer(ChunkWriter& writer, const LayerCommit& layer);

  struct ImageCommit {
    Digest manifest_digest;
    ByteSpan manifest;
    Digest config_digest;
    ByteSpan config;
    std::vector<Digest> diff_ids;
    ChainId chain_id;
    std::optional<std::string> name;   // canonical reference to give it
    std::string source = {};           // the repository that it comes from by that name; empty: no registry
    std::optional<Digest> index = {};  // there, that it was chosen from
    std::chrono::system_clock::time_point now;
  };
  // Makes an image of layers that are all here durable and visible, its index with it.
  Status CommitImage(ChunkWriter& writer, const ImageCommit& image, const KeepWaiting& keep_waiting);
  // Makes and stores the image index of `diff_ids`, whose chain ID is `chain_id`, if it is not there.
  Status EnsureImage(ChunkWriter& writer, std::span<const Digest> diff_ids, const ChainId& chain_id,
                     const KeepWaiting& keep_waiting);

  // Held over a commit by whoever takes a name away, gives one, or judges by names which images go, from the look at
  // the names on: an image that gets a name meanwhile must not go.
  Mutex& names_mutex() LOCK_RETURNED(names_mutex_) { return names_mutex_; }

  Status CommitChanges(JournaledChanges changes);
  // Remembers when an image was used last. Durable, but not journaled: after a rebuild that is when it was pulled.
  Status CommitUse(const Digest& manifest, std::chrono::system_clock::time_point now);
  // Not journaled: what a node need not remember after a rebuild.
  Status CommitLocal(Database::Batch batch);

  // All bytes of a record, verified.
  Result<Bytes> ReadParts(const store::Parts& parts) const;
  // One chunk, verified by its SHA-256. kNotFound if it is not here, kDataLoss if it is damaged.
  Result<Bytes> ReadChunk(const Digest& digest) const;
  Result<Bytes> ReadChunkAt(const Digest& digest, const PackLocation& location) const;

  // Looks a chunk up, reads it, and puts the locator word right. kDataLoss, logged with what the chunk belongs to, if
  // it is damaged.
  Result<Locator> ResolveLocator(const Digest& diff_id, std::uint32_t ordinal);

  // The node-wide number of a layer or image index, given once and kept for ever.
  Result<std::uint32_t> SlotOf(const Digest& diff_id);
  Result<std::uint32_t> SlotOf(const ChainId& chain_id);

  // For the rest of this folder and its tests.
  Fs& fs() { return fs_; }
  const RootPaths& paths() const { return paths_; }
  Database& database() { return *database_; }
  const Database& database() const { return *database_; }
  Committer& committer() { return *committer_; }
  OpenPacks& packs() { return *packs_; }
  LeaseTable& leases() { return leases_; }
  IndexFiles& index_files() { return *index_files_; }
  BlobFiles& blob_files() { return *blob_files_; }
  PushLeases& push_leases() { return push_leases_; }
  // Writes what `columns` hold now as one journal record that makes earlier journals void, and returns its sequence
  // number.
  Result<std::uint64_t> CheckpointJournal();

 private:
  Store(Fs& fs, RootPaths paths, const StoreOptions& options, Chunker chunker, std::unique_ptr<Database> database);
  // A journal record's number, on its way until its change is visible or has failed; then its record may lie in a pack.
  class JournalNumber {
   public:
    explicit JournalNumber(Store& store);
    ~JournalNumber();
    JournalNumber(const JournalNumber&) = delete;
    JournalNumber& operator=(const JournalNumber&) = delete;
    std::uint64_t sequence() const { return sequence_; }
    void WaitForEarlier();
    void SetVisible() { visible_ = true; }

   private:
    Store& store_;
    std::uint64_t sequence_;
    bool visible_ = false;
  };

  Status Recover();
  std::string Counters() const;
  Result<LargeTurn> TurnToMerge(std::span<const Digest> diff_ids, const KeepWaiting& keep_waiting);
  Result<std::uint32_t> SlotOf(const std::string& key);
  Status VoidFailedJournals() EXCLUDES(journal_mutex_);
  Status AppendJournal(ChunkWriter& writer, const store::Journal& journal);
  Status Commit(ChunkWriter& writer, JournaledChanges changes, Database::Batch more);
  Status AddImage(ChunkWriter& writer, std::span<const Digest> diff_ids, const ChainId& chain_id,
                  const KeepWaiting& keep_waiting, Database::Batch& records);

  Fs& fs_;
  const RootPaths paths_;
  const StoreOptions options_;
  const Chunker chunker_;
  const std::unique_ptr<Database> database_;
  std::atomic<std::uint32_t> next_slot_ = 1;
  std::atomic<std::uint64_t> next_journal_ = 1;
  LeaseTable leases_;
  LogLimit damage_log_;
  std::unique_ptr<ThreadPool> pool_;
  std::unique_ptr<OpenPacks> packs_;
  std::unique_ptr<Committer> committer_;
  std::unique_ptr<IndexFiles> index_files_;
  std::unique_ptr<BlobFiles> blob_files_;
  PushLeases push_leases_;
  Mutex journal_mutex_;
  CondVar journal_done_;
  std::set<std::uint64_t> journals_on_their_way_ GUARDED_BY(journal_mutex_);
  std::uint64_t last_failed_journal_ GUARDED_BY(journal_mutex_) = 0;  // 0: none since the last checkpoint
  OneAtATime large_;
  Mutex names_mutex_;  // guards records of the index: kRef, and which images those keep
  Mutex slot_mutex_;
  std::map<std::string, std::uint32_t> slots_on_their_way_ GUARDED_BY(slot_mutex_);
};

// The packs that the index knows, and how much of each is durable.
Result<std::map<PackId, std::uint64_t>> DurablePacks(const Database& database);

// The layers that the index knows.
Result<std::vector<Digest>> AllLayers(const Database& database);

}  // namespace varve
