#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>

#include "tests/fuse/served.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

class XattrTest : public testing::Test {
 protected:
  XattrTest() {
    Entry entry;
    entry.path = "ping";
    entry.mode = 0755;
    entry.xattrs = {{"security.capability", std::string("\1\0\0\2\0\x20", 6)},
                    {"trusted.overlay.opaque", "y"},
                    {"user.colour", "red"},
                    {"user.overlay.whiteout", "y"}};
    const Digest layer = TinyStore::Layer(store_).Add(entry).File("plain", "x").Publish();
    const std::uint64_t root = served_.Mount(store_.AddImage({layer}));
    ping_ = served_.kernel.Walk(root, {"ping"}).nodeid;
    plain_ = served_.kernel.Walk(root, {"plain"}).nodeid;
  }
  static std::uint32_t SizeIn(const FakeKernel::Reply& reply) {
    fuse_getxattr_out out{};
    VARVE_CHECK(reply.error == 0 && reply.payload.size() == sizeof(out));
    std::memcpy(&out, reply.payload.data(), sizeof(out));
    return out.size;
  }

  TempDir directory_;
  TinyStore store_{directory_.path()};
  Served served_{store_};
  std::uint64_t ping_;
  std::uint64_t plain_;
};

TEST_F(XattrTest, AValueIsGivenByteForByte) {
  EXPECT_EQ(served_.kernel.GetXattr(ping_, "security.capability", 64).payload, std::string("\1\0\0\2\0\x20", 6));
  EXPECT_EQ(served_.kernel.GetXattr(ping_, "user.colour", 3).payload, "red");
}

TEST_F(XattrTest, SizeZeroAsksForTheSize) {
  EXPECT_EQ(SizeIn(served_.kernel.GetXattr(ping_, "user.colour", 0)), 3u);
  EXPECT_EQ(SizeIn(served_.kernel.ListXattr(ping_, 0)),
            std::strlen("security.capability") + 1 + std::strlen("user.colour") + 1);
  EXPECT_EQ(SizeIn(served_.kernel.ListXattr(plain_, 0)), 0u);
}

TEST_F(XattrTest, ABufferThatIsTooSmallIsRefused) {
  EXPECT_EQ(served_.kernel.GetXattr(ping_, "user.colour", 2).error, ERANGE);
  EXPECT_EQ(served_.kernel.ListXattr(ping_, 5).error, ERANGE);
}

TEST_F(XattrTest, AnAbsentAttributeIsNoData) {
  EXPECT_EQ(served_.kernel.GetXattr(ping_, "user.absent", 64).error, ENODATA);
  EXPECT_EQ(served_.kernel.GetXattr(plain_, "security.capability", 64).error, ENODATA);
}

TEST_F(XattrTest, WhatWouldSteerAnOverlayIsHidden) {
  EXPECT_EQ(served_.kernel.GetXattr(ping_, "trusted.overlay.opaque", 64).error, ENODATA);
  EXPECT_EQ(served_.kernel.GetXattr(ping_, "user.overlay.whiteout", 64).error, ENODATA);
  EXPECT_EQ(served_.kernel.ListXattr(ping_, 256).payload, std::string("security.capability\0user.colour\0", 32));
}

}  // namespace
}  // namespace varve
