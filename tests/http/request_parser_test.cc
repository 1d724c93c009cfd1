#include "cached/http/request_parser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace varve {
namespace {

// Gives `text` to a parser in steps of `step` bytes, as a connection does; what it made of it, and how much it
// consumed.
struct Parsed {
  bool ok = true;
  std::string path, body;
  bool done = false;
  std::size_t consumed = 0;
  bool operator==(const Parsed&) const = default;
};

Parsed ParseInSteps(std::string_view text, std::size_t step) {
  RequestParser parser(4096);
  Parsed parsed;
  Bytes piece;
  std::size_t begin = 0, end = 0;
  while (end < text.size() && !parser.done() && parsed.ok) {
    end = std::min(text.size(), end + step);
    while (begin < end && !parser.done()) {
      const ByteSpan held = AsBytes(text.substr(begin, end - begin));
      const auto consumed = parser.head_done() ? parser.PutBody(held, piece, 1 << 20) : parser.PutHead(held);
      parsed.ok = consumed.ok();
      if (!consumed.ok() || *consumed == 0) break;
      begin += *consumed;
    }
  }
  parsed.path = parser.request().path;
  parsed.body = AsText(piece);
  parsed.done = parser.done();
  parsed.consumed = begin;
  return parsed;
}

TEST(RequestParserTest, HowARequestIsCutMakesNoDifference) {
  const std::string chunked =
      "PUT /a?b=c HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n1;x=y\r\n,\r\n6\r\n world\r\n0\r\nT: x\r\n\r\nGET /next";
  const std::string whole = "PUT /a HTTP/1.1\r\nHost: here\r\nContent-Length: 12\r\n\r\nhello, worldGET /next";
  for (const std::string& text : {chunked, whole}) {
    const Parsed expected{.path = "/a", .body = "hello, world", .done = true, .consumed = text.size() - 9};
    for (std::size_t step = 1; step <= text.size(); ++step)
      EXPECT_EQ(ParseInSteps(text, step), expected) << step << " bytes at a time";
  }
}

TEST(RequestParserTest, APieceIsNeverLargerThanAllowed) {
  RequestParser parser(4096);
  const std::string_view head = "PUT / HTTP/1.1\r\nHost: here\r\nContent-Length: 10\r\n\r\n";
  ASSERT_EQ(parser.PutHead(AsBytes(head)).value(), head.size());
  Bytes piece;
  EXPECT_EQ(parser.PutBody(AsBytes("0123456789"), piece, 4).value(), 4);
  EXPECT_EQ(AsText(piece), "0123");
  piece.clear();
  EXPECT_EQ(parser.PutBody(AsBytes("456789"), piece, 6).value(), 6);
  EXPECT_TRUE(parser.done());
}

TEST(RequestParserTest, AHeadOfJustTheMostBytesIsTaken) {
  std::string request = "GET / HTTP/1.1\r\nHost: here\r\nX: \r\n\r\n";
  request.insert(request.size() - 4, std::string(4096 - request.size(), 'x'));
  EXPECT_TRUE(ParseInSteps(request, 7).done);
  request.insert(request.size() - 4, "x");
  EXPECT_FALSE(ParseInSteps(request, 7).ok);
}

}  // namespace
}  // namespace varve
