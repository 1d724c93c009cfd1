#include "tests/client/fake_daemon.h"

#include <deque>

#include "cached/base/mutex.h"
#include "cached/client/channel.h"
#include "proto/varve/v1/mount.grpc.pb.h"

namespace varve {
namespace {

constexpr std::chrono::seconds kEventTimeout{20};

grpc::Status ToGrpc(const Error& error) { return {static_cast<grpc::StatusCode>(error.code()), error.message()}; }

}  // namespace

class FakeDaemon::Service final : public v1::Mounts::Service {
 public:
  using Stream = grpc::ServerReaderWriter<v1::DriverCommand, v1::DriverEvent>;

  Service(const std::string& socket_path, varve::Mounts& answers) : answers_(answers) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("unix:" + socket_path, grpc::InsecureServerCredentials());
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    VARVE_CHECK(server_ != nullptr);
  }
  ~Service() override { server_->Shutdown(std::chrono::system_clock::now()); }

  grpc::Status Describe(grpc::ServerContext*, const v1::DescribeRequest* request, v1::DescribeReply* reply) override {
    const auto digest = Digest::FromHexText(request->chain_id());
    if (!digest.ok()) return ToGrpc(digest.error());
    const auto slots = answers_.Describe(ChainId{*digest});
    if (!slots.ok()) return ToGrpc(slots.error());
    reply->set_slot(slots->slot);
    for (const auto& layer : slots->layers) {
      v1::DescribeReply::Layer* added = reply->add_layers();
      added->set_diff_id(layer.diff_id.hex());
      added->set_slot(layer.slot);
    }
    return grpc::Status::OK;
  }

  grpc::Status Resolve(grpc::ServerContext*, const v1::ResolveRequest* request, v1::ResolveReply* reply) override {
    const auto digest = Digest::FromHexText(request->diff_id());
    if (!digest.ok()) return ToGrpc(digest.error());
    const auto word = answers_.Resolve(*digest, request->ordinal(), request->image());
    if (!word.ok()) return ToGrpc(word.error());
    reply->set_locator(*word);
    return grpc::Status::OK;
  }

  grpc::Status Attend(grpc::ServerContext*, Stream* stream) override {
    {
      MutexLock lock(mutex_);
      stream_ = stream;
      changed_.NotifyAll();
    }
    for (v1::DriverEvent event; stream->Read(&event);) {
      MutexLock lock(mutex_);
      events_.push_back(event);
      changed_.NotifyAll();
    }
    MutexLock lock(mutex_);
    stream_ = nullptr;
    return grpc::Status::OK;
  }

  v1::DriverEvent Await(v1::DriverEvent::EventCase kind) {
    MutexLock lock(mutex_);
    while (true) {
      for (auto event = events_.begin(); event != events_.end(); ++event) {
        if (event->event_case() != kind) continue;
        v1::DriverEvent found = *event;
        events_.erase(event);
        return found;
      }
      VARVE_CHECK(changed_.WaitFor(lock, kEventTimeout));
    }
  }

  void Command(const v1::DriverCommand& command) {
    MutexLock lock(mutex_);
    while (stream_ == nullptr) VARVE_CHECK(changed_.WaitFor(lock, kEventTimeout));
    stream_->Write(command);
  }

 private:
  varve::Mounts& answers_;
  std::unique_ptr<grpc::Server> server_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<v1::DriverEvent> events_ GUARDED_BY(mutex_);
  Stream* stream_ GUARDED_BY(mutex_) = nullptr;
};

FakeDaemon::FakeDaemon(const std::string& socket_path, Mounts& answers)
    : service_(std::make_unique<Service>(socket_path, answers)) {}
FakeDaemon::~FakeDaemon() = default;

std::vector<std::string> FakeDaemon::AwaitServing() {
  const v1::DriverEvent event = service_->Await(v1::DriverEvent::kServing);
  return {event.serving().chain_ids().begin(), event.serving().chain_ids().end()};
}

std::vector<std::string> FakeDaemon::Release(const std::vector<ChainId>& images) {
  v1::DriverCommand command;
  command.mutable_release()->set_request(7);
  for (const ChainId& image : images) command.mutable_release()->add_chain_ids(image.hex());
  service_->Command(command);
  const v1::DriverEvent event = service_->Await(v1::DriverEvent::kReleased);
  VARVE_CHECK(event.released().request() == 7);
  return {event.released().chain_ids().begin(), event.released().chain_ids().end()};
}

void FakeDaemon::ClosePacks(const std::vector<std::uint32_t>& packs) {
  v1::DriverCommand command;
  command.mutable_close_packs()->set_request(8);
  for (const std::uint32_t pack : packs) command.mutable_close_packs()->add_packs(pack);
  service_->Command(command);
  VARVE_CHECK(service_->Await(v1::DriverEvent::kPacksClosed).packs_closed().request() == 8);
}

}  // namespace varve
