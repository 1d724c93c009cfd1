#pragma once

#include <deque>
#include <string>
#include <thread>
#include <utility>

#include "cached/base/cancel.h"
#include "cached/base/mutex.h"
#include "cached/distribution/registry_host.h"
#include "cached/transfer/install.h"

namespace varve {

// Takes the layers of pushed images into the store's chunks, behind the push, on a thread of its own: what was pushed
// can be pulled, mounted and run here without a byte of a layer being moved, and shares its chunks with everything
// else. A push never waits for it, and what goes wrong is logged: the blobs are there all the same. A pull that wants a
// layer which is being taken in waits for it (LayerGate). After a restart it goes on with whatever is not chunked yet.
// Thread-safe.
class LayerIntake {
 public:
  // Manifests that wait; beyond it, all repositories are looked through again later.
  static constexpr std::size_t kQueueMax = 4096;

  // All must outlive it. Begins with what an earlier process has left.
  LayerIntake(Store& store, RegistryHost& registry, ImageInstaller& installer);
  // Gives up what it is at.
  ~LayerIntake();
  LayerIntake(const LayerIntake&) = delete;
  LayerIntake& operator=(const LayerIntake&) = delete;

  void Add(const std::string& repository, const Digest& manifest) EXCLUDES(mutex_);
  std::size_t waiting() EXCLUDES(mutex_);
  // Returns when nothing waits any more. An error of `keep_waiting`, which is asked now and then, ends the wait.
  Status WaitUntilIdle(const Store::KeepWaiting& keep_waiting) EXCLUDES(mutex_);

 private:
  using Item = std::pair<std::string, Digest>;  // repository, manifest

  void Run();
  std::optional<Item> Next() EXCLUDES(mutex_);  // an empty one: look through all; none: stop
  void LookThroughAll();
  void TryTakeIn(const Item& item);
  Status TakeIn(const Item& item);

  Store& store_;
  RegistryHost& registry_;
  ImageInstaller& installer_;
  CancelToken cancel_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<Item> waiting_ GUARDED_BY(mutex_);
  bool look_through_all_ GUARDED_BY(mutex_) = true;
  bool busy_ GUARDED_BY(mutex_) = true;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace varve
