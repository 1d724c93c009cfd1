#include "cached/server/progress_stream.h"

namespace varve {
namespace {

v1::PullEvent::Layer::State ToProto(LayerProgress::State state) {
  switch (state) {
    case LayerProgress::State::kWaiting:
      return v1::PullEvent::Layer::WAITING;
    case LayerProgress::State::kDownloading:
      return v1::PullEvent::Layer::DOWNLOADING;
    case LayerProgress::State::kExists:
      return v1::PullEvent::Layer::EXISTS;
    case LayerProgress::State::kDone:
      return v1::PullEvent::Layer::DONE;
    case LayerProgress::State::kPushing:
      return v1::PullEvent::Layer::PUSHING;
    case LayerProgress::State::kMounted:
      return v1::PullEvent::Layer::MOUNTED;
  }
  return v1::PullEvent::Layer::WAITING;
}

}  // namespace

ProgressStream::ProgressStream(Send send, CancelToken& cancel, std::chrono::milliseconds interval)
    : send_(std::move(send)), cancel_(cancel), interval_(interval), thread_([this] { Work(); }) {}

ProgressStream::~ProgressStream() { Finish(); }

void ProgressStream::Report(const LayerProgress& progress) {
  MutexLock lock(mutex_);
  changed_.insert_or_assign(progress.blob, progress);
}

void ProgressStream::Finish() {
  {
    MutexLock lock(mutex_);
    if (finished_) return;
    finished_ = true;
    wake_.NotifyAll();
  }
  thread_.join();
  SendChanges();
}

void ProgressStream::Work() {
  while (true) {
    {
      MutexLock lock(mutex_);
      if (!finished_) wake_.WaitFor(lock, interval_);
      if (finished_) return;
    }
    if (!SendChanges()) cancel_.Cancel();
  }
}

bool ProgressStream::SendChanges() {
  v1::PullEvent event;
  {
    MutexLock lock(mutex_);
    for (const auto& [blob, progress] : changed_) {
      v1::PullEvent::Layer& layer = *event.add_layers();
      layer.set_digest(blob.ToString());
      layer.set_state(ToProto(progress.state));
      layer.set_done_bytes(progress.done_bytes);
      layer.set_total_bytes(progress.total_bytes);
      layer.set_from(progress.from);
    }
    changed_.clear();
  }
  // An empty event still finds out whether the client is there.
  return send_(event);
}

}  // namespace varve
