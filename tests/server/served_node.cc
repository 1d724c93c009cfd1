#include "tests/server/served_node.h"

#include <gtest/gtest.h>

namespace varve {
namespace {

class MemoryFetcher final : public BlobFetcher {
 public:
  explicit MemoryFetcher(const FakeImage& image) : image_(image) {}
  Status Fetch(const Descriptor& blob, const Sink& sink, const CancelToken&) override {
    for (std::size_t i = 0; i < image_.layers.size(); ++i) {
      if (image_.blob(i) == blob.digest.ToString()) return sink(AsBytes(image_.layers[i]));
    }
    return Error(Code::kNotFound, blob.digest.ToString());
  }

 private:
  const FakeImage& image_;
};

}  // namespace

ServedNode::ServedNode(Fs& fs) : store(fs) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + socket, grpc::InsecureServerCredentials());
  builder.RegisterService(&images);
  builder.RegisterService(&storage);
  builder.RegisterService(&driver);
  server = builder.BuildAndStart();
}

ServedNode::~ServedNode() { server->Shutdown(); }

FakeImage ServedNode::Install(const std::string& name, const TinyStore::Files& files) {
  const FakeImage image = FakeImage::Of({TarOf(files)});
  MemoryFetcher fetcher(image);
  const auto documents = ImageDocuments::Parse(ToBytes(image.manifest), "", ToBytes(image.config));
  EXPECT_TRUE(documents.ok()) << documents.error().message();
  const Status installed = installer.Install(
      *documents, Reference::Parse(name)->Canonical(), "", fetcher, [](const LayerProgress&) {}, CancelToken());
  EXPECT_TRUE(installed.ok()) << installed.error().message();
  return image;
}

CollectOutcome ServedNode::PruneAll() {
  CollectOptions options;
  options.images = CollectOptions::Images::kUnused;
  const auto pruned = pruner.Run(options);
  EXPECT_TRUE(pruned.ok()) << pruned.error().message();
  return pruned.ok() ? *pruned : CollectOutcome();
}

}  // namespace varve
