#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/runtime/capabilities.h"

namespace varve {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(RuntimeCapabilitiesTest, DefaultsAreDockersFourteen) {
  EXPECT_THAT(*ContainerCapabilities({}, {}),
              ElementsAre("CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
                          "CAP_MKNOD", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID",
                          "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT"));
}

TEST(RuntimeCapabilitiesTest, NamesAreTakenInAnySpelling) {
  EXPECT_THAT(*ContainerCapabilities({"sys_admin"}, {"cap_mknod"}),
              testing::AllOf(Contains("CAP_SYS_ADMIN"), Not(Contains("CAP_MKNOD"))));
}

TEST(RuntimeCapabilitiesTest, DropAllLeavesWhatIsAdded) {
  EXPECT_THAT(*ContainerCapabilities({}, {"ALL"}), IsEmpty());
  EXPECT_THAT(*ContainerCapabilities({"CHOWN"}, {"all"}), ElementsAre("CAP_CHOWN"));
}

TEST(RuntimeCapabilitiesTest, AddAllLeavesOutWhatIsDropped) {
  EXPECT_THAT(*ContainerCapabilities({"ALL"}, {"SYS_ADMIN"}),
              testing::AllOf(Contains("CAP_NET_ADMIN"), Contains("CAP_CHOWN"), Not(Contains("CAP_SYS_ADMIN"))));
}

TEST(RuntimeCapabilitiesTest, AnUnknownNameIsRefused) {
  EXPECT_EQ(ContainerCapabilities({"FLY"}, {}).error().message(), "unknown capability: FLY");
  EXPECT_EQ(ContainerCapabilities({}, {"FLY"}).error().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace varve
