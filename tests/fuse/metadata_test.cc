#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>

#include "cached/client/driver_protocol.h"
#include "tests/fuse/served.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using testing::ElementsAre;

constexpr std::uint64_t kForever = 1'000'000'000;

class MetadataTest : public testing::Test {
 protected:
  TempDir directory_;
  TinyStore store_{directory_.path()};
};

std::vector<std::string> NamesOf(const std::vector<FakeKernel::Listed>& listed) {
  std::vector<std::string> names;
  for (const auto& entry : listed) names.push_back(entry.name);
  return names;
}

TEST_F(MetadataTest, StatShowsWhatTheTarSaid) {
  Entry entry;
  entry.path = "bin/su";
  entry.mode = 04755;
  entry.uid = 7;
  entry.gid = 8;
  entry.size_bytes = 1025;
  entry.mtime_seconds = -5;
  entry.mtime_nanoseconds = 999;
  const Digest layer = TinyStore::Layer(store_).Add(entry, std::string(1025, 'x')).Publish();
  Served served(store_);
  const std::uint64_t root = served.Mount(store_.AddImage({layer}));

  const fuse_entry_out found = served.kernel.Walk(root, {"bin", "su"});
  EXPECT_EQ(found.attr.mode, S_IFREG | 04755u);
  EXPECT_EQ(found.attr.uid, 7u);
  EXPECT_EQ(found.attr.gid, 8u);
  EXPECT_EQ(found.attr.size, 1025u);
  EXPECT_EQ(found.attr.blocks, 3u);
  EXPECT_EQ(static_cast<std::int64_t>(found.attr.mtime), -5);
  EXPECT_EQ(found.attr.mtimensec, 999u);
  EXPECT_EQ(found.attr.ino, found.nodeid);
  EXPECT_EQ(found.attr_valid, kForever);
  EXPECT_EQ(found.entry_valid, kForever);
  EXPECT_EQ(served.kernel.GetAttributes(found.nodeid)->mode, found.attr.mode);
}

TEST_F(MetadataTest, LinkCountsAreThoseOfTheWholeImage) {
  const Digest lower = TinyStore::Layer(store_).File("a", "same").Directory("d/e").Publish();
  const Digest upper = TinyStore::Layer(store_).HardLink("b", "a").Publish();
  Served served(store_);
  const std::uint64_t root = served.Mount(store_.AddImage({lower, upper}));

  const fuse_entry_out a = served.kernel.Walk(root, {"a"});
  EXPECT_EQ(a.attr.nlink, 2u);
  EXPECT_EQ(served.kernel.Walk(root, {"b"}).nodeid, a.nodeid);
  EXPECT_EQ(served.kernel.Walk(root, {"d"}).attr.nlink, 3u);
}

TEST_F(MetadataTest, ImagesThatShareALayerShareItsInodesButNotTheirDirectories) {
  const Digest shared = TinyStore::Layer(store_).File("etc/file", "content").Publish();
  const Digest more = TinyStore::Layer(store_).File("more", "content").Publish();
  const ChainId small = store_.AddImage({shared});
  const ChainId large = store_.AddImage({shared, more});
  Served served(store_);
  const std::uint64_t one = served.Mount(small);
  const std::uint64_t other = served.Mount(large);

  EXPECT_NE(one, other);
  const std::uint64_t node = served.kernel.Walk(one, {"etc", "file"}).nodeid;
  EXPECT_EQ(node, served.kernel.Walk(other, {"etc", "file"}).nodeid);
  EXPECT_EQ(node >> 32, store_.SlotOf(shared));
  EXPECT_EQ(served.kernel.Walk(one, {"etc"}).nodeid >> 32, store_.SlotOf(small));
  EXPECT_EQ(served.kernel.Walk(other, {"etc"}).nodeid >> 32, store_.SlotOf(large));
}

