#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <thread>

#include "tests/fuse/served.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ReleaseTest : public testing::Test {
 protected:
  // Has the driver release `image` while the test, as the kernel, does `forget` after it was told.
  std::vector<ChainId> Release(const ChainId& image, const std::function<void()>& forget) {
    std::vector<ChainId> released;
    std::thread daemon([&] { released = served_.driver().Release({&image, 1}); });
    EXPECT_THAT(served_.kernel.ReceiveNotification(FUSE_NOTIFY_INVAL_ENTRY), testing::HasSubstr(image.hex()));
    forget();
    daemon.join();
    return released;
  }

  TempDir directory_;
  TinyStore store_{directory_.path()};
  Digest layer_ = TinyStore::Layer(store_).File("d/a", "one").File("d/b", "two").Publish();
  ChainId image_ = store_.AddImage({layer_});
  Served served_{store_};
  std::uint64_t root_ = served_.Mount(image_);
};

TEST_F(ReleaseTest, AnImageThatTheKernelForgetsIsServedNoMore) {
  EXPECT_THAT(Release(image_, [&] { served_.kernel.Forget(root_, 1); }), ElementsAre(image_));
  EXPECT_THAT(served_.driver().Serving(), IsEmpty());
  EXPECT_EQ(served_.kernel.LookUp(kMountRoot.number(), image_.hex()).error, ENOENT);
}

TEST_F(ReleaseTest, AnImageThatIsUsedStays) {
  EXPECT_THAT(Release(image_, [] {}), IsEmpty());
  EXPECT_THAT(served_.driver().Serving(), ElementsAre(image_));
  EXPECT_EQ(served_.kernel.Read(served_.kernel.Walk(root_, {"d", "a"}).nodeid, 0, 100).payload, "one");
}

TEST_F(ReleaseTest, EveryLookupCounts) {
  served_.kernel.LookUp(kMountRoot.number(), image_.hex());
  const std::uint64_t d = served_.kernel.Walk(root_, {"d"}).nodeid;
  EXPECT_THAT(Release(image_, [&] { served_.kernel.Forget(root_, 2); }), IsEmpty());
  EXPECT_THAT(Release(image_, [&] { served_.kernel.BatchForget({{.nodeid = d, .nlookup = 1}}); }), ElementsAre(image_));
}

TEST_F(ReleaseTest, AListingCountsEachNodeOnce) {
  served_.kernel.List(root_, 4096);  // ".", "..", d
  const std::uint64_t d = served_.kernel.LookUp(root_, "d").entry.nodeid;
  EXPECT_THAT(Release(image_, [&] { served_.kernel.BatchForget({{root_, 1}, {d, 1}}); }), IsEmpty());
  EXPECT_THAT(Release(image_, [&] { served_.kernel.Forget(d, 1); }), ElementsAre(image_));
}

TEST_F(ReleaseTest, ANameThatIsAbsentCountsNothing) {
  served_.kernel.LookUp(root_, "absent");
  EXPECT_THAT(Release(image_, [&] { served_.kernel.Forget(root_, 1); }), ElementsAre(image_));
}

TEST_F(ReleaseTest, ALayerStaysWithTheOtherImageThatHasIt) {
  const Digest more = TinyStore::Layer(store_).File("more", "x").Publish();
  const ChainId other = store_.AddImage({layer_, more});
  const std::uint64_t other_root = served_.Mount(other);
  EXPECT_THAT(Release(image_, [&] { served_.kernel.Forget(root_, 1); }), ElementsAre(image_));
  const std::uint64_t file = served_.kernel.Walk(other_root, {"d", "a"}).nodeid;
  EXPECT_EQ(served_.kernel.Read(file, 0, 100).payload, "one");
}

TEST_F(ReleaseTest, ALayerWhoseFileIsStillUsedOutlivesItsLastImage) {
  const std::uint64_t d = served_.kernel.Walk(root_, {"d"}).nodeid;
  const std::uint64_t file = served_.kernel.Walk(d, {"a"}).nodeid;
  EXPECT_THAT(Release(image_, [&] { served_.kernel.BatchForget({{root_, 1}, {d, 1}}); }), ElementsAre(image_));
  EXPECT_EQ(served_.kernel.Read(file, 0, 100).payload, "one");
  // The next release sweeps it, once it is forgotten.
  served_.kernel.Forget(file, 1);
  EXPECT_NE(served_.Mount(image_), 0u);
  EXPECT_THAT(Release(image_, [&] { served_.kernel.Forget(root_, 1); }), ElementsAre(image_));
  EXPECT_FALSE(served_.kernel.GetAttributes(file).has_value());
}

TEST_F(ReleaseTest, AReleasedImageCanBeMountedAgainUnderTheSameNodes) {
  EXPECT_THAT(Release(image_, [&] { served_.kernel.Forget(root_, 1); }), ElementsAre(image_));
  EXPECT_EQ(served_.Mount(image_), root_);
  EXPECT_EQ(served_.kernel.Read(served_.kernel.Walk(root_, {"d", "b"}).nodeid, 0, 100).payload, "two");
}

TEST_F(ReleaseTest, AnImageThatWasNeverServedIsReleasedAtOnce) {
  const ChainId unknown{Digest{}};
  EXPECT_THAT(Release(unknown, [] {}), ElementsAre(unknown));
}

TEST(RegistryTest, AnImageThatTheDaemonDoesNotKnowIsAnErrorThatNamesIt) {
  TempDir directory;
  TinyStore store(directory.path());
  ImageRegistry images(store.paths(), store);
  const auto added = images.Add(ChainId{});
  ASSERT_FALSE(added.ok());
  EXPECT_EQ(added.error().code(), Code::kNotFound);
  EXPECT_THAT(added.error().message(), testing::HasSubstr(ChainId{}.hex()));
}

TEST(RegistryTest, AFileIsFoundByItsPathForMessages) {
  TempDir directory;
  TinyStore store(directory.path());
  const Digest layer = TinyStore::Layer(store).File("usr/lib/x/a", "x").File("top", "y").Publish();
  const ChainId image = store.AddImage({layer});
  const auto mapped = *MountedLayer::Open(store.paths(), {layer, store.SlotOf(layer)});
  const auto opened = *MountedImage::Open(store.paths(), image, store.SlotOf(image), {mapped});

  std::vector<std::string> paths;
  for (std::uint32_t i = 0; i < mapped->index.inodes().size(); ++i) paths.push_back(opened->PathOf(*mapped, i));
  EXPECT_THAT(paths, testing::IsSupersetOf({"/top", "/usr/lib/x/a"}));
  EXPECT_EQ(opened->PathOf(*mapped, 1'000), "");
}

}  // namespace
}  // namespace varve
