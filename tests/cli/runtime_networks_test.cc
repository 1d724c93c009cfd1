#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "cli/runtime/cni.h"
#include "cli/runtime/endpoint.h"
#include "cli/runtime/etc_files.h"
#include "cli/runtime/networks.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> NamesOf(const NetworkRoom& room) {
  std::vector<std::string> names;
  const std::vector<Network> networks = *room.List();
  for (const Network& network : networks) names.push_back(network.name);
  return names;
}

TEST(RuntimeIpv4Test, ARangeBeginsWhereItsPrefixSays) {
  EXPECT_EQ(RangeText(*ParseRange("10.1.2.3/20")), "10.1.0.0/20");
  EXPECT_EQ(AddressText(ParseRange("10.1.2.3/20")->last()), "10.1.15.255");
  EXPECT_EQ(RangeText(*ParseRange("1.2.3.4/32")), "1.2.3.4/32");
  EXPECT_EQ(ParseRange("0.0.0.0/0")->last(), ~Ipv4Address{0});
  for (const char* text : {"", "10.1.2.3", "10.1.2/24", "10.1.2.3/33", "10.1.2.3/", "10.1.2.3/8x", "fd00::/8"})
    EXPECT_EQ(ParseRange(text).error().code(), Code::kInvalidArgument) << text;
}

TEST(RuntimeIpv4Test, RoutesAreReadButForTheDefaultOne) {
  const std::vector<Ipv4Range> routes = ParseRoutes(
      "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
      "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
      "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n");
  ASSERT_EQ(routes.size(), 1u);
  EXPECT_EQ(RangeText(routes[0]), "192.0.2.0/24");
}

TEST(RuntimeNetworksTest, ASubnetIsChosenThatOverlapsNoOther) {
  const Ipv4Range first = *ChooseSubnet({}, 0);
  EXPECT_EQ(RangeText(first), "10.64.0.0/20");
  EXPECT_EQ(RangeText(*ChooseSubnet({first, *ParseRange("10.64.17.0/24")}, 0)), "10.64.32.0/20");
  EXPECT_EQ(RangeText(*ChooseSubnet({*ParseRange("10.79.240.0/24")}, 255)), "10.64.0.0/20")
      << "the last: it begins anew";
  EXPECT_EQ(ChooseSubnet({*ParseRange("10.0.0.0/8")}, 7).error().code(), Code::kResourceExhausted);
}

class RuntimeNetworkRoomTest : public testing::Test {
 protected:
  static NewNetwork Named(const std::string& name, const std::string& subnet) {
    return {.name = name, .subnet = *ParseRange(subnet), .gateway = {}, .internal = false};
  }

  const TempDir directory_;
  const NetworkRoom room_{directory_ / "networks"};
};

TEST_F(RuntimeNetworkRoomTest, ThePredefinedNetworksAreThereAndStay) {
  EXPECT_THAT(NamesOf(room_), ElementsAre("bridge", "host", "none"));
  const Network bridge = *room_.Find("bridge");
  EXPECT_EQ(room_.Find("bridge")->id, bridge.id);
  EXPECT_EQ(room_.Remove(bridge).error().code(), Code::kPermissionDenied);
}

TEST_F(RuntimeNetworkRoomTest, ANetworkComesBackAsItWasMade) {
  NewNetwork wanted = Named("back", "192.0.2.77/24");
  wanted.internal = true;
  const Network made = *room_.Create(wanted);
  const Network found = *room_.Find(made.id.substr(0, 12));
  EXPECT_EQ(NetworkJson(found), NetworkJson(made));
  EXPECT_EQ(RangeText(found.subnet), "192.0.2.0/24");
  EXPECT_EQ(AddressText(found.gateway), "192.0.2.1");
  EXPECT_TRUE(found.internal);
  ASSERT_TRUE(room_.Remove(found).ok());
  EXPECT_EQ(room_.Find("back").error().code(), Code::kNotFound);
}

