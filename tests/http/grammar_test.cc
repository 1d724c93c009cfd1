// Targets, ranges, addresses and heads: what is parsed and printed without a connection.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "cached/http/listen_address.h"
#include "cached/http/message.h"
#include "cached/http/range.h"
#include "cached/http/response_head.h"
#include "cached/http/target.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

TEST(TargetTest, PathAndQueryAreDecoded) {
  const HttpTarget target = ParseHttpTarget("/v2/a%2Fb/%c3%a9?n=10&last=a%26b&flag&=x&&type=a+b/c==").value();
  EXPECT_EQ(target.path, "/v2/a/b/\u00e9");
  EXPECT_THAT(
      std::vector(target.query.begin(), target.query.end()),
      ElementsAre(Pair("n", "10"), Pair("last", "a&b"), Pair("flag", ""), Pair("", "x"), Pair("type", "a+b/c==")));
  EXPECT_EQ(target.query.Find("flag"), "");
  EXPECT_EQ(target.query.Find("none"), std::nullopt);
}

TEST(TargetTest, TheFormForProxiesIsTaken) {
  EXPECT_EQ(ParseHttpTarget("http://host:1/v2/?a=b").value().path, "/v2/");
  EXPECT_EQ(ParseHttpTarget("https://host").value().path, "/");
}

TEST(TargetTest, WhatIsNoPathIsRefused) {
  for (const char* target : {"", "*", "host:443", "v2/", "?a=b", "/%", "/%2", "/%zz", "/a%00", "/a%0a", "/a%7f",
                             "/?a=%0d", "http://host?a=b", "/?%1"})
    EXPECT_FALSE(ParseHttpTarget(target).ok()) << target;
}

TEST(RangeTest, OneRangeOfBytesIsAPart) {
  const auto part = [](const char* field) {
    const HttpRange range = ParseHttpRange(field, 100);
    EXPECT_EQ(range.kind, HttpRange::Kind::kPart) << field;
    return std::pair(range.offset_bytes, range.length_bytes);
  };
  EXPECT_THAT(part("bytes=0-0"), Pair(0, 1));
  EXPECT_THAT(part("bytes=10-19"), Pair(10, 10));
  EXPECT_THAT(part("bytes=90-"), Pair(90, 10));
  EXPECT_THAT(part("bytes=90-18446744073709551615"), Pair(90, 10));
  EXPECT_THAT(part("bytes=0-99999999999999999999999"), Pair(0, 100));
  EXPECT_THAT(part("bytes=-1"), Pair(99, 1));
  EXPECT_THAT(part("bytes=-1000"), Pair(0, 100));
  EXPECT_EQ(ParseHttpRange("bytes=10-19", 100).ContentRange(100), "bytes 10-19/100");
}

TEST(RangeTest, OneBehindTheEndCannotBeSatisfied) {
  for (const char* field : {"bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999999-"})
    EXPECT_EQ(ParseHttpRange(field, 100).kind, HttpRange::Kind::kUnsatisfiable) << field;
  EXPECT_EQ(ParseHttpRange("bytes=0-", 0).kind, HttpRange::Kind::kUnsatisfiable);
  EXPECT_EQ(ParseHttpRange("bytes=-5", 0).kind, HttpRange::Kind::kUnsatisfiable);
  EXPECT_EQ(ParseHttpRange("bytes=100-", 100).ContentRange(100), "bytes */100");
}

TEST(RangeTest, WhatIsNotOneRangeMeansEverything) {
  for (const char* field : {"", "bytes", "bytes=", "bytes=-", "bytes=5", "bytes=5-2", "bytes=a-b", "bytes=1-2,5-6",
                            "items=0-1", "bytes= 0-1", "bytes=0-1x", "bytes=0x1-2", "bytes=--1"}) {
    const HttpRange range = ParseHttpRange(field, 100);
    EXPECT_EQ(range.kind, HttpRange::Kind::kWhole) << field;
    EXPECT_EQ(range.length_bytes, 100) << field;
  }
  EXPECT_EQ(ParseHttpRange(std::nullopt, 100).kind, HttpRange::Kind::kWhole);
}

TEST(ListenAddressTest, AnAddressSaysWhoReachesIt) {
  EXPECT_TRUE(ListenAddress::Parse("127.0.0.1:5000").value().loopback());
  EXPECT_TRUE(ListenAddress::Parse("[::1]:5000").value().loopback());
  for (const char* open : {":5000", "0.0.0.0:5000", "[::]:5000", "10.0.0.1:1"}) {
    EXPECT_FALSE(ListenAddress::Parse(open).value().loopback()) << open;
    EXPECT_EQ(ListenAddress::Parse(open).value().text(), open);
  }
}

TEST(ListenAddressTest, AnythingElseIsRefused) {
  for (const char* text : {"", "5000", "localhost:5000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
                           "::1:5000", "[::1]", "[127.0.0.1]:1", "[]:5000", "1.2.3.4:5 "})
    EXPECT_FALSE(ListenAddress::Parse(text).ok()) << text;
}

TEST(FieldsTest, NamesCompareWithoutCase) {
  HttpFields fields;
  fields.Add("Accept", "a");
  fields.Add("accept", "b");
  EXPECT_EQ(fields.Find("ACCEPT"), "a");
  fields.Set("aCCEPT", "c");
  EXPECT_THAT(std::vector(fields.begin(), fields.end()), ElementsAre(Pair("aCCEPT", "c")));
}

TEST(ResponseHeadTest, IsPrinted) {
  HttpResponse response{.status = 404, .body = std::string("none")};
  response.fields.Set("Content-Type", "text/plain");
  EXPECT_EQ(ResponseHead(response, ThenConnection::kKeep, "today"),
            "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 4\r\nDate: today\r\n\r\n");
}

TEST(ResponseHeadTest, ADateIsThatOfItsSecond) {
  DateText date;
  using std::chrono::milliseconds;
  const std::chrono::system_clock::time_point then{std::chrono::seconds(784111777)};
  EXPECT_EQ(date.At(then), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(date.At(then + milliseconds(999)), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(date.At(then + milliseconds(1000)), "Sun, 06 Nov 1994 08:49:38 GMT");
}

}  // namespace
}  // namespace varve
