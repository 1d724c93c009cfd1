#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "cached/base/bytes.h"
#include "cached/base/fs.h"
#include "cached/base/result.h"
#include "cached/http/coroutine.h"
#include "cached/http/wire.h"

namespace varve {

// A connection's bytes for a coroutine, which waits where a Wire cannot go on. Everything but the constructor belongs
// to the thread of the socket's executor.
//
// Time-outs cost nothing while nothing waits: a wait only notes when its time is up, and whoever owns the channel calls
// EndOverdueWait now and then. After 1 MiB without a wait the other connections of the thread get their turn.
class Channel {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  Channel(TcpSocket socket, std::unique_ptr<Wire> wire) : socket_(std::move(socket)), wire_(std::move(wire)) {}

  bool secure() const { return wire_->secure(); }
  std::string peer_name() const { return wire_->peer_name(); }

  // The waits from here on may each last so long, or all of them until then.
  void AllowStalls(std::chrono::nanoseconds each) { stall_ = each, until_ = TimePoint::max(); }
  void AllowUntil(TimePoint until) { stall_.reset(), until_ = until; }

  // kDeadlineExceeded when the time is up; Interrupt's code; other codes: the connection is broken.
  Task<Status> Handshake();
  Task<Status> WaitForInput();                                // or an end
  Task<Result<std::size_t>> Read(std::span<std::byte> into);  // 0: the client has ended
  Task<Status> Write(ByteSpan bytes, More more);
  Task<Status> SendFile(const File& file, std::uint64_t offset,
                        std::uint64_t length);  // kDataLoss: it is shorter, or cannot be read
  void EndWrites() { wire_->EndWrites(); }

  // Lets others of this thread run.
  Task<void> Yield();

  // Ends the wait under way and refuses further ones, with `why`, until Resume; kCancelled is for good.
  void Interrupt(Code why);
  void Resume() {
    if (interrupted_ != Code::kCancelled) interrupted_.reset();
  }
  void EndOverdueWait(TimePoint now) {
    if (waiting_until_ < now) Interrupt(Code::kDeadlineExceeded);
  }

 private:
  // Repeats `attempt` until it is no longer blocked.
  template <class Attempt>
  Task<Result<WireStep>> Complete(Attempt attempt);
  Task<Status> Wait(TcpSocket::wait_type what);

  TcpSocket socket_;
  const std::unique_ptr<Wire> wire_;
  std::optional<std::chrono::nanoseconds> stall_;
  TimePoint until_ = TimePoint::max();
  TimePoint waiting_until_ = TimePoint::max();  // of the wait under way
  std::optional<Code> interrupted_;
  std::size_t moved_bytes_ = 0;  // since the last wait
};

}  // namespace varve
