#include "cached/tree/path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace varve {
namespace {

using testing::ElementsAre;

std::vector<std::string_view> Split(std::string_view path) { return SplitPath(path).value(); }

TEST(PathTest, SlashesAndDotsSayNothing) {
  EXPECT_THAT(Split("//a/./b//"), ElementsAre("a", "b"));
  EXPECT_THAT(Split("./"), ElementsAre());
  EXPECT_THAT(Split(""), ElementsAre());
  EXPECT_THAT(Split("a/.../.b"), ElementsAre("a", "...", ".b"));
}

TEST(PathTest, DotDotIsRefusedWhereverItStands) {
  EXPECT_FALSE(SplitPath("..").ok());
  EXPECT_FALSE(SplitPath("a/../b").ok());
  EXPECT_FALSE(SplitPath("a/..").ok());
}

TEST(PathTest, NamesAreBounded) {
  EXPECT_TRUE(SplitPath(std::string(255, 'n')).ok());
  EXPECT_FALSE(SplitPath(std::string(256, 'n')).ok());
  EXPECT_FALSE(SplitPath(std::string_view("a\0b", 3)).ok());
}

TEST(PathTest, DepthIsBounded) {
  std::string path;
  for (std::size_t i = 0; i < kDepthMax; ++i) path += "d/";
  EXPECT_TRUE(SplitPath(path).ok());
  EXPECT_FALSE(SplitPath(path + "f").ok());
}

// A tree as a map: "a/b" -> its number, or "-> target", or "file".
class FakeTree {
 public:
  explicit FakeTree(std::map<std::string, std::string> paths) : paths_(std::move(paths)) {}

  // The names, "+" in front of those that are missing; or the error.
  std::string Resolve(std::string_view path) {
    const auto names = Split(path);
    const auto resolved = ResolveDirectory(
        0, names, [this](std::uint32_t directory, std::string_view name) { return Step(directory, name); });
    if (!resolved.ok()) return resolved.error().message();
    std::string text;
    for (const ResolvedName& name : *resolved)
      text += (name.directory == kMissingDirectory ? "/+" : "/") + std::string(name.name);
    return text;
  }

 private:
  PathStep Step(std::uint32_t directory, std::string_view name) {
    const std::string path = directories_[directory] + std::string(name);
    const auto found = paths_.find(path);
    if (found == paths_.end()) return {};
    if (found->second.starts_with("-> ")) {
      return {PathStep::Kind::kSymlink, 0, std::string_view(found->second).substr(3)};
    }
    if (found->second != "dir") return {PathStep::Kind::kOther, 0, {}};
    directories_.push_back(path + "/");
    return {PathStep::Kind::kDirectory, static_cast<std::uint32_t>(directories_.size() - 1), {}};
  }

  std::map<std::string, std::string> paths_;
  std::vector<std::string> directories_ = {""};
};

TEST(ResolveTest, SymlinksAreFollowedInsideTheRoot) {
  FakeTree tree({{"usr", "dir"},
                 {"usr/lib", "dir"},
                 {"lib", "-> usr/lib"},
                 {"abs", "-> /usr"},
                 {"usr/up", "-> ../../../usr/lib"}});
  EXPECT_EQ(tree.Resolve("usr/lib"), "/usr/lib");
  EXPECT_EQ(tree.Resolve("lib"), "/usr/lib");
  EXPECT_EQ(tree.Resolve("abs/lib"), "/usr/lib");
  EXPECT_EQ(tree.Resolve("usr/up"), "/usr/lib");
}

TEST(ResolveTest, WhatIsMissingIsADirectoryYetToBeMade) {
  FakeTree tree({{"usr", "dir"}, {"lib", "-> usr/lib/x"}, {"back", "-> gone/../usr"}});
  EXPECT_EQ(tree.Resolve("lib/y"), "/usr/+lib/+x/+y");
  EXPECT_EQ(tree.Resolve("back"), "/usr");
}

TEST(ResolveTest, FilesAndLoopsAreErrors) {
  FakeTree tree({{"file", "file"}, {"a", "-> b"}, {"b", "-> a"}});
  EXPECT_EQ(tree.Resolve("file/x"), "\"file\" is not a directory");
  EXPECT_EQ(tree.Resolve("a/x"), "more than 40 symlinks");
}

TEST(ResolveTest, FortySymlinksAreFollowed) {
  std::map<std::string, std::string> paths = {{"s40", "dir"}};
  for (int i = 0; i < 40; ++i) paths["s" + std::to_string(i)] = "-> s" + std::to_string(i + 1);
  EXPECT_EQ(FakeTree(paths).Resolve("s0"), "/s40");
}

TEST(ResolveTest, DepthIsBounded) {
  std::string deep = "-> ";
  for (int i = 0; i < 1000; ++i) deep += "d/";
  FakeTree tree({{"a", deep}, {"b", deep + "e/e/e/e/e/e/e/e/e/e/e/e/e/e/e/e/e/e/e/e/e/e/e/e/e"}});
  EXPECT_TRUE(tree.Resolve("a").starts_with("/+d"));
  EXPECT_EQ(tree.Resolve("b"), "more than 1024 directories deep");
}

}  // namespace
}  // namespace varve
