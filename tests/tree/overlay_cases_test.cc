#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/tree/overlay_case.h"

namespace varve {
namespace {

class OverlayCasesTest : public testing::TestWithParam<OverlayCase> {};

TEST_P(OverlayCasesTest, MergeGivesTheExpectedTree) {
  const auto image = BuildImage(GetParam().layers);
  if (GetParam().error.empty()) {
    ASSERT_TRUE(image.ok()) << image.error().message();
    EXPECT_THAT(image->Strings(), testing::ElementsAreArray(GetParam().expected));
  } else {
    ASSERT_FALSE(image.ok());
    EXPECT_EQ(image.error().code(), Code::kInvalidArgument);
    EXPECT_THAT(image.error().message(), testing::HasSubstr(GetParam().error));
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, OverlayCasesTest, testing::ValuesIn(OverlayCase::All()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace varve
