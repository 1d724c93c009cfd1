#include "cached/http/channel.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <tuple>

namespace varve {
namespace {

constexpr std::size_t kTurnBytes = 1 << 20;

}  // namespace

Task<Status> Channel::Wait(TcpSocket::wait_type what) {
  if (!interrupted_) {
    waiting_until_ = stall_ ? std::chrono::steady_clock::now() + *stall_ : until_;
    const auto [error] = co_await socket_.async_wait(what, kNoThrow);
    waiting_until_ = TimePoint::max();
    moved_bytes_ = 0;
    if (!interrupted_ && error) co_return ErrnoError(error.value(), "wait for the client");
  }
  if (interrupted_) co_return Error(*interrupted_, "the wait for the client was ended");
  co_return Ok();
}

template <class Attempt>
Task<Result<WireStep>> Channel::Complete(Attempt attempt) {
  while (true) {
    const Result<WireStep> step = attempt();
    if (!step.ok()) co_return step.error();
    if (step->kind == WireStep::Kind::kMoved || step->kind == WireStep::Kind::kEnded) {
      moved_bytes_ += step->bytes;
      if (moved_bytes_ >= kTurnBytes) co_await Yield();
      co_return *step;
    }
    const Status waited =
        co_await Wait(step->kind == WireStep::Kind::kWantsToRead ? TcpSocket::wait_read : TcpSocket::wait_write);
    if (!waited.ok()) co_return waited.error();
  }
}

Task<void> Channel::Yield() {
  moved_bytes_ = 0;
  co_await boost::asio::post(socket_.get_executor(), kNoThrow);
}

Task<Status> Channel::Handshake() {
  const Result<WireStep> step = co_await Complete([this] { return wire_->Handshake(); });
  if (!step.ok()) co_return step.error();
  if (step->kind == WireStep::Kind::kEnded) co_return Error(Code::kUnavailable, "the client has gone");
  co_return Ok();
}

Task<Status> Channel::WaitForInput() {
  if (wire_->holds_input()) co_return Ok();
  co_return co_await Wait(TcpSocket::wait_read);
}

Task<Result<std::size_t>> Channel::Read(std::span<std::byte> into) {
  const Result<WireStep> step = co_await Complete([this, into] { return wire_->Read(into); });
  if (!step.ok()) co_return step.error();
  co_return step->bytes;
}

Task<Status> Channel::Write(ByteSpan bytes, More more) {
  while (!bytes.empty()) {
    const Result<WireStep> step = co_await Complete([this, bytes, more] { return wire_->Write(bytes, more); });
    if (!step.ok()) co_return step.error();
    if (step->kind == WireStep::Kind::kEnded) co_return Error(Code::kUnavailable, "the client has gone");
    bytes = bytes.subspan(step->bytes);
  }
  co_return Ok();
}

Task<Status> Channel::SendFile(const File& file, std::uint64_t offset, std::uint64_t length) {
  while (length > 0) {
    const auto at_most = static_cast<std::size_t>(std::min<std::uint64_t>(length, kTurnBytes));
    const Result<WireStep> step =
        co_await Complete([this, &file, offset, at_most] { return wire_->SendFile(file, offset, at_most); });
    if (!step.ok()) co_return step.error();
    if (step->kind == WireStep::Kind::kEnded)
      co_return Error(Code::kDataLoss, "a file became shorter while it was sent: the connection is closed");
    offset += step->bytes;
    length -= step->bytes;
  }
  co_return Ok();
}

void Channel::Interrupt(Code why) {
  if (interrupted_ != Code::kCancelled) interrupted_ = why;
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

}  // namespace varve
