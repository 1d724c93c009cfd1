#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <thread>

#include "cached/base/cancel.h"
#include "cached/base/mutex.h"
#include "cached/transfer/install.h"
#include "proto/varve/v1/image.pb.h"

namespace varve {

// Gathers what several threads say of their layers and sends it at a steady pace, so that progress costs the transfer
// nothing. A client that has gone away cancels the work. The destructor sends what is left.
class ProgressStream {
 public:
  using Send = std::function<bool(const v1::PullEvent&)>;  // false: the client is gone
  ProgressStream(Send send, CancelToken& cancel, std::chrono::milliseconds interval = std::chrono::milliseconds(100));
  ~ProgressStream();

  void Report(const LayerProgress& progress) EXCLUDES(mutex_);
  // Sends what is left and ends; later reports are dropped.
  void Finish() EXCLUDES(mutex_);

 private:
  void Work();
  bool SendChanges() EXCLUDES(mutex_);

  const Send send_;
  CancelToken& cancel_;
  const std::chrono::milliseconds interval_;
  Mutex mutex_;
  CondVar wake_;
  std::map<Digest, LayerProgress> changed_ GUARDED_BY(mutex_);
  bool finished_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace varve