TEST_F(MetadataTest, ACommandsProbeIsAnsweredAndLeavesNothingToRemember) {
  const Digest layer = TinyStore::Layer(store_).File("a", "").Publish();
  Served served(store_);
  const std::uint64_t root = served.Mount(store_.AddImage({layer}));
  EXPECT_EQ(served.kernel.LookUp(root, std::string(kProbePrefix) + "1").error, kProbeAnswer);
}

TEST_F(MetadataTest, AnAbsentNameIsRememberedForEverButNotInTheMountsRoot) {
  const Digest layer = TinyStore::Layer(store_).File("a", "x").Publish();
  Served served(store_);
  const std::uint64_t root = served.Mount(store_.AddImage({layer}));

  const FakeKernel::Found absent = served.kernel.LookUp(root, "b");
  EXPECT_EQ(absent.error, 0);
  EXPECT_EQ(absent.entry.nodeid, 0u);
  EXPECT_EQ(absent.entry.entry_valid, kForever);
  EXPECT_EQ(served.kernel.LookUp(kMountRoot.number(), std::string(64, '0')).error, ENOENT);
  EXPECT_EQ(served.kernel.LookUp(kMountRoot.number(), "nonsense").error, ENOENT);
}

TEST_F(MetadataTest, AnImageIsNotThereBeforeItWasAskedFor) {
  const Digest layer = TinyStore::Layer(store_).File("a", "x").Publish();
  const ChainId image = store_.AddImage({layer});
  Served served(store_);
  EXPECT_EQ(served.kernel.LookUp(kMountRoot.number(), image.hex()).error, ENOENT);
  EXPECT_NE(served.Mount(image), 0u);
}

TEST_F(MetadataTest, TheMountsRootListsNothing) {
  Served served(store_);
  EXPECT_THAT(served.kernel.List(kMountRoot.number(), 4096), testing::IsEmpty());
  EXPECT_EQ(served.kernel.GetAttributes(kMountRoot.number())->mode, S_IFDIR | 0555u);
}

TEST_F(MetadataTest, AListingGivesEveryEntryWithItsAttributes) {
  const Digest layer = TinyStore::Layer(store_).File("d/a", "12345").Directory("d/b").Symlink("d/c", "a").Publish();
  Served served(store_);
  const std::uint64_t root = served.Mount(store_.AddImage({layer}));

  const fuse_entry_out d = served.kernel.Walk(root, {"d"});
  const auto listed = served.kernel.List(d.nodeid, 4096);
  ASSERT_THAT(NamesOf(listed), ElementsAre(".", "..", "a", "b", "c"));
  EXPECT_EQ(listed[0].node, 0u);  // no node: the kernel does not count it
  EXPECT_EQ(listed[2].node, served.kernel.Walk(d.nodeid, {"a"}).nodeid);
  EXPECT_EQ(listed[2].attributes.size, 5u);
  EXPECT_EQ(listed[3].attributes.mode, S_IFDIR | 0755u);
  EXPECT_EQ(listed[4].attributes.mode, S_IFLNK | 0777u);
}

TEST_F(MetadataTest, AListingGoesOnWhereTheReplyWasFull) {
  TinyStore::Layer layer(store_);
  std::vector<std::string> names{".", ".."};
  for (int i = 100; i < 400; ++i) {
    names.push_back(std::string(200, 'n') + std::to_string(i));
    layer.File(names.back(), "x");
  }
  const Digest diff_id = layer.Publish();
  Served served(store_);
  const std::uint64_t root = served.Mount(store_.AddImage({diff_id}));
  EXPECT_EQ(NamesOf(served.kernel.List(root, 1000)), names);
}

TEST_F(MetadataTest, ASymlinksTargetIsGivenAsItIs) {
  const Digest layer = TinyStore::Layer(store_).Symlink("link", "../out/of here").Publish();
  Served served(store_);
  const std::uint64_t root = served.Mount(store_.AddImage({layer}));
  const fuse_entry_out link = served.kernel.Walk(root, {"link"});
  EXPECT_EQ(served.kernel.Call(FUSE_READLINK, link.nodeid, {}).payload, "../out/of here");
  EXPECT_EQ(link.attr.size, 14u);
}

