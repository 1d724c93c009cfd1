#include "cached/distribution/layer_intake.h"

#include <gtest/gtest.h>

#include "cached/content/sha256.h"
#include "cached/oci/media_types.h"
#include "tests/ingest/tar_support.h"
#include "tests/store/store_fixture.h"
#include "tests/transfer/fake_registry.h"

namespace varve {
namespace {

std::string FileTar(std::string_view name, const std::string& content) {
  return std::string(AsText(Join({HeaderBlock(name).Size(content.size()).bytes(), Padded(content), EndBlocks()})));
}

class LayerIntakeTest : public testing::Test {
 protected:
  LayerIntakeTest() {
    host_ = std::make_unique<RegistryHost>(*store_, clock_, RegistryHostOptions(),
                                           [this](const auto& name, const auto& digest) {
                                             if (intake_ != nullptr) intake_->Add(name, digest);
                                           });
  }
  void StartIntake() { intake_ = std::make_unique<LayerIntake>(*store_, *host_, installer_); }
  void PushBlob(const std::string& content) {
    auto upload = host_->uploads().Start("team/app");
    ASSERT_TRUE(upload.ok() && upload->Append(AsBytes(content)).ok());
    ASSERT_TRUE(host_->PublishBlob(*std::move(upload), Sha256Of(AsBytes(content))).ok());
  }
  void Push(const FakeImage& image, std::string_view type = kOciManifestType) {
    PushBlob(image.config);
    for (const std::string& layer : image.layers) PushBlob(layer);
    const auto put = host_->PutManifest("team/app", "1", {}, type, AsBytes(image.manifest));
    ASSERT_TRUE(put.ok()) << put.error().message();
  }
  void ExpectTakenIn(const FakeImage& image) {
    ASSERT_TRUE(intake_->WaitUntilIdle([] { return Ok(); }).ok());
    for (const Digest& diff_id : image.diff_ids) store_.ExpectReadsWhole(diff_id);
  }

  TinyStore store_;
  ManualClock clock_;
  LayerGate gate_;
  ImageInstaller installer_{*store_, gate_, clock_, InstallOptions()};
  std::unique_ptr<RegistryHost> host_;
  std::unique_ptr<LayerIntake> intake_;
  const FakeImage image_ = FakeImage::Of({FileTar("one", Noise(1, 100'000)), FileTar("two", Noise(2, 100'000))});
};

TEST_F(LayerIntakeTest, LayersOfAPushedImageBecomeChunks) {
  StartIntake();
  Push(image_);
  ExpectTakenIn(image_);
}

TEST_F(LayerIntakeTest, WhatAnEarlierProcessLeftIsTakenInToo) {
  Push(image_);
  StartIntake();
  ExpectTakenIn(image_);
}

TEST_F(LayerIntakeTest, ALayerThatIsNoTarIsKeptAsItCame) {
  StartIntake();
  const FakeImage broken = FakeImage::Of({"not a tar"});
  Push(broken);
  ASSERT_TRUE(intake_->WaitUntilIdle([] { return Ok(); }).ok());
  EXPECT_TRUE(host_->GetBlob("team/app", Sha256Of(AsBytes("not a tar")), RegistryHost::Asker::kReader).ok());
  Push(image_);
  ExpectTakenIn(image_);
}

}  // namespace
}  // namespace varve
