#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/http/served.h"
#include "tests/support/allocation_meter.h"

namespace varve {
namespace {

// Both ends of each are in this process, and counted; the kernel's part is not.
TEST(HttpMemoryTest, TwoThousandIdleConnectionsTakeLittleMemory) {
  constexpr std::size_t kConnections = 2000;
  Served served([](const HttpRequest&) { return TextResponse(""); });
  std::vector<HttpClient> clients;
  clients.reserve(kConnections);
  const std::size_t before = AllocatedBytes();
  for (std::size_t i = 0; i < kConnections; ++i) clients.push_back(served.Client());
  for (HttpClient& client : clients) client.Send(Get("/" + std::string(3000, 'x')));
  for (HttpClient& client : clients) ASSERT_EQ(client.Receive().status, 200);
  EXPECT_LT((AllocatedBytes() - before) / kConnections, 4096);
}

}  // namespace
}  // namespace varve
