#pragma once

#include <memory>

#include "fuse/content_reader.h"
#include "fuse/driver.h"
#include "fuse/image_fs.h"
#include "fuse/image_registry.h"
#include "fuse/session.h"
#include "tests/fuse/fake_kernel.h"
#include "tests/fuse/tiny_store.h"

namespace varve {

// A tiny store's images behind a FUSE session whose kernel is the test.
class Served {
 public:
  explicit Served(TinyStore& store)
      : images_(store.paths(), store),
        content_(store.paths().packs(), 1 << 20, store, images_),
        fs_(images_, content_) {
    auto session = Session::Start(fs_, kernel.TakeDevice(), {.workers = 2});
    VARVE_CHECK(session.ok());
    session_ = std::move(session).value();
    driver_ = std::make_unique<Driver>(images_, content_, *session_, store.paths().rootfs());
    init_ = kernel.Init();
  }
  ~Served() { kernel.Disconnect(); }

  // Adds the image and looks it up: its root.
  std::uint64_t Mount(const ChainId& image) {
    VARVE_CHECK(images_.Add(image).ok());
    return kernel.Walk(kMountRoot.number(), {image.hex()}).nodeid;
  }
  Driver& driver() { return *driver_; }
  ImageRegistry& images() { return images_; }
  const fuse_init_out& init() const { return init_; }

  FakeKernel kernel;

 private:
  ImageRegistry images_;
  ContentReader content_;
  ImageFs fs_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Driver> driver_;
  fuse_init_out init_{};
};

}  // namespace varve
