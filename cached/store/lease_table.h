#pragma once

#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "cached/base/bytes.h"
#include "cached/base/mutex.h"
#include "cached/content/digest.h"

namespace varve {

// Keeps the collector off what somebody is about to refer to. A look-up that hits is a lease: between the hit and the
// commit that refers to it nothing else protects the chunk or layer.
//
//   Leases outlive marks. Whoever ingests or pulls holds a Session for its whole life; all that it touched is a root of
//   a mark. While a collection runs, what is touched after the mark began is kept too (write barrier). The collector
//   condemns before it erases: a condemned digest is a miss from then on, so that its finder writes it anew.
//
// Digests of chunks, layers, images and manifests share one table, and of what is held it has eight bytes each: a layer
// may have a million chunks. A false match only keeps something longer. Thread-safe.
class LeaseTable {
 public:
  // What stands for a digest among those that are held.
  static std::uint64_t Prefix(const Digest& digest) { return LoadLittle<std::uint64_t>(digest.bytes.data()); }

  class Session {
   public:
    explicit Session(LeaseTable& table);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    // Leases `digest`. False if what is stored under it is condemned or damaged: treat it as absent and write it anew.
    [[nodiscard]] bool Touch(const Digest& digest);
    // Leases `digest` of something that has one place only and cannot be written anew beside it: where a collection is
    // erasing that, waits until it has (Release). False if it is damaged.
    [[nodiscard]] bool Await(const Digest& digest);
    // What was damaged when this session touched it is written anew, durable and visible.
    void SetSound();

   private:
    friend class LeaseTable;
    bool Hold(const Digest& digest) REQUIRES(table_.mutex_);  // false if it is damaged

    LeaseTable& table_;
    std::vector<std::uint64_t> touched_;  // Prefix; guarded by table_.mutex_, as the next
    std::vector<Digest> damaged_;         // when it was touched
  };

  // One collection at a time. Returns all that open sessions hold, as Prefix.
  std::vector<std::uint64_t> BeginCollection() EXCLUDES(mutex_);
  // Of `candidates`, those that no session held when the collection began and nobody touched since: condemned from now
  // on.
  std::vector<Digest> Condemn(std::span<const Digest> candidates) EXCLUDES(mutex_);
  // What was condemned and is erased, or stays after all: may be found from now on, before the collection ends.
  void Release(std::span<const Digest> condemned) EXCLUDES(mutex_);
  // What was condemned and is erased now may be written anew.
  void EndCollection() EXCLUDES(mutex_);

  // What cannot be read any more: a miss for everybody from now on, until somebody has written it anew. Of a layer with
  // a damaged chunk both are. Not kept over a restart: the next verify finds it again.
  void AddDamaged(std::span<const Digest> damaged) EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  CondVar released_;
  std::unordered_set<Session*> sessions_ GUARDED_BY(mutex_);
  bool collecting_ GUARDED_BY(mutex_) = false;
  std::unordered_set<std::uint64_t> kept_ GUARDED_BY(mutex_);
  std::unordered_set<Digest> condemned_ GUARDED_BY(mutex_);
  std::unordered_set<Digest> damaged_ GUARDED_BY(mutex_);
};

}  // namespace varve
