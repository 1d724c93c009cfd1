#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cached/registry/registry_client.h"
#include "cached/store/verify.h"
#include "cached/transfer/install.h"

namespace varve {

// One damaged object of a store, and what became of it.
struct RepairedObject {
  std::string object;  // "layer sha256:…", "pack 000001"
  bool repaired = false;
  std::string outcome;  // "fetched again from docker.io/library/debian"; or why not, and what to do
};

struct RepairHooks {
  std::function<Status(const VerifyProgress&)> verifying;
  std::function<void(const Damage&)> damaged;  // what was found, before anything is done
  // The caller's world for a repository; called once for each that has to be asked.
  std::function<Result<RegistryOptions>(const Reference&)> access;
  ProgressSink fetching;
  std::function<void(const RepairedObject&)> done;
  // As CollectOptions::close_packs. Called while `alone` runs its argument, beside no collection.
  std::function<void(std::span<const PackId>)> close_packs;
  std::function<Status(const std::function<Status()>&)> alone;
};

// Verifies the store and makes good what is damaged. Index files, locator tables, layer indexes whose file is whole and
// image indexes are made anew here. Layers, manifests and configs come again from the repositories that they came from,
// checked by their digests and diff IDs as in a pull; of a layer only what cannot be read is stored. At last the packs
// whose damage nobody needs any more are rewritten. What could not be made good is as it was. The number of objects
// that stay damaged; errors are for what could not be looked at.
Result<std::size_t> RepairStore(Store& store, ImageInstaller& installer, HttpTransport& transport,
                                const RepairHooks& hooks, const CancelToken& cancel);

}  // namespace varve
