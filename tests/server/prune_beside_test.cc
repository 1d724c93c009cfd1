// A prune between any two steps of whoever reads images: an answer is whole, and at most an image that was removed
// meanwhile is missing from it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/served_node.h"
#include "tests/support/interposed_fs.h"

namespace varve {
namespace {

using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// "kept:1" stays, "gone:1", which has a file in common with it, is removed.
struct Node : ServedNode {
  explicit Node(Fs& fs) : ServedNode(fs) {
    Install("gone:1", {{"own", Noise(1, 90'000)}, {"shared", Noise(3, 70'000)}});
    Install("kept:1", {{"own", Noise(2, 30'000)}, {"shared", Noise(3, 70'000)}});
  }
  void RemoveAndPrune() {
    ASSERT_TRUE(catalog.Remove("gone:1", Catalog::Force::kNo).ok());
    CollectOptions options;
    options.dead_fraction_min = 0;  // what stays moves to another pack, whether or not "gone:1" is leased
    const auto pruned = pruner.Run(options);
    ASSERT_TRUE(pruned.ok()) << pruned.error().message();
    ASSERT_GE(pruned->packs_dropped, 1u);
  }
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
      grpc::ServerContext context;
      ExpectWhole(image, node.images.Inspect(&context, &request, &reply));
    });
  }
}

TEST(PruneBesideTest, UsageIsToldOfAllImagesThatStay) {
  AtEveryOpening([](Node& node) {
    v1::UsageRequest request;
    request.set_per_image(true);
    v1::UsageReply reply;
    const grpc::Status told = node.storage.Usage(nullptr, &request, &reply);
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
      const grpc::Status explained = node.storage.Explain(nullptr, &request, &reply);
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
      const grpc::Status compared = node.storage.BenchDedup(nullptr, &request, &reply);
      ExpectWhole(image, compared);
      EXPECT_EQ(reply.fastcdc_bytes(), !compared.ok() ? 0u : image == "kept:1" ? 100'000u : 160'000u);
    });
  }
}

}  // namespace
}  // namespace varve
