#include "cached/distribution/uploads.h"

#include <gtest/gtest.h>

#include "tests/store/store_fixture.h"

namespace varve {
namespace {

class UploadsTest : public testing::Test {
 protected:
  TinyStore store_;
  ManualClock clock_;
  Uploads uploads_{store_->blob_files(), clock_};
};

TEST_F(UploadsTest, OneRequestAtATimeAppends) {
  auto hold = uploads_.Start("team/app");
  ASSERT_TRUE(hold.ok());
  const Uploads::Name name = hold->name();
  const auto other = uploads_.Continue(name);
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code(), Code::kAborted);
}

TEST_F(UploadsTest, WhatARequestAppendedStaysForTheNext) {
  auto first = uploads_.Start("team/app");
  ASSERT_TRUE(first.ok() && first->Append(AsBytes("con")).ok());
  const Uploads::Name name = first->name();
  {
    const Uploads::Hold ends = *std::move(first);
  }
  auto second = uploads_.Continue(name);
  ASSERT_TRUE(second.ok() && second->Append(AsBytes("tent")).ok());
  EXPECT_EQ(second->size_bytes(), 7u);
  EXPECT_TRUE(second->Seal(Sha256Of(AsBytes("content"))).ok());
}

TEST_F(UploadsTest, AnUploadIsKnownInItsOwnRepositoryOnly) {
  auto hold = uploads_.Start("team/app");
  ASSERT_TRUE(hold.ok());
  const auto other = uploads_.Continue({"other/app", hold->name().id});
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code(), Code::kNotFound);
}

TEST_F(UploadsTest, NoClientNamesAFile) {
  for (const char* const id : {"", "..", "../../../db/CURRENT", "0123"}) {
    const auto hold = uploads_.Continue({"team/app", id});
    ASSERT_FALSE(hold.ok()) << id;
    EXPECT_EQ(hold.error().code(), Code::kNotFound) << id;
  }
}

TEST_F(UploadsTest, WhatIsOpenIsBoundedAndWhatIsClosedGoesOn) {
  std::vector<Uploads::Name> names;
  for (std::size_t i = 0; i < Uploads::kOpenMax + 10; ++i) {
    clock_.Advance(std::chrono::seconds(1));
    auto hold = uploads_.Start("team/app");
    ASSERT_TRUE(hold.ok() && hold->Append(AsBytes("con")).ok());
    names.push_back(hold->name());
  }
  auto closed = uploads_.Continue(names.front());
  ASSERT_TRUE(closed.ok()) << closed.error().message();
  EXPECT_EQ(closed->size_bytes(), 3u);
  ASSERT_TRUE(closed->Append(AsBytes("tent")).ok());
  EXPECT_TRUE(closed->Seal(Sha256Of(AsBytes("content"))).ok());
}

TEST_F(UploadsTest, NobodyAppendsToWhatIsBeingPublished) {
  auto hold = uploads_.Start("team/app");
  ASSERT_TRUE(hold.ok() && hold->Append(AsBytes("content")).ok());
  const Uploads::Name name = hold->name();
  ASSERT_TRUE(hold->Seal(Sha256Of(AsBytes("content"))).ok());
  EXPECT_EQ(uploads_.Continue(name).error().code(), Code::kAborted);
}

TEST_F(UploadsTest, AWrongDigestEndsTheUpload) {
  auto hold = uploads_.Start("team/app");
  ASSERT_TRUE(hold.ok() && hold->Append(AsBytes("content")).ok());
  const Uploads::Name name = hold->name();
  const Status sealed = hold->Seal(Sha256Of(AsBytes("other")));
  ASSERT_FALSE(sealed.ok());
  EXPECT_EQ(sealed.error().code(), Code::kOutOfRange);
  EXPECT_FALSE(uploads_.Continue(name).ok());
}

}  // namespace
}  // namespace varve
