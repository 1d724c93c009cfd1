#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/runtime/name_service.h"

namespace varve {
namespace {

using ::testing::HasSubstr;

constexpr const char* kHost =
    "# the host's\nsearch example.org\nnameserver 192.0.2.1\nnameserver 127.0.0.1\nnameserver fd00::1\noptions "
    "rotate\n";

NetworkOptions On(const std::string& network) {
  NetworkOptions options;
  options.network = network;
  return options;
}

TEST(RuntimeNameServiceTest, TheHostsServersAreAskedThatCanBeReached) {
  EXPECT_EQ(ResolvConf(kHost, On("host")), kHost);
  EXPECT_EQ(ResolvConf(kHost, On("bridge")),
            "# the host's\nsearch example.org\nnameserver 192.0.2.1\noptions rotate\n");
}

TEST(RuntimeNameServiceTest, WithoutAServerInReachDockersAreAsked) {
  EXPECT_EQ(ResolvConf("nameserver\t127.0.0.1\n", On("bridge")), "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
  EXPECT_EQ(ResolvConf("nameserver 127.0.0.1\n", On("none")), "") << "which reaches nobody";
  EXPECT_EQ(ResolvConf("nameserver 127.0.0.1\n", On("host")), "nameserver 127.0.0.1\n");
  EXPECT_TRUE(AsksResolved("nameserver 127.0.0.53\noptions edns0\n"));
  EXPECT_FALSE(AsksResolved("nameserver 127.0.0.53\nnameserver 192.0.2.1\n"));
}

TEST(RuntimeNameServiceTest, OptionsReplaceLinesOfTheirKind) {
  NetworkOptions options = On("bridge");
  options.dns = {"127.0.0.1", "fd00::2"};
  EXPECT_EQ(ResolvConf(kHost, options),
            "# the host's\nsearch example.org\noptions rotate\nnameserver 127.0.0.1\nnameserver fd00::2\n");
  options.dns_search = {"a.test", "b.test"};
  options.dns_options = {"ndots:2"};
  EXPECT_EQ(ResolvConf(kHost, options),
            "# the host's\nnameserver 127.0.0.1\nnameserver fd00::2\nsearch a.test b.test\noptions ndots:2\n");
  options.dns_search = {"."};
  EXPECT_THAT(ResolvConf(kHost, options), testing::Not(HasSubstr("search")));
}

TEST(RuntimeNameServiceTest, HostsAreAddedInBothOfDockersForms) {
  EXPECT_EQ(*ResolveHost("a:192.0.2.7", ""), "a:192.0.2.7");
  EXPECT_EQ(*ResolveHost("a=::1", ""), "a:::1");
  EXPECT_EQ(*ResolveHost("a:[fd00::2]", ""), "a:fd00::2");
  EXPECT_EQ(*ResolveHost("a:host-gateway", "192.0.2.1"), "a:192.0.2.1");
  for (const char* text : {"", "a", ":192.0.2.1", "a b:192.0.2.1", "a:", "a:b", "a:192.0.2.1 c", "a:host-gateway"})
    EXPECT_EQ(ResolveHost(text, "").error().code(), Code::kInvalidArgument) << text;
  NetworkOptions options;
  options.add_hosts = {"a:192.0.2.7", "b:fd00::2"};
  EXPECT_EQ(HostLines(options), "192.0.2.7\ta\nfd00::2\tb\n");
}

TEST(RuntimeNameServiceTest, WhatCannotBeMeantIsRefused) {
  NetworkOptions options = On("bridge");
  options.dns = {"localhost"};
  EXPECT_THAT(CheckNameOptions(options).error().message(), HasSubstr("localhost is not an ip address"));
  options = On("container:x");
  EXPECT_TRUE(CheckNameOptions(options).ok());
  options.dns_search = {"a.test"};
  EXPECT_THAT(CheckNameOptions(options).error().message(), HasSubstr("conflicting options: dns"));
}

}  // namespace
}  // namespace varve
