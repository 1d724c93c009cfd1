#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <string>

#include "cached/http/handler.h"

namespace varve {

// What /metrics says, in Prometheus' text format. Each metric is described where it is declared, in metrics.cc.
// Thread-safe.
class Metrics {
 public:
  Metrics();

  // At the end of each exchange.
  void Count(const HttpExchangeReport& report);
  // A number that is asked for when /metrics is read.
  void SetManifestsWaiting(std::size_t manifests) { manifests_waiting_.Set(static_cast<double>(manifests)); }
  std::string Text() const;

 private:
  prometheus::Registry registry_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Counter& received_bytes_;
  prometheus::Counter& sent_bytes_;
  prometheus::Counter& refused_logins_;
  prometheus::Histogram& seconds_;
  prometheus::Gauge& manifests_waiting_;
};

}  // namespace varve
