#include "cached/content/digest.h"

#include <gtest/gtest.h>

#include <string>
#include <unordered_set>

namespace varve {
namespace {

const std::string kHex = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

TEST(DigestTest, OciTextGoesThereAndBack) {
  const Digest digest = *Digest::Parse("sha256:" + kHex);
  EXPECT_EQ(digest.ToString(), "sha256:" + kHex);
  EXPECT_EQ(digest.hex(), kHex);
  EXPECT_EQ(digest.Short(), "0123456789ab");
  EXPECT_EQ(*Digest::FromBytes(digest.span()), digest);
}

TEST(DigestTest, OnlySha256InLowerCaseIsADigest) {
  const std::string longer = kHex + "00";
  std::string upper = kHex;
  upper[10] = 'A';
  for (const std::string& text :
       {std::string(), std::string("sha256:"), kHex, "sha512:" + kHex, "SHA256:" + kHex, "sha256:" + upper,
        "sha256:" + longer, "sha256:" + kHex.substr(2), "sha256:x" + kHex.substr(1), "sha256: " + kHex}) {
    EXPECT_EQ(Digest::Parse(text).error().code(), Code::kInvalidArgument) << text;
  }
}

TEST(DigestTest, TheErrorShowsWhatWasGivenButNotAllOfIt) {
  const std::string message = Digest::Parse("md5:" + std::string(5000, 'a')).error().message();
  EXPECT_NE(message.find("md5:aaaa"), std::string::npos);
  EXPECT_LT(message.size(), 200u);
}

TEST(DigestTest, AnythingBut32BytesIsRefused) {
  EXPECT_FALSE(Digest::FromBytes(Bytes(31)).ok());
  EXPECT_FALSE(Digest::FromBytes(Bytes(33)).ok());
}

TEST(DigestTest, OrderAndHashFollowTheBytes) {
  const Digest low = *Digest::FromHexText(std::string(64, '0'));
  const Digest high = *Digest::FromHexText(kHex);
  EXPECT_LT(low, high);
  EXPECT_EQ((std::unordered_set<Digest>{low, high, low}).size(), 2u);
}

}  // namespace
}  // namespace varve