TEST_F(MetadataTest, TheKernelIsToldToOpenByItself) {
  const Digest layer = TinyStore::Layer(store_).File("a", "x").Publish();
  Served served(store_);
  const std::uint64_t root = served.Mount(store_.AddImage({layer}));
  const std::string open(sizeof(fuse_open_in), '\0');
  EXPECT_EQ(served.kernel.Call(FUSE_OPENDIR, root, open).error, ENOSYS);
  EXPECT_EQ(served.kernel.Call(FUSE_OPEN, served.kernel.Walk(root, {"a"}).nodeid, open).error, ENOSYS);
}

TEST_F(MetadataTest, TheConnectionCachesAllAndReadsAMegabyteAtOnce) {
  Served served(store_);
  const std::uint32_t wanted = FUSE_DO_READDIRPLUS | FUSE_CACHE_SYMLINKS | FUSE_PARALLEL_DIROPS | FUSE_ASYNC_READ;
  EXPECT_EQ(served.init().flags & wanted, wanted);
  EXPECT_EQ(served.init().flags & (FUSE_READDIRPLUS_AUTO | FUSE_AUTO_INVAL_DATA), 0u);
  EXPECT_EQ(served.init().max_pages, 256u);
}

TEST_F(MetadataTest, EveryWriteFails) {
  const Digest layer = TinyStore::Layer(store_).File("a", "x").Publish();
  Served served(store_);
  const std::uint64_t root = served.Mount(store_.AddImage({layer}));
  const std::uint64_t file = served.kernel.Walk(root, {"a"}).nodeid;
  EXPECT_EQ(served.kernel.Call(FUSE_UNLINK, root, std::string("a\0", 2)).error, EROFS);
  EXPECT_EQ(served.kernel.Call(FUSE_MKDIR, root, std::string(sizeof(fuse_mkdir_in), '\0') + "d" + '\0').error, EROFS);
  EXPECT_EQ(served.kernel.Call(FUSE_SETATTR, file, std::string(sizeof(fuse_setattr_in), '\0')).error, EROFS);
  EXPECT_EQ(served.kernel.Call(FUSE_WRITE, file, std::string(sizeof(fuse_write_in), '\0')).error, EROFS);
  EXPECT_EQ(served.kernel.Call(FUSE_REMOVEXATTR, file, std::string("user.x\0", 7)).error, EROFS);
}

TEST_F(MetadataTest, StatfsCountsTheWholeImage) {
  const Digest layer = TinyStore::Layer(store_).File("a", "x").Publish();
  Served served(store_);
  const std::uint64_t root = served.Mount(store_.AddImage({layer}));
  const std::string payload = served.kernel.Call(FUSE_STATFS, root, {}).payload;
  ASSERT_EQ(payload.size(), sizeof(fuse_statfs_out));
  fuse_statfs_out out;
  std::memcpy(&out, payload.data(), sizeof(out));
  EXPECT_EQ(out.st.bsize, 4096u);
  EXPECT_EQ(out.st.blocks, 3u);  // the tar's 10,240 bytes
  EXPECT_EQ(out.st.bfree, 0u);
  EXPECT_EQ(out.st.namelen, 255u);
  EXPECT_GE(out.st.files, 2u);
}

TEST_F(MetadataTest, ANodeThatNoLookupReturnedIsStale) {
  const Digest layer = TinyStore::Layer(store_).File("a", "x").Publish();
  Served served(store_);
  const std::uint64_t root = served.Mount(store_.AddImage({layer}));
  EXPECT_EQ(served.kernel.LookUp(root + 1000, "a").error, ESTALE);
  EXPECT_EQ(served.kernel.LookUp(NodeId{77, 0}.number(), "a").error, ESTALE);
  EXPECT_EQ(served.kernel.LookUp(NodeId{kSlotMax + 1, 0}.number(), "a").error, ESTALE);
  EXPECT_EQ(served.kernel.LookUp(served.kernel.Walk(root, {"a"}).nodeid, "a").error, ENOTDIR);
}

}  // namespace
}  // namespace varve
