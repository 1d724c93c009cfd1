#include "cached/oci/image_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "cached/content/sha256.h"
#include "cached/oci/media_types.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

Descriptor Blob(std::string_view type, std::string_view content) {
  return DescriptorOf(type, Sha256Of(AsBytes(content)), content.size());
}

// Manifests and indexes by digest, as a registry or a layout has them.
class ImageTreeTest : public testing::Test {
 protected:
  Descriptor Add(const std::string& json, std::string_view type) {
    const Descriptor added = Blob(type, json);
    documents_[added.digest] = json;
    return added;
  }
  Descriptor Image(const std::string& config, const std::vector<std::string>& layers, const char* architecture) {
    Manifest manifest;
    manifest.media_type = kOciManifestType;
    manifest.config = Blob(kOciConfigType, config);
    for (const std::string& layer : layers) manifest.layers.push_back(Blob(kOciLayerGzipType, layer));
    Descriptor added = Add(ManifestJson(manifest), kOciManifestType);
    added.platform = Platform{"linux", architecture, ""};
    return added;
  }
  Descriptor IndexOf(const std::vector<Descriptor>& manifests) {
    Index index;
    index.media_type = kOciIndexType;
    index.manifests = manifests;
    return Add(IndexJson(index), kOciIndexType);
  }
  Result<ImageTree> Read(const Descriptor& top, const std::optional<Platform>& platform = std::nullopt) {
    return ReadImageTree(ToBytes(documents_.at(top.digest)), top.media_type, platform,
                         [this](const Descriptor& asked) -> Result<Bytes> {
                           const auto found = documents_.find(asked.digest);
                           if (found == documents_.end()) return Error(Code::kNotFound, asked.digest.ToString());
                           return ToBytes(found->second);
                         });
  }
  static std::vector<Digest> DigestsOf(const ImageTree& tree) {
    std::vector<Digest> digests;
    for (const ImageTree::Document& document : tree.manifests) digests.push_back(document.digest);
    return digests;
  }

  std::map<Digest, std::string> documents_;
};

TEST_F(ImageTreeTest, AnIndexComesBehindWhatItNamesAndEachBlobOnce) {
  const Descriptor amd64 = Image("a", {"base", "top"}, "amd64");
  const Descriptor arm64 = Image("b", {"base"}, "arm64");
  const Descriptor inner = IndexOf({arm64, amd64});
  const Descriptor outer = IndexOf({amd64, inner});
  const auto tree = Read(outer);
  ASSERT_TRUE(tree.ok()) << tree.error().message();
  EXPECT_THAT(DigestsOf(*tree), ElementsAre(amd64.digest, arm64.digest, inner.digest, outer.digest));
  EXPECT_EQ(tree->top().media_type, kOciIndexType);
  EXPECT_EQ(AsText(tree->top().bytes), documents_.at(outer.digest));
  EXPECT_THAT(tree->blobs, SizeIs(4)) << "a, base, top, b";
}

TEST_F(ImageTreeTest, ItsDocumentsAloneAreTheImageAgain) {
  const Descriptor index = IndexOf({Image("a", {"base"}, "amd64"), Image("b", {"base"}, "arm64")});
  const ImageTree read = Read(index).value();
  std::vector<Bytes> manifests;
  for (const ImageTree::Document& document : read.manifests) manifests.push_back(document.bytes);
  const auto tree = ParseImageTree(manifests);
  ASSERT_TRUE(tree.ok()) << tree.error().message();
  EXPECT_EQ(tree->top().digest, index.digest);
  EXPECT_THAT(tree->blobs, SizeIs(3));
  manifests.erase(manifests.begin());
  EXPECT_EQ(ParseImageTree(manifests).error().code(), Code::kNotFound);
  EXPECT_EQ(ParseImageTree({}).error().code(), Code::kInvalidArgument);
}

TEST_F(ImageTreeTest, ForOnePlatformItIsThatImageAlone) {
  const Descriptor amd64 = Image("a", {"base"}, "amd64");
  const Descriptor arm64 = Image("b", {"base"}, "arm64");
  const Descriptor index = IndexOf({amd64, IndexOf({arm64})});
  const auto tree = Read(index, Platform{"linux", "amd64", ""});
  ASSERT_TRUE(tree.ok()) << tree.error().message();
  EXPECT_THAT(DigestsOf(*tree), ElementsAre(amd64.digest));
  EXPECT_EQ(tree->index, index.digest);
  EXPECT_EQ(Read(index, Platform{"linux", "arm64", ""})->index, index.digest);  // the one that has a name
  EXPECT_EQ(Read(amd64, Platform{"linux", "amd64", ""})->index, std::nullopt);
  EXPECT_EQ(Read(index, Platform{"linux", "s390x", ""}).error().code(), Code::kNotFound);
}

TEST_F(ImageTreeTest, ForeignLayersAreNoBlobsOfIt) {
  Manifest manifest;
  manifest.media_type = kDockerManifestType;
  manifest.config = Blob(kDockerConfigType, "config");
  manifest.layers = {Blob(kDockerForeignLayerType, "windows"), Blob(kDockerLayerGzipType, "mine")};
  const auto tree = Read(Add(ManifestJson(manifest), kDockerManifestType));
  ASSERT_TRUE(tree.ok()) << tree.error().message();
  EXPECT_THAT(tree->blobs, SizeIs(2));
}

TEST_F(ImageTreeTest, AManifestThatIsNotWhatItsIndexSaysIsDamaged) {
  const Descriptor image = Image("a", {"base"}, "amd64");
  const Descriptor index = IndexOf({image});
  documents_[image.digest] += " ";
  EXPECT_EQ(Read(index).error().code(), Code::kDataLoss);
  documents_.erase(image.digest);
  EXPECT_EQ(Read(index).error().code(), Code::kNotFound);
}

TEST_F(ImageTreeTest, IndexesInIndexesEndSomewhere) {
  Descriptor index = IndexOf({Image("a", {"base"}, "amd64")});
  for (int depth = 1; depth < kIndexDepthMax; ++depth) index = IndexOf({index});
  EXPECT_TRUE(Read(index).ok());
  EXPECT_THAT(Read(IndexOf({index})).error().message(), HasSubstr("nested too deeply"));
}

}  // namespace
}  // namespace varve
