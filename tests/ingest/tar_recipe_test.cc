#include "cached/ingest/tar_recipe.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "cached/content/sha256.h"
#include "cached/ingest/tar_reader.h"
#include "tests/ingest/tar_support.h"

namespace varve {
namespace {

using ::testing::HasSubstr;

struct Recipe {
  Digest diff_id;
  std::vector<Bytes> blocks;
  std::vector<Bytes> chunks;

  std::size_t size_bytes() const { return Join(blocks).size(); }
};

class RecipeBuilder {
 public:
  RecipeBuilder() : writer_([this](ByteSpan block) { return Store(block); }) {}

  RecipeBuilder& Literal(ByteSpan bytes) {
    EXPECT_TRUE(writer_.Literal(bytes).ok());
    tar_.insert(tar_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  // A chunk that no file had yet.
  RecipeBuilder& Content(ByteSpan chunk) {
    recipe_.chunks.emplace_back(chunk.begin(), chunk.end());
    return Again(static_cast<std::uint32_t>(recipe_.chunks.size() - 1));
  }
  RecipeBuilder& Again(std::uint32_t ordinal) {
    EXPECT_TRUE(writer_.Chunk(ordinal).ok());
    const Bytes& chunk = recipe_.chunks[ordinal];
    tar_.insert(tar_.end(), chunk.begin(), chunk.end());
    return *this;
  }
  Recipe Finish() {
    recipe_.diff_id = Sha256Of(tar_);
    EXPECT_TRUE(writer_.Finish(recipe_.diff_id, tar_.size()).ok());
    return std::move(recipe_);
  }
  const Bytes& tar() const { return tar_; }

 private:
  Status Store(ByteSpan block) {
    EXPECT_LE(block.size(), kTarRecipeBlockBytesMax);
    recipe_.blocks.emplace_back(block.begin(), block.end());
    return Ok();
  }

  Recipe recipe_;
  Bytes tar_;
  TarRecipeWriter writer_;
};

Result<Bytes> Replay(const Recipe& recipe, std::uint64_t max_tar_bytes = 1 << 30) {
  Bytes tar;
  std::size_t next = 0;
  const TarReplay replay{
      .next_block = [&]() -> Result<std::optional<ByteSpan>> {
        if (next == recipe.blocks.size()) return std::optional<ByteSpan>();
        return std::optional<ByteSpan>(recipe.blocks[next++]);
      },
      .chunk = [&](std::uint32_t ordinal) -> Result<ByteSpan> {
        if (ordinal >= recipe.chunks.size()) return Error(Code::kNotFound, fmt::format("no chunk {}", ordinal));
        return ByteSpan(recipe.chunks[ordinal]);
      },
      .on_tar = [&](ByteSpan piece) -> Status {
        tar.insert(tar.end(), piece.begin(), piece.end());
        return Ok();
      },
  };
  VARVE_RETURN_IF_ERROR(ReplayTarRecipe(recipe.diff_id, max_tar_bytes, replay));
  return tar;
}

// The recipe of a tar whose contents are cut into chunks of 1,000 bytes, equal ones stored once.
Recipe RecipeOf(ByteSpan tar) {
  RecipeBuilder builder;
  std::vector<Bytes> known;
  MemorySource source(tar);
  TarReader reader(source, {}, [&builder](ByteSpan literal) { builder.Literal(literal); });
  while (true) {
    const auto entry = reader.Next();
    EXPECT_TRUE(entry.ok());
    if (!entry.ok() || !*entry) break;
    while (reader.content_left() > 0) {
      Bytes chunk(std::min<std::uint64_t>(1000, reader.content_left()));
      for (std::size_t at = 0; at < chunk.size();) at += *reader.ReadContent(std::span(chunk).subspan(at));
      const auto twin = std::ranges::find(known, chunk);
      if (twin != known.end()) {
        builder.Again(static_cast<std::uint32_t>(twin - known.begin()));
      } else {
        known.push_back(chunk);
        builder.Content(chunk);
      }
    }
  }
  EXPECT_TRUE(reader.DrainTail().ok());
  return builder.Finish();
}

struct Tool {
  const char* name;
  const char* script;  // writes a tar of the files that are there
};

class RealTarTest : public ::testing::TestWithParam<Tool> {};
INSTANTIATE_TEST_SUITE_P(
    Tools, RealTarTest,
    ::testing::Values(Tool{"gnu", "tar --format=gnu -cf - ."}, Tool{"pax", "tar --format=posix -cf - ."},
                      Tool{"ustar", "tar --format=ustar --exclude='long*' -cf - ."},
                      Tool{"v7", "tar --format=v7 --exclude='long*' --exclude=fifo -cf - ."},
                      Tool{"xattrs", "tar --xattrs -cf - ."}, Tool{"gnu_sparse", "tar -S --format=gnu -cf - ."},
                      Tool{"pax_sparse_0_0", "tar -S --format=posix --sparse-version=0.0 -cf - ."},
                      Tool{"pax_sparse_0_1", "tar -S --format=posix --sparse-version=0.1 -cf - ."},
                      Tool{"pax_sparse_1_0", "tar -S --format=posix --sparse-version=1.0 -cf - ."},
                      Tool{"large_ids", "tar --format=gnu --owner=:4000000000 --group=:3000000 --mtime=@-5 -cf - ."},
                      Tool{"behind_the_end", "tar -cf - .; echo more"},
                      Tool{"python",
                           "python3 -c 'import sys, tarfile\n"
                           "t = tarfile.open(fileobj=sys.stdout.buffer, mode=\"w|\")\nt.add(\".\")\nt.close()'"}),
    [](const auto& info) { return info.param.name; });

TEST_P(RealTarTest, ComesBackByteForByteAndOnlyItsContentIsInChunks) {
  const TempDir dir;
  Shell(
      R"sh(mkdir -p a/b; seq 1 20000 > a/numbers; cp a/numbers a/b/twin; ln a/numbers a/hard; ln -s ../a a/soft; mkfifo a/fifo
           printf x > a/one; : > a/empty; touch "long$(printf '%0150d' 7)"; truncate -s 200000 a/hole; printf end >> a/hole
           setfattr -n user.k -v v a/one)sh",
      dir.path());
  const Bytes tar = Shell(GetParam().script, dir.path());
  const Recipe recipe = RecipeOf(tar);
  const auto replayed = Replay(recipe);
  ASSERT_TRUE(replayed.ok()) << replayed.error().message();
  EXPECT_TRUE(*replayed == tar);
  EXPECT_LT(recipe.size_bytes(), 40000u);
  EXPECT_THAT(AsText(Join(recipe.blocks)), ::testing::Not(HasSubstr("\n12345\n")));
}

TEST(TarRecipeTest, ChunksInARowAndLiteralsInARowAreOneOperationEach) {
  RecipeBuilder many;
  RecipeBuilder one;
  for (int i = 0; i < 1000; ++i) many.Content(AsBytes(std::to_string(i)));
  for (int i = 0; i < 10; ++i) many.Literal(AsBytes("literal"));
  one.Content(AsBytes("chunk")).Literal(AsBytes(std::string(70, 'l')));
  // The count alone needs one more byte.
  EXPECT_EQ(many.Finish().size_bytes(), one.Finish().size_bytes() + 1);
}

TEST(TarRecipeTest, ChunksComeBackInAnyOrder) {
  RecipeBuilder builder;
  builder.Content(AsBytes("a")).Content(AsBytes("b")).Content(AsBytes("c"));
  for (const std::uint32_t ordinal : {2, 1, 0, 0, 1, 2, 2}) builder.Again(ordinal);
  const Bytes tar = builder.tar();
  EXPECT_EQ(AsText(*Replay(builder.Finish())), "abccbaabcc");
}

TEST(TarRecipeTest, ARecipeOfAnySizeIsBlocksThatKeepTheLimit) {
  RecipeBuilder builder;
  const std::string text(700'001, 'l');
  builder.Content(AsBytes("c"));
  for (int i = 0; i < 5; ++i) builder.Literal(AsBytes(text)).Again(0);
  for (int i = 0; i < 600'000; ++i) builder.Again(0);
  const Bytes tar = builder.tar();
  const Recipe recipe = builder.Finish();
  EXPECT_GE(recipe.blocks.size(), 6u);
  const auto replayed = Replay(recipe);
  ASSERT_TRUE(replayed.ok()) << replayed.error().message();
  EXPECT_TRUE(*replayed == tar);
}

TEST(TarRecipeTest, AnEmptyTarHasARecipeToo) { EXPECT_EQ(*Replay(RecipeBuilder().Finish()), Bytes()); }

// The worked example of docs/format/tar-recipe.md.
TEST(TarRecipeTest, TheBytesAreThoseOfTheFormatPage) {
  const Bytes header = HeaderBlock("a").Size(2).bytes();
  RecipeBuilder builder;
  builder.Literal(header).Content(AsBytes("hi")).Literal(Bytes(510));
  const Bytes tar = builder.tar();
  Bytes expected = Join({ToBytes("VTR\x01"), Bytes(32), ToBytes("\x01\x80\x04"), header,
                         ToBytes(std::string_view("\x02\x00\x01\x01\xfe\x03", 6)), Bytes(510),
                         ToBytes(std::string_view("\x03\x00\x04\x00\x00\x00\x00\x00\x00", 9))});
  ByteWriter(expected).Raw(Sha256Of(tar).span());
  ByteWriter(expected).Fixed(Xxh3Of(expected));
  EXPECT_EQ(expected.size(), 1116u);
  EXPECT_THAT(builder.Finish().blocks, ::testing::ElementsAre(expected));
}

Recipe SmallRecipe() {
  return RecipeBuilder().Literal(AsBytes("header")).Content(AsBytes("content")).Literal(AsBytes("end")).Finish();
}

Recipe RecipeOfThreeBlocks(char c) { return RecipeBuilder().Literal(Bytes(1'200'000, std::byte(c))).Finish(); }

TEST(TarRecipeTest, EveryFlippedBitIsDataLoss) {
  const Recipe recipe = SmallRecipe();
  for (std::size_t bit = 0; bit < recipe.blocks[0].size() * 8; ++bit) {
    Recipe flipped = recipe;
    flipped.blocks[0][bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    EXPECT_EQ(Replay(flipped).error().code(), Code::kDataLoss) << "bit " << bit;
  }
}

TEST(TarRecipeTest, EveryTruncationIsDataLoss) {
  const Recipe recipe = SmallRecipe();
  for (std::size_t size = 0; size < recipe.blocks[0].size(); ++size) {
    Recipe shorter = recipe;
    shorter.blocks[0].resize(size);
    EXPECT_EQ(Replay(shorter).error().code(), Code::kDataLoss) << size;
  }
}

TEST(TarRecipeTest, BlocksThatAreMissingDoubledOrFromElsewhereAreDataLoss) {
  const Recipe recipe = RecipeOfThreeBlocks('l');
  ASSERT_EQ(recipe.blocks.size(), 3u);
  const auto code_with = [&](std::vector<Bytes> blocks) {
    Recipe other = recipe;
    other.blocks = std::move(blocks);
    return Replay(other).error().code();
  };
  const auto& b = recipe.blocks;
  EXPECT_EQ(code_with({}), Code::kDataLoss);
  EXPECT_EQ(code_with({b[0], b[1]}), Code::kDataLoss);
  EXPECT_EQ(code_with({b[1], b[2]}), Code::kDataLoss);
  EXPECT_EQ(code_with({b[0], b[2]}), Code::kDataLoss);
  EXPECT_EQ(code_with({b[0], b[0], b[1], b[2]}), Code::kDataLoss);
  EXPECT_EQ(code_with({b[0], b[1], b[2], b[2]}), Code::kDataLoss);
  EXPECT_EQ(code_with({RecipeOfThreeBlocks('m').blocks[0], b[1], b[2]}), Code::kDataLoss);
}

TEST(TarRecipeTest, AChunkOfWrongBytesIsDataLoss) {
  Recipe recipe = SmallRecipe();
  recipe.chunks[0] = ToBytes("CONTENT");
  const auto replayed = Replay(recipe);
  EXPECT_EQ(replayed.error().code(), Code::kDataLoss);
  EXPECT_THAT(replayed.error().message(), HasSubstr(recipe.diff_id.ToString()));
}

TEST(TarRecipeTest, TheRecipeOfAnotherTarIsDataLoss) {
  Recipe recipe = SmallRecipe();
  recipe.diff_id = Sha256Of(AsBytes("another"));
  EXPECT_THAT(Replay(recipe).error().message(), HasSubstr("is the recipe of sha256:"));
}

TEST(TarRecipeTest, ATarAboveTheLimitStopsBeforeItPassesIt) {
  EXPECT_TRUE(Replay(SmallRecipe(), 16).ok());
  const auto replayed = Replay(SmallRecipe(), 15);
  EXPECT_EQ(replayed.error().code(), Code::kResourceExhausted);
  EXPECT_THAT(replayed.error().message(), HasSubstr("limit of 15 bytes"));
}

TEST(TarRecipeTest, AnErrorOfTheChunksPassesThrough) {
  Recipe recipe = SmallRecipe();
  recipe.chunks.clear();
  EXPECT_EQ(Replay(recipe).error().code(), Code::kNotFound);
}

TEST(TarRecipeTest, TheFirstErrorOfTheSinkSticks) {
  int calls = 0;
  TarRecipeWriter writer(
      [&calls](ByteSpan) -> Status { return Error(Code::kResourceExhausted, fmt::format("disk full {}", ++calls)); });
  EXPECT_FALSE(writer.Literal(Bytes(3'000'000)).ok());
  EXPECT_EQ(writer.Chunk(0).error().message(), "disk full 1");
  EXPECT_EQ(writer.Finish({}, 0).error().message(), "disk full 1");
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace varve
