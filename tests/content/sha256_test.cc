#include "cached/content/sha256.h"

#include <gtest/gtest.h>

#include <string>

namespace varve {
namespace {

// NIST FIPS 180-4 examples: the empty message, "abc", and a million times "a".
constexpr std::string_view kEmpty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr std::string_view kAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr std::string_view kMillion = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

TEST(Sha256Test, KnownMessagesHaveTheirKnownDigests) {
  EXPECT_EQ(Sha256Of({}).hex(), kEmpty);
  EXPECT_EQ(Sha256Of(AsBytes("abc")).hex(), kAbc);
  EXPECT_EQ(Sha256Of(AsBytes(std::string(1'000'000, 'a'))).hex(), kMillion);
}

TEST(Sha256Test, PiecesGiveTheDigestOfTheWhole) {
  Sha256 hash;
  for (int i = 0; i < 1000; ++i) hash.Update(AsBytes(std::string(1000, 'a')));
  EXPECT_EQ(hash.Finish().hex(), kMillion);
}

TEST(Sha256Test, FinishStartsAnew) {
  Sha256 hash;
  hash.Update(AsBytes("something else"));
  hash.Finish();
  hash.Update(AsBytes("abc"));
  EXPECT_EQ(hash.Finish().hex(), kAbc);
  EXPECT_EQ(hash.Finish().hex(), kEmpty);
}

TEST(Sha256Test, AMovedStreamGoesOn) {
  Sha256 first;
  first.Update(AsBytes("ab"));
  Sha256 second = std::move(first);
  second.Update(AsBytes("c"));
  EXPECT_EQ(second.Finish().hex(), kAbc);
}

// The checksum is on disk: another seed or variant would call every frame damaged.
TEST(Xxh3Test, KnownBytesHaveTheirKnownChecksum) {
  EXPECT_EQ(Xxh3Of({}), 0x2d06800538d394c2u);
  EXPECT_EQ(Xxh3Of(AsBytes("abc")), 0x78af5f94892f3950u);
}

}  // namespace
}  // namespace varve
