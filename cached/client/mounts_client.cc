#include "cached/client/mounts_client.h"

#include <fmt/core.h>

#include <algorithm>
#include <thread>

#include "cached/base/log.h"
#include "cached/base/mutex.h"
#include "cached/client/channel.h"
#include "proto/varve/v1/mount.grpc.pb.h"

namespace varve {
namespace {

constexpr std::chrono::milliseconds kBackOffMin{50};
constexpr std::chrono::milliseconds kBackOffMax{2000};
constexpr int kLayersMax = 4096;

Result<ImageSlots> FromReply(const v1::DescribeReply& reply) {
  if (reply.layers_size() > kLayersMax) return Error(Code::kInternal, fmt::format("{} layers", reply.layers_size()));
  ImageSlots slots{.slot = reply.slot(), .layers = {}};
  for (const auto& layer : reply.layers()) {
    VARVE_ASSIGN_OR_RETURN(const Digest diff_id, Digest::FromHexText(layer.diff_id()));
    slots.layers.push_back({diff_id, layer.slot()});
  }
  return slots;
}

using Deadline = std::chrono::system_clock::time_point;
Deadline After(std::chrono::milliseconds timeout) { return std::chrono::system_clock::now() + timeout; }

void SetDeadline(grpc::ClientContext& context, Deadline deadline) {
  context.set_deadline(deadline);
  context.set_wait_for_ready(true);
}

}  // namespace

struct MountsClient::Stub {
  std::unique_ptr<v1::Mounts::Stub> rpc;
};

MountsClient::MountsClient(const std::string& socket_path, const Options& options)
    : options_(options), stub_(std::make_unique<Stub>(v1::Mounts::NewStub(ConnectUnix(socket_path)))) {}
MountsClient::~MountsClient() = default;

Result<ImageSlots> MountsClient::Describe(const ChainId& chain_id) {
  grpc::ClientContext context;
  SetDeadline(context, After(options_.describe_timeout));
  v1::DescribeRequest request;
  request.set_chain_id(chain_id.hex());
  v1::DescribeReply reply;
  const grpc::Status status = stub_->rpc->Describe(&context, request, &reply);
  if (!status.ok()) return FromGrpc(status);
  return FromReply(reply).In(fmt::format("the daemon's description of image {}", chain_id.hex()));
}

// A call waits by itself for a daemon that is away, but not for one that dies while it answers.
Result<std::uint64_t> MountsClient::Resolve(const Digest& diff_id, std::uint32_t ordinal, const std::string& image) {
  v1::ResolveRequest request;
  request.set_diff_id(diff_id.hex());
  request.set_ordinal(ordinal);
  request.set_image(image);
  const Deadline deadline = After(options_.resolve_timeout);
  for (auto back_off = kBackOffMin;; back_off = std::min(back_off * 2, kBackOffMax)) {
    grpc::ClientContext context;
    SetDeadline(context, deadline);
    v1::ResolveReply reply;
    const grpc::Status status = stub_->rpc->Resolve(&context, request, &reply);
    if (status.ok()) return reply.locator();
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE || After(back_off) > deadline) return FromGrpc(status);
    std::this_thread::sleep_for(back_off);
  }
}

class MountsClient::Attendance::Loop {
 public:
  Loop(v1::Mounts::Stub& rpc, DriverCommands& commands) : rpc_(rpc), commands_(commands), thread_([this] { Run(); }) {}

  ~Loop() {
    {
      MutexLock lock(mutex_);
      stopping_ = true;
      if (context_ != nullptr) context_->TryCancel();
      wake_.NotifyAll();
    }
    thread_.join();
  }

  // False if no daemon is there.
  bool Announce() {
    v1::DriverEvent event;
    for (const ChainId& image : commands_.Serving()) event.mutable_serving()->add_chain_ids(image.hex());
    if (!event.has_serving()) event.mutable_serving();
    return Write(event);
  }

 private:
  using Stream = grpc::ClientReaderWriter<v1::DriverEvent, v1::DriverCommand>;

  void Run() {
    auto back_off = kBackOffMin;
    while (!Stopping()) {
      if (Attend()) back_off = kBackOffMin;
      MutexLock lock(mutex_);
      if (!stopping_) wake_.WaitFor(lock, back_off);
      back_off = std::min(back_off * 2, kBackOffMax);
    }
  }

  bool Stopping() {
    MutexLock lock(mutex_);
    return stopping_;
  }

  // One life of the stream; true if the daemon was there.
  bool Attend() {
    grpc::ClientContext context;
    {
      MutexLock lock(mutex_);
      if (stopping_) return false;
      context_ = &context;
    }
    const std::unique_ptr<Stream> stream = rpc_.Attend(&context);
    {
      MutexLock lock(writing_);
      stream_ = stream.get();
    }
    const bool was_there = Announce();
    for (v1::DriverCommand command; stream->Read(&command);) Obey(command);
    {
      MutexLock lock(writing_);
      stream_ = nullptr;
    }
    {
      MutexLock lock(mutex_);
      context_ = nullptr;
    }
    stream->Finish();
    return was_there;
  }

  void Obey(const v1::DriverCommand& command) {
    v1::DriverEvent event;
    if (command.has_release()) {
      std::vector<ChainId> images;
      for (const std::string& hex : command.release().chain_ids()) {
        if (const auto digest = Digest::FromHexText(hex); digest.ok()) images.push_back(ChainId{*digest});
      }
      event.mutable_released()->set_request(command.release().request());
      for (const ChainId& image : commands_.Release(images)) event.mutable_released()->add_chain_ids(image.hex());
    } else if (command.has_close_packs()) {
      const auto& packs = command.close_packs().packs();
      commands_.ClosePacks({packs.data(), static_cast<std::size_t>(packs.size())});
      event.mutable_packs_closed()->set_request(command.close_packs().request());
    } else {
      LogWarning("the daemon sent a command that this varve-fuse does not know: are both of one version?");
      return;
    }
    Write(event);
  }

  // A stream takes one writer at a time: the lock is for exactly that.
  bool Write(const v1::DriverEvent& event) {
    MutexLock lock(writing_);
    return stream_ != nullptr && stream_->Write(event);
  }

  v1::Mounts::Stub& rpc_;
  DriverCommands& commands_;

  Mutex writing_;
  Stream* stream_ GUARDED_BY(writing_) = nullptr;

  Mutex mutex_;
  CondVar wake_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  grpc::ClientContext* context_ GUARDED_BY(mutex_) = nullptr;

  std::thread thread_;  // last: it uses all of the above
};

MountsClient::Attendance::Attendance(MountsClient& client, DriverCommands& commands)
    : loop_(std::make_unique<Loop>(*client.stub_->rpc, commands)) {}
MountsClient::Attendance::~Attendance() = default;
void MountsClient::Attendance::Announce() { loop_->Announce(); }

}  // namespace varve
