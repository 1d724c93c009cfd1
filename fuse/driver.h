#pragma once

#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "cached/client/mounts_client.h"
#include "fuse/content_reader.h"
#include "fuse/image_registry.h"
#include "fuse/session.h"

namespace varve {

// Carries out what the daemon asks of this process. Release leaves alone what is attached somewhere, since the kernel
// would detach what others have mounted inside of it. For the rest it is in three steps: the kernel is told to drop the
// image's entry, and with it all that nobody uses; its FORGETs arrive; an image without lookups is unmapped. An image
// that is still used stays, and is not in the answer. Commands come from one thread.
class Driver final : public DriverCommands {
 public:
  // All must outlive the driver. `mountpoint` is where the kernel shows the session's root.
  Driver(ImageRegistry& images, ContentReader& content, Session& session, std::string mountpoint)
      : images_(images), content_(content), session_(session), mountpoint_(std::move(mountpoint)) {}

  std::vector<ChainId> Serving() override { return images_.Serving(); }
  std::vector<ChainId> Release(std::span<const ChainId> images) override;
  void ClosePacks(std::span<const std::uint32_t> packs) override { content_.ClosePacks(packs); }

 private:
  ImageRegistry& images_;
  ContentReader& content_;
  Session& session_;
  const std::string mountpoint_;
};

}  // namespace varve
