#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cached/base/result.h"
#include "cached/content/digest.h"

namespace varve {

// What a driver needs to serve an image: the slots that name its inodes.
struct ImageSlots {
  struct Layer {
    Digest diff_id;
    std::uint32_t slot;
  };
  std::uint32_t slot;
  std::vector<Layer> layers;  // lowest first
};

// What the driver asks the daemon: over gRPC, or of a double in tests. Thread-safe.
class Mounts {
 public:
  virtual ~Mounts() = default;
  // kNotFound if the image is not stored; else it stays pinned until the driver says that it was released.
  virtual Result<ImageSlots> Describe(const ChainId& chain_id) = 0;
  // The locator word of a chunk that cannot be read where its table says. Waits for a daemon that is away. kDataLoss:
  // it is damaged.
  virtual Result<std::uint64_t> Resolve(const Digest& diff_id, std::uint32_t ordinal, const std::string& image) = 0;
};

// What the daemon asks of the driver. Called from one thread.
class DriverCommands {
 public:
  virtual ~DriverCommands() = default;
  virtual std::vector<ChainId> Serving() = 0;
  // Those of `images` that are served no more.
  virtual std::vector<ChainId> Release(std::span<const ChainId> images) = 0;
  virtual void ClosePacks(std::span<const std::uint32_t> packs) = 0;
};

class MountsClient final : public Mounts {
 public:
  struct Options {
    std::chrono::milliseconds describe_timeout{10'000};
    std::chrono::milliseconds resolve_timeout{30'000};  // how long a read waits for content that is absent
  };
  MountsClient(const std::string& socket_path, const Options& options);
  ~MountsClient() override;

  Result<ImageSlots> Describe(const ChainId& chain_id) override;
  Result<std::uint64_t> Resolve(const Digest& diff_id, std::uint32_t ordinal, const std::string& image) override;

  // Keeps the daemon told of what `commands` serves, and carries out what it asks, on a thread of its own until the
  // attendance is destroyed. Opens the stream anew, and says all again, after the daemon restarted.
  class Attendance {
   public:
    Attendance(MountsClient& client, DriverCommands& commands);
    ~Attendance();
    // Says what is served now. To be called after an image was added: a daemon that restarted meanwhile does not know
    // of it.
    void Announce();

   private:
    class Loop;
    std::unique_ptr<Loop> loop_;
  };

 private:
  struct Stub;
  const Options options_;
  std::unique_ptr<Stub> stub_;
};

}  // namespace varve
