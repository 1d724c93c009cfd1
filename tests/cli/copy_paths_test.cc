#include "cli/archive/copy_paths.h"

#include <gtest/gtest.h>

namespace varve {
namespace {

TEST(CopyPathsTest, AContainerStandsBeforeTheFirstColon) {
  EXPECT_EQ(ParseCopyArgument("web:/etc/a:b").container, "web");
  EXPECT_EQ(ParseCopyArgument("web:/etc/a:b").path, "/etc/a:b");
  for (const char* here : {"/a:b", "./a:b", ".:b", "plain", "-", ":x"}) {
    EXPECT_EQ(ParseCopyArgument(here).container, "") << here;
    EXPECT_EQ(ParseCopyArgument(here).path, here);
  }
  EXPECT_TRUE(ParseCopyArgument("-").is_stream());
}

TEST(CopyPathsTest, ThePathHasALastPartUnlessItMeansWhatIsInIt) {
  EXPECT_EQ(BaseName("/a/b"), "b");
  EXPECT_EQ(BaseName("/a/b//"), "b");
  EXPECT_EQ(BaseName("b"), "b");
  for (const char* whole : {"/", ".", "a/.", "/a/./"}) EXPECT_EQ(BaseName(whole), "") << whole;
}

struct Case {
  CopyKind source_kind;
  const char* source;
  CopyKind destination_kind;
  const char* destination;
  const char* directory;  // "" for an error
  const char* name;
};

// docker's table (docs of `docker container cp`), row by row.
TEST(CopyPathsTest, WhatIsMadeFollowsDockersTable) {
  using enum CopyKind;
  for (const Case& row :
       {Case{kFile, "/a/f", kAbsent, "/b/g", "/b", "g"}, Case{kFile, "/a/f", kAbsent, "/b/g/", "", ""},
        Case{kFile, "/a/f", kFile, "/b/g", "/b", "g"}, Case{kFile, "/a/f", kFile, "/b/g/", "", ""},
        Case{kFile, "/a/f", kDirectory, "/b", "/b", "f"}, Case{kFile, "/a/f/", kDirectory, "/b", "", ""},
        Case{kFile, "f", kAbsent, "g", ".", "g"}, Case{kFile, "/f", kAbsent, "/g", "/", "g"},
        Case{kDirectory, "/a/d", kAbsent, "/b/e", "/b", "e"}, Case{kDirectory, "/a/d", kAbsent, "/b/e/", "/b", "e"},
        Case{kDirectory, "/a/d/.", kAbsent, "/b/e", "/b", "e"}, Case{kDirectory, "/a/d", kFile, "/b/g", "", ""},
        Case{kDirectory, "/a/d", kDirectory, "/b", "/b", "d"}, Case{kDirectory, "/a/d/", kDirectory, "/b", "/b", "d"},
        Case{kDirectory, "/a/d/.", kDirectory, "/b", "/b", ""}, Case{kDirectory, "/", kDirectory, "/b", "/b", ""}}) {
    const Result<CopyTarget> target = TargetOf(row.source_kind, row.source, row.destination_kind, row.destination);
    ASSERT_EQ(target.ok(), *row.directory != '\0') << row.source << " to " << row.destination;
    if (!target.ok()) continue;
    EXPECT_EQ(target->directory, row.directory) << row.source << " to " << row.destination;
    EXPECT_EQ(target->name, row.name) << row.source << " to " << row.destination;
  }
}

}  // namespace
}  // namespace varve
