#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "cli/runtime/storage_options.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

std::string WhyNot(const Result<ContainerMount>& mount) {
  return mount.ok() ? "it was taken" : mount.error().message();
}

TEST(RuntimeStorageOptionsTest, ADirectoryOfTheHostIsAPrivateWritableBindMount) {
  const ContainerMount mount = *ParseVolume("/srv/data/:/v//x/");
  EXPECT_EQ(mount.kind, MountKind::kBind);
  EXPECT_TRUE(mount.make_source);
  const Mount runtime = ToRuntimeMount(mount);
  EXPECT_EQ(runtime.type, "bind");
  EXPECT_EQ(runtime.source, "/srv/data");
  EXPECT_EQ(runtime.destination, "/v/x");
  EXPECT_THAT(runtime.options, ElementsAre("rbind", "rprivate", "rw"));
}

TEST(RuntimeStorageOptionsTest, OptionsSetAccessAndPropagation) {
  EXPECT_THAT(ToRuntimeMount(*ParseVolume("/a:/b:ro,rslave,z")).options, ElementsAre("rbind", "rslave", "ro"));
  EXPECT_EQ(ParseVolume("/a:/b:ro,z")->mode, "ro,z");
}

TEST(RuntimeStorageOptionsTest, ADotIsTheCallersDirectory) {
  EXPECT_EQ(ParseVolume("./x:/b")->source, std::filesystem::current_path() / "x");
}

TEST(RuntimeStorageOptionsTest, AnyOtherSourceIsAVolumesName) {
  const ContainerMount mount = *ParseVolume("data.1:/b:nocopy");
  EXPECT_EQ(mount.kind, MountKind::kVolume);
  EXPECT_EQ(mount.name, "data.1");
  EXPECT_FALSE(mount.copy);
  EXPECT_FALSE(mount.anonymous);
}

TEST(RuntimeStorageOptionsTest, ADestinationAloneIsAnAnonymousVolume) {
  const ContainerMount mount = *ParseVolume("/b");
  EXPECT_EQ(mount.kind, MountKind::kVolume);
  EXPECT_EQ(mount.destination, "/b");
  EXPECT_TRUE(mount.anonymous);
}

TEST(RuntimeStorageOptionsTest, VolumesThatCannotBeMeantAreRefused) {
  EXPECT_THAT(WhyNot(ParseVolume("a/b:/c")), HasSubstr("includes invalid characters for a local volume name"));
  EXPECT_THAT(WhyNot(ParseVolume("-a:/c")), HasSubstr("invalid characters"));
  EXPECT_EQ(ParseVolume("/a:/b:rshared").error().code(), Code::kUnimplemented);
  for (const char* spec : {"/a:b", "/a:/x/..", "/a:/b:ro:x", "", ":/b", "/a:", "v:/b:rslave", "/a:/b:nocopy"})
    EXPECT_EQ(ParseVolume(spec).error().code(), Code::kInvalidArgument) << spec;
  EXPECT_THAT(WhyNot(ParseVolume("/a:/b:fast")), HasSubstr("unknown option 'fast'"));
}

TEST(RuntimeStorageOptionsTest, MountSaysTheSameInKeys) {
  const ContainerMount volume = *ParseMount("src=data,target=/b,volume-nocopy,volume-label=a=b,readonly");
  EXPECT_EQ(volume.kind, MountKind::kVolume);
  EXPECT_EQ(volume.name, "data");
  EXPECT_TRUE(volume.read_only);
  EXPECT_FALSE(volume.copy);
  EXPECT_THAT(volume.labels, ElementsAre("a=b"));
  EXPECT_TRUE(ParseMount("type=volume,dst=/b")->anonymous);
  const ContainerMount bind = *ParseMount("type=bind,source=/usr,destination=/b,ro=true,bind-nonrecursive=1");
  EXPECT_THAT(ToRuntimeMount(bind).options, ElementsAre("bind", "rprivate", "ro"));
  EXPECT_FALSE(bind.make_source);
  const ContainerMount tmpfs = *ParseMount("type=tmpfs,target=/b,tmpfs-size=64MB,tmpfs-mode=1770,readonly=false");
  EXPECT_THAT(ToRuntimeMount(tmpfs).options,
              UnorderedElementsAre("noexec", "nosuid", "nodev", "size=64m", "mode=1770", "rw"));
}

TEST(RuntimeStorageOptionsTest, AnImageIsMountedReadOnly) {
  const ContainerMount image = *ParseMount("type=image,source=debian:12,target=/b");
  EXPECT_EQ(image.kind, MountKind::kImage);
  EXPECT_EQ(image.name, "debian:12");
  EXPECT_THAT(ToRuntimeMount(image).options, ElementsAre("rbind", "rprivate", "ro"));
}

TEST(RuntimeStorageOptionsTest, AQuotedFieldOfAMountMayHaveCommas) {
  EXPECT_EQ(ParseMount(R"(type=volume,source=v1,"target=/a,""b""")")->destination, R"(/a,"b")");
  EXPECT_THAT(WhyNot(ParseMount("\"target=/a")), HasSubstr("quote"));
}

TEST(RuntimeStorageOptionsTest, MountsThatCannotBeMeantAreRefusedInDockersWords) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"type=volume,source=v1", "target is required"},
      {"type=nfs,target=/b", "mount type unknown: \"nfs\""},
      {"target=/b,colour=red", "unexpected key 'colour' in 'colour=red'"},
      {"target=/b,source", "invalid field 'source' must be a key=value pair"},
      {"target=/b,readonly=maybe", "invalid value for readonly: maybe"},
      {"type=bind,source=/usr,target=/b,volume-nocopy", "cannot mix 'volume-*' options with mount type 'bind'"},
      {"type=bind,target=/b", "field Source must not be empty"},
      {"type=bind,source=/no/such,target=/b", "bind source path does not exist: /no/such"},
      {"type=bind,source=usr,target=/b", "must be absolute"},
      {"type=tmpfs,source=v1,target=/b", "a tmpfs has no source"},
      {"type=tmpfs,target=/b,tmpfs-size=much", "invalid value for tmpfs-size: much"},
      {"type=tmpfs,target=/b,tmpfs-mode=9", "invalid value for tmpfs-mode: 9"},
      {"type=image,target=/b", "needs a source"},
      {"target=/b,volume-driver=nfs", "only local"}};
  for (const auto& [spec, why] : cases) EXPECT_THAT(WhyNot(ParseMount(spec)), HasSubstr(why)) << spec;
}

TEST(RuntimeStorageOptionsTest, ATmpfsIsRestrictedUnlessAskedOtherwise) {
  EXPECT_THAT(ToRuntimeMount(*ParseTmpfs("/run")).options, UnorderedElementsAre("noexec", "nosuid", "nodev", "rw"));
  EXPECT_THAT(ToRuntimeMount(*ParseTmpfs("/run:size=64m,exec,mode=1777,ro")).options,
              UnorderedElementsAre("nosuid", "nodev", "size=64m", "mode=1777", "ro"));
}

TEST(RuntimeStorageOptionsTest, UnknownTmpfsOptionsAreRefused) {
  EXPECT_EQ(ParseTmpfs("/run:upper=/etc").error().code(), Code::kInvalidArgument);
  EXPECT_EQ(ParseTmpfs("run").error().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace varve
