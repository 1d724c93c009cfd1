#include "cached/content/chain_id.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cached/content/sha256.h"

namespace varve {
namespace {

// OCI image-spec, config.md, "Layer ChainID": sha256 of "sha256:aa… sha256:bb…" by sha256sum.
TEST(ChainIdTest, IsTheSpecificationsFormula) {
  const Digest a = Digest::Parse("sha256:" + std::string(64, 'a')).value();
  const Digest b = Digest::Parse("sha256:" + std::string(64, 'b')).value();
  EXPECT_EQ(ChainIdOf(std::vector{a}).digest, a);
  EXPECT_EQ(ChainIdOf(std::vector{a, b}).hex(), "ccd722928bd92476ba1745586fed6e45a102504185ad88cd89e01ff116fd146c");
}

TEST(ChainIdTest, EachNamesTheStackBelowIt) {
  const Digest one = Sha256Of(AsBytes("one"));
  const Digest two = Sha256Of(AsBytes("two"));
  EXPECT_THAT(ChainIdsOf(std::vector{one, two, one}),
              testing::ElementsAre(ChainIdOf(std::vector{one}), ChainIdOf(std::vector{one, two}),
                                   ChainIdOf(std::vector{one, two, one})));
}

TEST(ChainIdTest, NoLayersHaveNone) {
  EXPECT_THAT(ChainIdsOf({}), testing::IsEmpty());
  EXPECT_EQ(ChainIdOf({}), ChainId{});
}

}  // namespace
}  // namespace varve
