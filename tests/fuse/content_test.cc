#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "cached/tree/image_index.h"
#include "tests/fuse/served.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

constexpr std::size_t kChunkBytes = 20'000;  // more than fits a group

// Bytes that repeat neither within a chunk nor between chunks.
std::string Noise(std::size_t size, std::uint64_t seed) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<char>(seed >> 56);
  }
  return bytes;
}

class ContentTest : public testing::Test {
 protected:
  // A layer of one file "f", served.
  std::uint64_t Serve(const std::string& content) {
    return Serve(TinyStore::Layer(store_).File("f", content).Publish());
  }
  std::uint64_t Serve(const Digest& layer) {
    layer_ = layer;
    return served_.kernel.Walk(served_.Mount(store_.AddImage({layer})), {"f"}).nodeid;
  }

  TempDir directory_;
  TinyStore store_{directory_.path(), kChunkBytes};
  Served served_{store_};
  Digest layer_;
};

TEST_F(ContentTest, AnyRangeOfAFileOfManyChunksReadsAsItWas) {
  const std::string content = Noise(5 * kChunkBytes + 321, 1);
  const std::uint64_t file = Serve(content);
  for (const std::uint64_t offset : {0u, 1u, 4096u, 19'999u, 20'000u, 20'001u, 59'998u, 100'000u, 100'320u}) {
    for (const std::uint32_t size : {1u, 2u, 4096u, 20'000u, 45'001u, 131'072u}) {
      ASSERT_EQ(served_.kernel.Read(file, offset, size).payload, content.substr(offset, size))
          << offset << " + " << size;
    }
  }
  EXPECT_EQ(store_.resolve_calls(), 0);
}

TEST_F(ContentTest, NothingIsBehindTheEnd) {
  const std::uint64_t file = Serve("four");
  EXPECT_EQ(served_.kernel.Read(file, 4, 100).payload, "");
  EXPECT_EQ(served_.kernel.Read(file, 1'000'000, 100).payload, "");
  EXPECT_EQ(served_.kernel.Read(file, 2, 100).payload, "ur");
}

TEST_F(ContentTest, AnEmptyFileReadsAsNothing) {
  const FakeKernel::Reply reply = served_.kernel.Read(Serve(""), 0, 4096);
  EXPECT_EQ(reply.error, 0);
  EXPECT_EQ(reply.payload, "");
}

TEST_F(ContentTest, HolesReadAsZeros) {
  Entry entry;
  entry.path = "f";
  entry.mode = 0644;
  entry.sparse = true;
  entry.size_bytes = 100'000;
  entry.segments = {{30'000, 10}, {60'000, 25'000}};
  const std::string stored = Noise(25'010, 2);
  const std::uint64_t file = Serve(TinyStore::Layer(store_).Add(entry, stored).Publish());

  std::string content(100'000, '\0');
  content.replace(30'000, 10, stored.substr(0, 10)).replace(60'000, 25'000, stored.substr(10));
  EXPECT_EQ(served_.kernel.Read(file, 0, 131'072).payload, content);
  EXPECT_EQ(served_.kernel.Read(file, 29'995, 20).payload, content.substr(29'995, 20));
  EXPECT_EQ(served_.kernel.Read(file, 90'000, 50'000).payload, content.substr(90'000));
  EXPECT_EQ(served_.kernel.Read(file, 1'000, 1'000).payload, std::string(1'000, '\0'));
}

TEST_F(ContentTest, SmallFilesThatShareAFrameAreToldApart) {
  TinyStore::Layer layer(store_);
  for (int i = 0; i < 50; ++i)
    layer.File("small" + std::to_string(i), Noise(100 + static_cast<std::size_t>(i), 50u + static_cast<unsigned>(i)));
  const Digest diff_id = layer.File("f", "x").Publish();
  Serve(diff_id);
  const std::uint64_t root = served_.Mount(ChainIdOf(std::array{diff_id}));
  for (int i = 0; i < 50; ++i) {
    const std::uint64_t file = served_.kernel.Walk(root, {"small" + std::to_string(i)}).nodeid;
    EXPECT_EQ(served_.kernel.Read(file, 0, 4096).payload,
              Noise(100 + static_cast<std::size_t>(i), 50u + static_cast<unsigned>(i)));
  }
}

TEST_F(ContentTest, ADamagedFrameIsAnErrorAndNeverOtherBytes) {
  const std::string content = Noise(3 * kChunkBytes, 3);
  const std::uint64_t file = Serve(content);
  store_.DamageFrame(store_.LocatorsOf(layer_).Get(1));

  EXPECT_EQ(served_.kernel.Read(file, kChunkBytes, kChunkBytes).error, EIO);  // the chunk, decoded in place
  EXPECT_EQ(served_.kernel.Read(file, kChunkBytes + 5, 100).error, EIO);      // a part of it, through the cache
  EXPECT_EQ(served_.kernel.Read(file, 0, 3 * kChunkBytes).error, EIO);        // with its neighbours
  EXPECT_EQ(served_.kernel.Read(file, 0, kChunkBytes).payload, content.substr(0, kChunkBytes));
  EXPECT_EQ(served_.kernel.Read(file, 2 * kChunkBytes, kChunkBytes).payload, content.substr(2 * kChunkBytes));
}

TEST_F(ContentTest, AnotherChunksFrameIsNeverTakenForTheChunk) {
  const std::string content = Noise(2 * kChunkBytes, 4);
  const std::uint64_t file = Serve(content);
  LocatorTable locators = store_.LocatorsOf(layer_);
  const Locator right = locators.Get(0);
  locators.Set(0, locators.Get(1));

  EXPECT_EQ(served_.kernel.Read(file, 0, 100).error, EIO);
  EXPECT_EQ(served_.kernel.Read(file, 0, kChunkBytes).error, EIO);
  store_.SetOnResolve([&](std::uint32_t) { return right.Pack(); });
  EXPECT_EQ(served_.kernel.Read(file, 0, 100).payload, content.substr(0, 100));
}

TEST_F(ContentTest, AnAbsentChunkIsAskedOfTheDaemon) {
  const std::string content = Noise(kChunkBytes, 5);
  const std::uint64_t file = Serve(content);
  LocatorTable locators = store_.LocatorsOf(layer_);
  const Locator right = locators.Get(0);
  locators.Set(0, {});

  EXPECT_EQ(served_.kernel.Read(file, 0, 4096).error, EIO);
  EXPECT_EQ(store_.resolve_calls(), 1);
  store_.SetOnResolve([&](std::uint32_t ordinal) {
    locators.Set(ordinal, right);
    return right.Pack();
  });
  EXPECT_EQ(served_.kernel.Read(file, 0, 4096).payload, content.substr(0, 4096));
  EXPECT_EQ(served_.kernel.Read(file, 9, kChunkBytes).payload, content.substr(9));
  EXPECT_EQ(store_.resolve_calls(), 2);
}

TEST_F(ContentTest, APackThatIsGoneIsAskedOfTheDaemon) {
  const std::string content = Noise(kChunkBytes, 6);
  const std::uint64_t file = Serve(content);
  LocatorTable locators = store_.LocatorsOf(layer_);
  const Locator right = locators.Get(0);
  locators.Set(0, {.pack = 99, .offset_bytes = 128, .length_bytes = 128});
  store_.SetOnResolve([&](std::uint32_t) { return right.Pack(); });
  EXPECT_EQ(served_.kernel.Read(file, 0, 4096).payload, content.substr(0, 4096));
}

TEST_F(ContentTest, APackThatIsTooShortIsAskedOfTheDaemon) {
  const std::uint64_t file = Serve(Noise(kChunkBytes, 7));
  const Locator at = store_.LocatorsOf(layer_).Get(0);
  ASSERT_EQ(::truncate((store_.paths().packs() + "/" + PackId{at.pack}.FileName()).c_str(), at.offset_bytes + 1000), 0);
  EXPECT_EQ(served_.kernel.Read(file, 0, 4096).error, EIO);
  EXPECT_EQ(store_.resolve_calls(), 1);
}

TEST_F(ContentTest, NothingIsLeftOfAPackThatTheDaemonHadClosed) {
  const std::string content = Noise(kChunkBytes, 8);
  const std::uint64_t file = Serve(content);
  EXPECT_EQ(served_.kernel.Read(file, 5, 4096).payload, content.substr(5, 4096));
  const std::uint32_t pack = store_.LocatorsOf(layer_).Get(0).pack;
  served_.driver().ClosePacks({&pack, 1});
  const std::string path = store_.paths().packs() + "/" + PackId{pack}.FileName();
  ASSERT_EQ(::unlink(path.c_str()), 0);
  // Neither an open descriptor nor a cached frame is left.
  EXPECT_EQ(served_.kernel.Read(file, 5, 4096).error, EIO);
}

}  // namespace
}  // namespace varve
