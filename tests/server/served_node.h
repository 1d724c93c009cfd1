#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cached/base/mutex.h"
#include "cached/client/channel.h"
#include "cached/client/daemon_client.h"
#include "cached/server/images_service.h"
#include "cached/server/store_service.h"
#include "tests/store/store_fixture.h"
#include "tests/transfer/fake_registry.h"

namespace varve {

// What varve-cached consists of, on a real unix socket with a real client; the registry is in memory.
struct ServedNode {
  explicit ServedNode(Fs& fs = Fs::Real());
  ~ServedNode();
  ServedNode(const ServedNode&) = delete;
  ServedNode& operator=(const ServedNode&) = delete;

  // An image of one layer, as a load brings it. The image.
  FakeImage Install(const std::string& name, const TinyStore::Files& files);
  // All that nobody uses goes, named or not.
  CollectOutcome PruneAll();

  TinyStore store;
  const std::string socket = store.paths().root + "/cached.sock";
  ManualClock clock;
  LayerGate gate;
  FakeRegistry registry;
  ImageInstaller installer{*store, gate, clock, {}};
  Catalog catalog{*store, clock};
  DriverSessions driver{*store};
  UseLeases leases{clock};
  Pruner pruner{*store, catalog, driver, leases};
  std::vector<Digest> stored;  // what the image service said to its owner
  ImagesService images{*store,   catalog, installer,
                       registry, leases,  [this](const Digest& manifest) { stored.push_back(manifest); }};
  StoreService storage{*store, catalog, pruner, installer, registry, [](const auto&) { return Ok(); }};
  std::unique_ptr<grpc::Server> server;
  DaemonClient client{socket};
};

}  // namespace varve