TEST_F(RuntimeNetworkRoomTest, WhatCannotBeIsRefused) {
  ASSERT_TRUE(room_.Create(Named("one", "192.0.2.0/25")).ok());
  EXPECT_EQ(room_.Create(Named("one", "198.51.100.0/24")).error().code(), Code::kAlreadyExists);
  EXPECT_EQ(room_.Create(Named("host", "198.51.100.0/24")).error().code(), Code::kAlreadyExists);
  EXPECT_THAT(room_.Create(Named("two", "192.0.2.64/26")).error().message(), HasSubstr("overlaps"));
  EXPECT_THAT(room_.Create(Named("a/b", "198.51.100.0/24")).error().message(), HasSubstr("invalid network name"));
  EXPECT_EQ(room_.Create(Named("two", "198.51.100.0/31")).error().code(), Code::kInvalidArgument);
  NewNetwork wanted = Named("two", "198.51.100.0/24");
  for (const char* gateway : {"198.51.100.0", "198.51.100.255", "10.0.0.1"}) {
    wanted.gateway = *ParseAddress(gateway);
    EXPECT_THAT(room_.Create(wanted).error().message(), HasSubstr("gateway")) << gateway;
  }
  EXPECT_THAT(NamesOf(room_), Not(testing::Contains("two")));
}

TEST_F(RuntimeNetworkRoomTest, ADamagedFileIsNamed) {
  ASSERT_TRUE(room_.List().ok());
  std::ofstream(directory_ / "networks/x.json") << "{}";
  EXPECT_THAT(room_.List().error().message(), HasSubstr("networks/x.json"));
  EXPECT_EQ(ParseNetwork(R"({"version": 2})").error().code(), Code::kFailedPrecondition);
}

TEST(RuntimeEndpointTest, ItComesBackAsItWasWritten) {
  const TempDir directory;
  EXPECT_EQ(*ReadEndpoint(directory.path()), std::nullopt);
  Endpoint endpoint;
  endpoint.network = *ParseNetwork(NetworkJson({.id = std::string(64, 'a'),
                                                .name = "n",
                                                .driver = "bridge",
                                                .created = "now",
                                                .subnet = *ParseRange("192.0.2.0/24"),
                                                .gateway = *ParseAddress("192.0.2.1")}));
  endpoint.address = *ParseAddress("192.0.2.2");
  endpoint.ports = {{"127.0.0.1", 8080, 80, "tcp"}};
  ASSERT_TRUE(WriteEndpoint(directory.path(), endpoint).ok());
  const Endpoint read = **ReadEndpoint(directory.path());
  EXPECT_EQ(read.network.bridge(), "varveaaaaaaaaaa");
  EXPECT_EQ(AddressText(read.address), "192.0.2.2");
  EXPECT_EQ(read.ports[0].host_port, 8080);
  ASSERT_TRUE(ForgetEndpoint(directory.path()).ok());
  EXPECT_FALSE(HasEndpoint(directory.path()));
}

// Plugins of ours that note what they were asked.
class RuntimeCniTest : public testing::Test {
 protected:
  RuntimeCniTest() {
    ::setenv("CNI_PATH", directory_.path().c_str(), 1);
    endpoint_.network = {.id = std::string(64, 'a'),
                         .name = "n",
                         .driver = "bridge",
                         .created = "",
                         .subnet = *ParseRange("192.0.2.0/24"),
                         .gateway = *ParseAddress("192.0.2.1")};
  }
  ~RuntimeCniTest() override { ::unsetenv("CNI_PATH"); }

  void Plugin(const std::string& name, const std::string& answer) const {
    const std::string path = directory_ / name;
    std::ofstream(path) << "#!/bin/sh\n(echo $CNI_COMMAND $CNI_CONTAINERID \"$CNI_NETNS\" $CNI_IFNAME; cat; echo) >>"
                        << path << ".asked\n"
                        << answer;
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  }
  std::string Asked(const std::string& name) const { return Contents(directory_ / (name + ".asked")); }

  const TempDir directory_;
  Endpoint endpoint_;
};

constexpr const char* kAnswer =
    R"(echo '{"cniVersion": "0.4.0", "ips": [{"version": "4", "address": "192.0.2.9/24"}], "interfaces":
              [{"name": "br", "mac": "1"}, {"name": "eth0", "mac": "2", "sandbox": "/x"}]}')";

