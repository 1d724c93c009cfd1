#include "cached/tree/index_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cached/tree/layer_index.h"
#include "tests/tree/layer_builder.h"

namespace varve {
namespace {

class IndexFileTest : public testing::Test {
 protected:
  IndexFileTest() : layer_(Layer().File("a", "1").Build("x").value()) {}

  Code OpenCode(ByteSpan file, IndexKind kind = IndexKind::kLayer) {
    const Bytes aligned(file.begin(), file.end());
    const auto body = OpenIndexBody(kind, layer_.diff_id, aligned);
    return body.ok() ? Code{} : body.error().code();
  }

  BuiltLayer layer_;
};

TEST_F(IndexFileTest, EveryFlippedByteIsNoticed) {
  for (std::size_t i = 0; i < layer_.file.size(); ++i) {
    Bytes bad = layer_.file;
    bad[i] ^= std::byte{0x40};
    const bool version = i >= 8 && i < 12;
    EXPECT_EQ(OpenCode(bad), version ? Code::kFailedPrecondition : Code::kDataLoss) << i;
  }
}

TEST_F(IndexFileTest, EveryTruncationIsNoticed) {
  for (std::size_t size = 0; size < layer_.file.size(); ++size) {
    EXPECT_EQ(OpenCode(ByteSpan(layer_.file).first(size)), Code::kDataLoss) << size;
  }
}

TEST_F(IndexFileTest, BytesBehindTheBodyAreNoticed) {
  layer_.file.push_back(std::byte{0});
  EXPECT_EQ(OpenCode(layer_.file), Code::kDataLoss);
}

TEST_F(IndexFileTest, NewerVersionSaysUpgrade) {
  StoreLittle<std::uint32_t>(layer_.file.data() + 8, kIndexVersion + 1);
  const auto body = OpenIndexBody(IndexKind::kLayer, layer_.diff_id, layer_.file);
  EXPECT_EQ(body.error().code(), Code::kFailedPrecondition);
  EXPECT_THAT(body.error().message(), testing::HasSubstr("upgrade"));
}

TEST_F(IndexFileTest, LayerIndexIsNoImageIndex) {
  EXPECT_EQ(OpenCode(layer_.file, IndexKind::kImage), Code::kDataLoss);
}

TEST_F(IndexFileTest, ErrorsNameTheIndex) {
  layer_.file[70] ^= std::byte{1};
  EXPECT_EQ(LayerIndex::Open(layer_.file, layer_.diff_id, IndexCheck::kChecksum).error().message(),
            "layer index " + layer_.diff_id.ToString() + ": the checksum is wrong");
}

TEST(IndexFileWriterTest, MoreThanAFlatBufferHoldsIsRefused) {
  const auto create = [](File& file) -> Status {
    flatbuffers::FlatBufferBuilder table;
    table.Finish(flatbuffers::Offset<flatbuffers::Table>(table.EndTable(table.StartTable())));
    VARVE_RETURN_IF_ERROR(IndexFileWriter::Create(file, IndexKind::kLayer, {}, table,
                                                  {IndexVector::Of<fb::Inode>(fb::LayerIndex::VT_INODES, 40'000'000)}));
    return Ok();
  };
  EXPECT_EQ(Written(create).error().code(), Code::kResourceExhausted);
}

}  // namespace
}  // namespace varve
