// A prune between any two steps of whoever reads images: an answer is whole, and at most an image that was removed
// meanwhile is missing from it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cached/server/images_service.h"
#include "cached/server/store_service.h"
#include "tests/ingest/tar_support.h"
#include "tests/store/store_fixture.h"
#include "tests/support/interposed_fs.h"
#include "tests/transfer/fake_registry.h"

namespace varve {
namespace {

using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// The layers of an image, from memory.
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

std::string TarOf(const TinyStore::Files& files) {
  std::vector<Bytes> pieces;
  for (const auto& [name, content] : files) {
    pieces.push_back(HeaderBlock(name).Size(content.size()).bytes());
    pieces.push_back(Padded(content));
  }
  pieces.push_back(EndBlocks());
  return std::string(AsText(Join(pieces)));
}

// What a node has behind its socket, with two images that share a file: "kept:1" stays, "gone:1" is removed.
struct Node {
  explicit Node(Fs& fs) : store(fs) {
    Install("gone:1", {{"own", Noise(1, 90'000)}, {"shared", Noise(3, 70'000)}});
    Install("kept:1", {{"own", Noise(2, 30'000)}, {"shared", Noise(3, 70'000)}});
  }
  void Install(const std::string& name, const TinyStore::Files& files) {
    const FakeImage image = FakeImage::Of({TarOf(files)});
    MemoryFetcher fetcher(image);
    const auto documents = ImageDocuments::Parse(ToBytes(image.manifest), "", ToBytes(image.config));
    ASSERT_TRUE(documents.ok()) << documents.error().message();
    const Status installed = installer.Install(
        *documents, Reference::Parse(name)->Canonical(), "", fetcher, [](const LayerProgress&) {}, CancelToken());
    ASSERT_TRUE(installed.ok()) << installed.error().message();
  }
  void RemoveAndPrune() {
    ASSERT_TRUE(catalog.Remove("gone:1", Catalog::Force::kNo).ok());
    CollectOptions options;
    options.dead_fraction_min = 0;  // what stays moves to another pack, whether or not "gone:1" is leased
    const auto pruned = pruner.Run(options);
    ASSERT_TRUE(pruned.ok()) << pruned.error().message();
    ASSERT_GE(pruned->packs_dropped, 1u);
  }

  TinyStore store;
  ManualClock clock;
  LayerGate gate;
  FakeRegistry registry;
  ImageInstaller installer{*store, gate, clock, {}};
  Catalog catalog{*store, clock};
  DriverSessions driver{*store};
  Pruner pruner{*store, catalog, driver};
  ImagesService images{*store, catalog, installer, registry, [](const Digest&) {}};
  StoreService service{*store, catalog, pruner, installer, registry};
};

// Calls `ask` with a node whose "gone:1" is removed and pruned before the n-th file is opened, for every n.
void AtEveryOpening(const std::function<void(Node&)>& ask) {
  for (int n = 1;; ++n) {
    SCOPED_TRACE("before opening " + std::to_string(n));
    InterposedFs fs;
    Node node(fs);
    fs.BeforeOpen(n, [&] { node.RemoveAndPrune(); });
    ask(node);
    if (testing::Test::HasFatalFailure()) return;
    if (!fs.happened()) {
      EXPECT_GT(n, 1) << "nothing was opened";
      return;
    }
  }
}

// Of a call that is about one image: whole if that one is kept, else whole or not found.
void ExpectWhole(const std::string& image, const grpc::Status& status) {
  if (image == "kept:1") {
    EXPECT_TRUE(status.ok()) << status.error_message();
  } else {
    EXPECT_THAT(status.error_code(), AnyOf(grpc::StatusCode::OK, grpc::StatusCode::NOT_FOUND))
        << status.error_message();
    // It is the image that was not found, and not a part of one that was.
    EXPECT_THAT(status.error_message(), Not(AnyOf(HasSubstr("layer"), HasSubstr("chunk"))));
  }
}

TEST(PruneBesideTest, AListOfImagesHasAllThatStay) {
  AtEveryOpening([](Node& node) {
    v1::ListImagesReply reply;
    const grpc::Status listed = node.images.List(nullptr, nullptr, &reply);
    ASSERT_TRUE(listed.ok()) << listed.error_message();
    std::set<std::string> names;
    for (const auto& image : reply.images()) {
      names.insert(image.repository());
      EXPECT_GT(image.size_bytes(), 100'000u);
    }
    EXPECT_THAT(names, AnyOf(ElementsAre("kept"), ElementsAre("gone", "kept")));
  });
}

TEST(PruneBesideTest, AnImageIsInspectedWholeOrNotFound) {
  for (const std::string image : {"kept:1", "gone:1", "gone:1@layer:1"}) {
    AtEveryOpening([&](Node& node) {
      v1::InspectImageRequest request;
      request.set_image(image);
      v1::ImageDetail reply;
      ExpectWhole(image, node.images.Inspect(nullptr, &request, &reply));
    });
  }
}

TEST(PruneBesideTest, UsageIsToldOfAllImagesThatStay) {
  AtEveryOpening([](Node& node) {
    v1::UsageRequest request;
    request.set_per_image(true);
    v1::UsageReply reply;
    const grpc::Status told = node.service.Usage(nullptr, &request, &reply);
    ASSERT_TRUE(told.ok()) << told.error_message();
    EXPECT_THAT(reply.images(), AnyOf(1u, 2u));
    for (const auto& image : reply.per_image()) EXPECT_GT(image.raw_bytes(), 100'000u) << image.name();
  });
}

TEST(PruneBesideTest, AFileIsExplainedWholeOrNotFound) {
  for (const std::string image : {"kept:1", "gone:1"}) {
    AtEveryOpening([&](Node& node) {
      v1::ExplainRequest request;
      request.set_image(image);
      request.set_path("shared");
      v1::ExplainReply reply;
      const grpc::Status explained = node.service.Explain(nullptr, &request, &reply);
      ExpectWhole(image, explained);
      EXPECT_EQ(reply.size_bytes(), explained.ok() ? 70'000u : 0u);
    });
  }
}

TEST(PruneBesideTest, WaysOfDeduplicationAreComparedWholeOrNotFound) {
  for (const std::string image : {"kept:1", "gone:1"}) {
    AtEveryOpening([&](Node& node) {
      v1::BenchDedupRequest request;
      request.add_images(image);
      v1::BenchDedupReply reply;
      const grpc::Status compared = node.service.BenchDedup(nullptr, &request, &reply);
      ExpectWhole(image, compared);
      EXPECT_EQ(reply.fastcdc_bytes(), !compared.ok() ? 0u : image == "kept:1" ? 100'000u : 160'000u);
    });
  }
}

}  // namespace
}  // namespace varve
