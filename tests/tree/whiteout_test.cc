#include "cached/tree/whiteout.h"

#include <gtest/gtest.h>

namespace varve {
namespace {

using Kind = Whiteout::Kind;

TEST(WhiteoutTest, NameAfterThePrefixIsHidden) {
  const Whiteout whiteout = ParseWhiteout(".wh.motd").value();
  EXPECT_EQ(whiteout.kind, Kind::kName);
  EXPECT_EQ(whiteout.hidden, "motd");
  EXPECT_EQ(ParseWhiteout(".wh....").value().hidden, "...");
  EXPECT_EQ(ParseWhiteout(".wh..hidden").value().hidden, ".hidden");
}

TEST(WhiteoutTest, OpaqueIsAnExactName) {
  EXPECT_EQ(ParseWhiteout(".wh..wh..opq").value().kind, Kind::kOpaque);
  EXPECT_EQ(ParseWhiteout(".wh..wh..opq2").value().kind, Kind::kReserved);
}

TEST(WhiteoutTest, AufsNamesAreReserved) {
  EXPECT_EQ(ParseWhiteout(".wh..wh.plnk").value().kind, Kind::kReserved);
  EXPECT_EQ(ParseWhiteout(".wh..wh.").value().kind, Kind::kReserved);
}

TEST(WhiteoutTest, OtherNamesAreEntries) {
  for (const char* name : {"wh.x", ".wh", ".whx", "a.wh.b", "..wh.x"})
    EXPECT_EQ(ParseWhiteout(name).value().kind, Kind::kNone) << name;
}

TEST(WhiteoutTest, WhiteoutOfNothingIsInvalid) {
  for (const char* name : {".wh.", ".wh..", ".wh..."})
    EXPECT_EQ(ParseWhiteout(name).error().code(), Code::kInvalidArgument) << name;
}

}  // namespace
}  // namespace varve
