#include "cached/server/v2/route.h"

#include <gtest/gtest.h>

namespace varve::v2 {
namespace {

struct Case {
  const char* path;
  Route::Kind kind;
  const char* repository;
  const char* reference;
};

class RouteTest : public testing::TestWithParam<Case> {};

TEST_P(RouteTest, APathIsReadFromItsEnd) {
  const auto route = ParseRoute(GetParam().path);
  ASSERT_TRUE(route.ok() && *route) << GetParam().path;
  EXPECT_EQ((*route)->kind, GetParam().kind);
  EXPECT_EQ((*route)->repository, GetParam().repository);
  EXPECT_EQ((*route)->reference, GetParam().reference);
}

INSTANTIATE_TEST_SUITE_P(
    , RouteTest,
    testing::Values(Case{"/v2", Route::Kind::kBase, "", ""}, Case{"/v2/", Route::Kind::kBase, "", ""},
                    Case{"/v2/_catalog", Route::Kind::kCatalog, "", ""},
                    Case{"/v2/a/tags/list", Route::Kind::kTags, "a", ""},
                    Case{"/v2/a/b/c/tags/list", Route::Kind::kTags, "a/b/c", ""},
                    Case{"/v2/a/manifests/latest", Route::Kind::kManifest, "a", "latest"},
                    Case{"/v2/a/manifests/sha256:00", Route::Kind::kManifest, "a", "sha256:00"},
                    Case{"/v2/a/blobs/sha256:00", Route::Kind::kBlob, "a", "sha256:00"},
                    Case{"/v2/a/blobs/uploads/", Route::Kind::kUploads, "a", ""},
                    Case{"/v2/a/blobs/uploads", Route::Kind::kUploads, "a", ""},
                    Case{"/v2/a/blobs/uploads/some-id", Route::Kind::kUpload, "a", "some-id"},
                    Case{"/v2/a/referrers/sha256:00", Route::Kind::kReferrers, "a", "sha256:00"},
                    // Names that hold the words of addresses.
                    Case{"/v2/manifests/tags/list", Route::Kind::kTags, "manifests", ""},
                    Case{"/v2/a/blobs/uploads/manifests/1", Route::Kind::kManifest, "a/blobs/uploads", "1"},
                    Case{"/v2/blobs/blobs/sha256:00", Route::Kind::kBlob, "blobs", "sha256:00"},
                    Case{"/v2/tags/list/tags/list", Route::Kind::kTags, "tags/list", ""}));

TEST(RouteRefusalTest, WhatIsNoAddressIsNone) {
  for (const char* const path : {"/", "/v1/", "/v2x", "/v2/a", "/v2/a/b", "/v2/tags/list", "/v2/manifests/latest",
                                 "/v2/a/manifests/", "/v2/a/referrers/"}) {
    const auto route = ParseRoute(path);
    EXPECT_TRUE(route.ok() && !*route) << path;
  }
}

TEST(RouteRefusalTest, ABadNameIsSaidToBeOne) {
  for (const char* const path : {"/v2/A/tags/list", "/v2/a//b/tags/list", "/v2/../tags/list", "/v2/a/-b/manifests/1"}) {
    const auto route = ParseRoute(path);
    ASSERT_FALSE(route.ok()) << path;
    EXPECT_EQ(route.error().code(), Code::kInvalidArgument);
  }
}

}  // namespace
}  // namespace varve::v2
