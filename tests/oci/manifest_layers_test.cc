#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cached/content/sha256.h"
#include "cached/oci/manifest.h"
#include "cached/oci/media_types.h"

namespace varve {
namespace {

using testing::HasSubstr;

const std::string kOld = Sha256Of(AsBytes("old")).ToString();
const std::string kNew = Sha256Of(AsBytes("new")).ToString();

Descriptor NewLayer(std::string_view type) {
  Descriptor layer;
  layer.media_type = type;
  layer.digest = *Digest::Parse(kNew);
  layer.size_bytes = 7;
  return layer;
}

std::string Docker(const std::string& layer_type, const std::string& digest, int size) {
  return R"({"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{"mediaType":)"
         R"("application/vnd.docker.container.image.v1+json","size":2,"digest":")" +
         kOld + R"("},"layers":[{"mediaType":")" + layer_type + R"(","size":)" + std::to_string(size) +
         R"(,"digest":")" + digest + R"("}]})";
}

std::string Replaced(const std::string& manifest, const std::map<std::size_t, Descriptor>& layers) {
  const auto replaced = ReplaceLayers(AsBytes(manifest), layers);
  EXPECT_TRUE(replaced.ok()) << replaced.error().message();
  return replaced.ok() ? std::string(AsText(*replaced)) : "";
}

TEST(ReplaceLayersTest, DockersManifestStaysDockersAndInItsOrder) {
  EXPECT_EQ(Replaced(Docker(std::string(kDockerLayerGzipType), kOld, 5), {{0, NewLayer(kOciLayerGzipType)}}),
            Docker(std::string(kDockerLayerGzipType), kNew, 7));
}

TEST(ReplaceLayersTest, DockersManifestWithZstdBecomesOcis) {
  const std::string replaced =
      Replaced(Docker(std::string(kDockerLayerGzipType), kOld, 5), {{0, NewLayer(kOciLayerZstdType)}});
  const auto manifest = ParseManifest(AsBytes(replaced), kOciManifestType);
  ASSERT_TRUE(manifest.ok()) << manifest.error().message();
  EXPECT_EQ(manifest->config.media_type, kOciConfigType);
  EXPECT_EQ(manifest->layers[0].media_type, kOciLayerZstdType);
}

TEST(ReplaceLayersTest, OtherLayersAndUnknownFieldsStayAndWhatDescribedTheOldBytesGoes) {
  const std::string layer = R"({"mediaType":")" + std::string(kOciLayerGzipType) + R"(","digest":")" + kOld +
                            R"(","size":5,"annotations":{"a":"b","containerd.io/snapshot/stargz/toc.digest":"x"}})";
  const std::string manifest = R"({"schemaVersion":2,"unknown":{"z":1,"a":[2]},"config":{"mediaType":"c","digest":")" +
                               kOld + R"(","size":2},"layers":[)" + layer + "," + layer + "]}";
  const std::string replaced = Replaced(manifest, {{1, NewLayer(kOciLayerGzipType)}});
  EXPECT_THAT(replaced, HasSubstr(R"("unknown":{"z":1,"a":[2]})"));
  EXPECT_THAT(replaced, HasSubstr(layer + R"(,{"mediaType":)"));
  EXPECT_THAT(replaced, HasSubstr(kNew + R"(","size":7,"annotations":{"a":"b"}})"));
}

}  // namespace
}  // namespace varve
