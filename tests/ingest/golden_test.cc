#include <gtest/gtest.h>

#include "cached/base/fs.h"
#include "cached/content/sha256.h"
#include "cached/ingest/tar_recipe.h"
#include "tests/ingest/tar_support.h"

// The tar recipe that version 1 wrote for a file "a" with the content "hi" (tests/golden/README.md).
namespace varve {
namespace {

const Bytes kHeader = HeaderBlock("a").Size(2).bytes();
const Bytes kTar = Join({kHeader, Padded("hi")});

Bytes Golden() { return ReadWholeFile(Fs::Real(), std::string(VARVE_GOLDEN_DIR) + "/tar-recipe-v1", 1 << 20).value(); }

TEST(GoldenRecipeTest, TheSameTarGivesTheSameRecipe) {
  Bytes recipe;
  TarRecipeWriter writer([&](ByteSpan block) {
    recipe.insert(recipe.end(), block.begin(), block.end());
    return Ok();
  });
  ASSERT_TRUE(writer.Literal(kHeader).ok() && writer.Chunk(0).ok() && writer.Literal(Bytes(510)).ok());
  ASSERT_TRUE(writer.Finish(Sha256Of(kTar), kTar.size()).ok());
  EXPECT_EQ(recipe, Golden());
}

TEST(GoldenRecipeTest, TheRecipeOfVersion1GivesItsTarBack) {
  const Bytes block = Golden();
  bool given = false;
  Bytes tar;
  const Status replayed = ReplayTarRecipe(Sha256Of(kTar), 1 << 20,
                                          {.next_block = [&]() -> Result<std::optional<ByteSpan>> {
                                             if (std::exchange(given, true)) return std::optional<ByteSpan>();
                                             return std::optional<ByteSpan>(block);
                                           },
                                           .chunk = [](std::uint32_t) -> Result<ByteSpan> { return AsBytes("hi"); },
                                           .on_tar =
                                               [&](ByteSpan piece) {
                                                 tar.insert(tar.end(), piece.begin(), piece.end());
                                                 return Ok();
                                               }});
  ASSERT_TRUE(replayed.ok()) << replayed.error().message();
  EXPECT_EQ(tar, kTar);
}

}  // namespace
}  // namespace varve
