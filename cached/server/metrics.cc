#include "cached/server/metrics.h"

#include <prometheus/text_serializer.h>

namespace varve {
namespace {

constexpr int kUnauthorized = 401;

// Seconds: from an answer out of memory to a layer of gigabytes.
const prometheus::Histogram::BucketBoundaries kDurations = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                            0.5,    1,     2.5,    5,     10,   30,    60,   300};

prometheus::Counter& OneCounter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

}  // namespace

Metrics::Metrics()
    : requests_(prometheus::BuildCounter()
                    .Name("varve_registry_requests_total")
                    .Help("Requests that the registry answered, by method and status.")
                    .Register(registry_)),
      received_bytes_(OneCounter(registry_, "varve_registry_received_bytes_total",
                                 "Bytes of request bodies, most of them pushed blobs.")),
      sent_bytes_(OneCounter(registry_, "varve_registry_sent_bytes_total",
                             "Bytes of answers' bodies, most of them pulled blobs.")),
      refused_logins_(OneCounter(registry_, "varve_registry_unauthorized_total",
                                 "Requests that were asked for a password, or had a wrong one.")),
      seconds_(prometheus::BuildHistogram()
                   .Name("varve_registry_request_seconds")
                   .Help("Time from a request's head to the last byte of its answer.")
                   .Register(registry_)
                   .Add({}, kDurations)),
      manifests_waiting_(prometheus::BuildGauge()
                             .Name("varve_registry_manifests_waiting")
                             .Help("Pushed manifests whose layers are still to be taken in as chunks.")
                             .Register(registry_)
                             .Add({})) {}

void Metrics::Count(const HttpExchangeReport& report) {
  requests_
      .Add({{"method", std::string(HttpMethodName(report.request->method))}, {"status", std::to_string(report.status)}})
      .Increment();
  received_bytes_.Increment(static_cast<double>(report.received_bytes));
  sent_bytes_.Increment(static_cast<double>(report.sent_bytes));
  if (report.status == kUnauthorized) refused_logins_.Increment();
  seconds_.Observe(std::chrono::duration<double>(report.duration).count());
}

std::string Metrics::Text() const { return prometheus::TextSerializer().Serialize(registry_.Collect()); }

}  // namespace varve
