#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "cli/runtime/ports.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> Parsed(const std::string& text) {
  std::vector<std::string> texts;
  const std::vector<PortRequest> requests = *ParsePublish(text);
  for (const PortRequest& request : requests) {
    texts.push_back(request.host_address + ":" + std::to_string(request.host_first) + "-" +
                    std::to_string(request.host_last) + ":" + std::to_string(request.container_port) + "/" +
                    request.protocol);
  }
  return texts;
}

TEST(RuntimePortsTest, WhatDockerTakesIsUnderstood) {
  EXPECT_THAT(Parsed("80"), ElementsAre("0.0.0.0:0-0:80/tcp"));
  EXPECT_THAT(Parsed("8080:80"), ElementsAre("0.0.0.0:8080-8080:80/tcp"));
  EXPECT_THAT(Parsed("127.0.0.1::53/UDP"), ElementsAre("127.0.0.1:0-0:53/udp"));
  EXPECT_THAT(Parsed("127.0.0.1:0:53"), ElementsAre("127.0.0.1:0-0:53/tcp"));
  EXPECT_THAT(Parsed("127.0.0.1:8080:80/tcp"), ElementsAre("127.0.0.1:8080-8080:80/tcp"));
  EXPECT_THAT(Parsed("8000-8001:80-81"), ElementsAre("0.0.0.0:8000-8000:80/tcp", "0.0.0.0:8001-8001:81/tcp"));
  EXPECT_THAT(Parsed("80-81"), ElementsAre("0.0.0.0:0-0:80/tcp", "0.0.0.0:0-0:81/tcp"));
  EXPECT_THAT(Parsed("8000-8009:80"), ElementsAre("0.0.0.0:8000-8009:80/tcp")) << "any of these";
  EXPECT_THAT(*ParseExpose("80-81/udp"), ElementsAre("80/udp", "81/udp"));
}

TEST(RuntimePortsTest, WhatCannotBeMeantIsRefused) {
  for (const char* text : {"", "0", "65536", "80/sctp", "80-79", "8000-8002:80-81", "x:80", "host:80:80",
                           "80:", "::1:80:80", "1:2:3:80", "80 ", "-80"})
    EXPECT_EQ(ParsePublish(text).error().code(), Code::kInvalidArgument) << text;
  EXPECT_EQ(ParseExpose("8080:80").error().code(), Code::kInvalidArgument);
  NetworkOptions options;
  options.publish = {"1-1000:1-1000"};
  EXPECT_THAT(RequestedPorts(options).error().message(), HasSubstr("more than 512"));
}

TEST(RuntimePortsTest, WhatAnImageExposesCannotStopAContainer) {
  EXPECT_THAT(*ExposedPorts({"81"}, {"80/tcp", "81/tcp", "9/sctp", "nonsense", "1-65535"}),
              ElementsAre("80/tcp", "81/tcp"));
  EXPECT_EQ(ExposedPorts({"9/sctp"}, {}).error().code(), Code::kInvalidArgument);
  EXPECT_THAT(ExposedPorts({"1-5000"}, {}).error().message(), HasSubstr("more than 4096"));
}

TEST(RuntimePortsTest, PublishingAllAddsWhatIsExposedAndNotPublishedYet) {
  NetworkOptions options;
  options.publish = {"8080:80"};
  options.expose = {"80/tcp", "53/udp"};
  EXPECT_EQ(RequestedPorts(options)->size(), 1u);
  options.publish_all = true;
  const std::vector<PortRequest> requests = *RequestedPorts(options);
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[1].container_port, 53);
  EXPECT_EQ(requests[1].host_first, 0);
}

PortRequest Loopback(std::uint16_t first, std::uint16_t last, const std::string& protocol) {
  return {
      .host_address = "127.0.0.1", .host_first = first, .host_last = last, .container_port = 80, .protocol = protocol};
}

TEST(RuntimePortsTest, APortThatIsHeldIsTakenUntilItIsLetGo) {
  for (const char* protocol : {"tcp", "udp"}) {
    HeldPorts held = *HoldPorts({Loopback(0, 0, protocol)});
    const std::uint16_t port = held.ports[0].host_port;
    EXPECT_GT(port, 0);
    const auto again = HoldPorts({Loopback(port, port, protocol)});
    EXPECT_THAT(again.error().message(), HasSubstr(std::to_string(port) + "/" + protocol + " is already allocated"));
    held.sockets.clear();
    EXPECT_TRUE(HoldPorts({Loopback(port, port, protocol)}).ok());
  }
}

TEST(RuntimePortsTest, OfARangeTheFirstFreePortIsTaken) {
  // Neighbours that are free: others may take one meanwhile, so it is tried again from elsewhere.
  for (int attempt = 0; attempt < 20; ++attempt) {
    const HeldPorts held = *HoldPorts({Loopback(0, 0, "udp")});
    const std::uint16_t port = held.ports[0].host_port;
    if (port == 65535) continue;
    const auto next = HoldPorts({Loopback(port, static_cast<std::uint16_t>(port + 1), "udp")});
    if (!next.ok()) continue;
    EXPECT_EQ(next->ports[0].host_port, port + 1);
    return;
  }
  FAIL() << "no two free ports beside each other";
}

}  // namespace
}  // namespace varve
