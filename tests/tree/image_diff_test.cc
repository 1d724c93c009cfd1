#include "cached/tree/image_diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/tree/layer_builder.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Result<std::vector<std::string>> Diff(const std::vector<Layer>& from, const std::vector<Layer>& to,
                                      std::string_view path = "/") {
  const BuiltImage before = BuildImage(from).value();
  const BuiltImage after = BuildImage(to).value();
  std::vector<std::string> changes;
  VARVE_RETURN_IF_ERROR(DiffImages({before.index, before.indexes}, {after.index, after.indexes}, path,
                                   [&](const PathChange& change) -> Status {
                                     changes.push_back("ACD"[static_cast<int>(change.kind)] + (" " + change.path));
                                     return Ok();
                                   }));
  return changes;
}

TEST(ImageDiffTest, TellsWhatIsNewChangedAndGoneInOrderOfPaths) {
  EXPECT_THAT(Diff({Layer().File("a", "1").File("b", "2").File("d/x", "3")},
                   {Layer().File("a", "1").File("b", "!").File("c", "4").Dir("d")})
                  .value(),
              ElementsAre("C /b", "A /c", "D /d/x"));
}

TEST(ImageDiffTest, ImagesOfOtherLayersWithTheSameTreeAreEqual) {
  EXPECT_THAT(Diff({Layer().File("a", "1"), Layer().File("b", "2")},
                   {Layer().File("a", "1").File("b", "2").File("c", "3"), Layer().Whiteout("c")})
                  .value(),
              IsEmpty());
}

TEST(ImageDiffTest, AGoneDirectoryIsToldByItselfAndANewOneWithAllInIt) {
  EXPECT_THAT(Diff({Layer().File("old/a/b", "1")}, {Layer().File("new/a/b", "1")}).value(),
              ElementsAre("A /new", "A /new/a", "A /new/a/b", "D /old"));
}

TEST(ImageDiffTest, ADirectoryThatBecameAFileIsOneChange) {
  EXPECT_THAT(Diff({Layer().File("x/a", "1")}, {Layer().File("x", "1")}).value(), ElementsAre("C /x"));
  EXPECT_THAT(Diff({Layer().File("x", "1")}, {Layer().File("x/a", "1")}).value(), ElementsAre("C /x", "A /x/a"));
}

TEST(ImageDiffTest, ModeOwnerTargetAndAttributesAreChangesAndTimesAreNot) {
  const Layer before = Layer().Line("file a 1").Line("file b 1").Line("symlink c x").Line("file d 1").Line("file e 1");
  EXPECT_THAT(Diff({before}, {Layer()
                                  .Line("file a 1 mode=0600")
                                  .Line("file b 1 uid=7")
                                  .Line("symlink c y")
                                  .Line("file d 1 xattr=user.n:v")
                                  .Line("file e 1 mtime=77")})
                  .value(),
              ElementsAre("C /a", "C /b", "C /c", "C /d"));
}

TEST(ImageDiffTest, LooksBelowAPathOnlyWhichOneOfThemMayLack) {
  const std::vector<Layer> from = {Layer().File("etc/a", "1").File("usr/b", "2")};
  const std::vector<Layer> to = {Layer().File("etc/a", "!").File("srv/c", "3")};
  EXPECT_THAT(Diff(from, to, "etc").value(), ElementsAre("C /etc/a"));
  EXPECT_THAT(Diff(from, to, "/srv/").value(), ElementsAre("A /srv", "A /srv/c"));
  EXPECT_THAT(Diff(from, to, "/usr/b").value(), ElementsAre("D /usr/b"));
  EXPECT_THAT(Diff(from, to, "/none").error().message(), HasSubstr("/none: no such path in either image"));
  EXPECT_EQ(Diff(from, to, "../etc").error().code(), Code::kInvalidArgument);
}

TEST(ImageDiffTest, AnErrorOfTheListenerEndsIt) {
  const BuiltImage empty = BuildImage({}).value();
  const BuiltImage image = BuildImage({Layer().File("a", "1").File("b", "2")}).value();
  int told = 0;
  const Status status =
      DiffImages({empty.index, empty.indexes}, {image.index, image.indexes}, "/", [&](const PathChange&) {
        ++told;
        return Status(Error(Code::kCancelled, "enough"));
      });
  EXPECT_EQ(status.error().code(), Code::kCancelled);
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace varve