TEST_F(RuntimeCniTest, WhatTheBridgePluginAnswersIsTakenOver) {
  Plugin("bridge", kAnswer);
  Plugin("host-local", "");
  ASSERT_TRUE(Cni::Find(endpoint_)->Connect(endpoint_, "/leases", "id", "/ns").ok());
  EXPECT_EQ(AddressText(endpoint_.address), "192.0.2.9");
  EXPECT_EQ(endpoint_.mac, "2");
  EXPECT_THAT(Asked("bridge"), testing::AllOf(HasSubstr("ADD id /ns eth0\n"), HasSubstr(R"("dataDir":"/leases")"),
                                              HasSubstr(R"("dst":"0.0.0.0/0")")));
}

TEST_F(RuntimeCniTest, AnInternalNetworkHasNoWayOut) {
  Plugin("bridge", kAnswer);
  Plugin("host-local", "");
  endpoint_.network.internal = true;
  ASSERT_TRUE(Cni::Find(endpoint_)->Connect(endpoint_, "/leases", "id", "/ns").ok());
  EXPECT_THAT(Asked("bridge"), Not(HasSubstr("0.0.0.0/0")));
}

TEST_F(RuntimeCniTest, PortsAreForThePortmapPluginAndAreGivenBackFirst) {
  Plugin("bridge", kAnswer);
  Plugin("host-local", "");
  Plugin("portmap", "test -e " + (directory_ / "bridge.asked") + " || exit 1");
  endpoint_.ports = {{"0.0.0.0", 8080, 80, "tcp"}, {"127.0.0.1", 53, 53, "udp"}};
  const Cni cni = *Cni::Find(endpoint_);
  ASSERT_TRUE(cni.Connect(endpoint_, "/leases", "id", "/ns").ok());
  EXPECT_THAT(Asked("portmap"),
              testing::AllOf(HasSubstr(R"([{"containerPort":80,"hostPort":8080,"protocol":"tcp"},)"
                                       R"({"containerPort":53,"hostIP":"127.0.0.1","hostPort":53,"protocol":"udp"}])"),
                             HasSubstr(R"("prevResult":{"cniVersion")")));
  ASSERT_TRUE(cni.Disconnect(endpoint_, "/leases", "id").ok());
  EXPECT_THAT(Asked("portmap"), HasSubstr("DEL id  eth0\n"));
  EXPECT_THAT(Asked("bridge"), HasSubstr("DEL id  eth0\n"));
}

TEST_F(RuntimeCniTest, APluginsErrorIsSaid) {
  Plugin("bridge", R"(echo '{"code": 11, "msg": "no addresses left"}'; exit 1)");
  Plugin("host-local", "");
  const Status failed = Cni::Find(endpoint_)->Connect(endpoint_, "/leases", "id", "/ns");
  EXPECT_THAT(failed.error().message(), HasSubstr("bridge ADD exits 1: no addresses left"));
  Plugin("bridge", "echo '{}'");
  EXPECT_EQ(Cni::Find(endpoint_)->Connect(endpoint_, "/leases", "id", "/ns").error().code(), Code::kInternal);
}

TEST_F(RuntimeCniTest, AMissingPluginNamesThePackageAndTheWayAround) {
  const Result<Cni> found = Cni::Find(endpoint_);
  EXPECT_THAT(found.error().message(),
              testing::AllOf(HasSubstr("containernetworking-plugins"), HasSubstr("--network host")));
}

TEST(RuntimeHostsTest, AHostIsReplacedAndWhatElseStandsThereStays) {
  const TempDir directory;
  const std::string hosts = directory / "hosts";
  std::ofstream(hosts) << "127.0.0.1\tlocalhost\n1.2.3.4\told 0123456789ab\n# mine";
  ASSERT_TRUE(SetHost(hosts, "5.6.7.8", "new", "0123456789ab").ok());
  EXPECT_EQ(Contents(hosts), "127.0.0.1\tlocalhost\n# mine\n5.6.7.8\tnew 0123456789ab\n");
  ASSERT_TRUE(SetHost(hosts, "5.6.7.8", "", "0123456789ab").ok());
  EXPECT_EQ(Contents(hosts), "127.0.0.1\tlocalhost\n# mine\n5.6.7.8\t0123456789ab\n");
  ASSERT_TRUE(DropHost(hosts, "0123456789ab").ok());
  EXPECT_EQ(Contents(hosts), "127.0.0.1\tlocalhost\n# mine\n");
}

}  // namespace
}  // namespace varve
