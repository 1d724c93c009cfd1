// What the server does not put up with: malformed requests, slow clients, too many of them; and its end.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tests/http/served.h"

namespace varve {
namespace {

using std::chrono::milliseconds;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr milliseconds kShort{60};

const std::string kHalfPut = "PUT /x HTTP/1.1\r\nHost: here\r\nContent-Length: 1000\r\n\r\nhalf";

struct Refused {
  const char* what;
  std::string request;
  int status;
};

class RefusalTest : public testing::TestWithParam<Refused> {};

TEST_P(RefusalTest, IsAnsweredAndTheConnectionCloses) {
  HttpServerOptions options;
  options.limits.head_bytes = 4096;
  Taken taken;
  Served served(TakeInto(taken), options);
  HttpClient client = served.Client();
  const RawResponse response = client.Exchange(GetParam().request);
  EXPECT_EQ(response.status, GetParam().status);
  EXPECT_THAT(response.fields, Contains(Pair("Connection", "close")));
  EXPECT_TRUE(client.ReceivesEnd());
}

INSTANTIATE_TEST_SUITE_P(
    Requests, RefusalTest,
    testing::Values(
        Refused{"NotHttp", "\x16\x03\x01\r\n\r\n", 400},
        Refused{"AnotherVersion", "GET / HTTP/2.0\r\nHost: here\r\n\r\n", 400},
        Refused{"NoHost", "GET / HTTP/1.1\r\n\r\n", 400},
        Refused{"TwoHosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
        Refused{"AControlCharacterInThePath", Get("/a%00b"), 400},
        Refused{"ABrokenField", "GET / HTTP/1.1\r\nHost: here\r\nno colon\r\n\r\n", 400},
        Refused{"ALengthThatIsNone", "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1x\r\n\r\n", 400},
        Refused{"LengthAndChunks",
                "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        Refused{"AnotherCoding", "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
        Refused{"CodingsBeforeChunked", "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
        Refused{"ChunksInOldHttp", "PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 501},
        Refused{"AnotherExpectation", "PUT / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", 417},
        Refused{"ABrokenChunk", "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnothex\r\n", 400},
        Refused{"AChunkHeadWithoutEnd",
                "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(100'000, 'x'), 400},
        Refused{"ALongTarget", Get("/" + std::string(5000, 'x')), 431},
        Refused{"ALongField", "GET / HTTP/1.1\r\nX: " + std::string(5000, 'x') + "\r\n\r\n", 431},
        Refused{"AHeadWithoutEnd", "GET / HTTP/1.1\r\nX: " + std::string(9000, 'x'), 431}),
    [](const auto& info) { return info.param.what; });

TEST(LimitsTest, AHeadThatComesTooSlowlyIsGivenUpThoughItGrows) {
  HttpServerOptions options;
  options.limits.head = kShort;
  Served served(EchoPath, options);
  HttpClient client = served.Client();
  client.Send("GET / HTTP/1.1\r\nX: ");
  while (!client.ReadableWithin(5)) client.Send("x");
  EXPECT_EQ(client.Receive().status, 408);
}

TEST(LimitsTest, AnIdleConnectionIsClosedWithoutAWord) {
  HttpServerOptions options;
  options.limits.idle = kShort;
  Served served(EchoPath, options);
  HttpClient fresh = served.Client(), used = served.Client();
  EXPECT_EQ(used.Exchange(Get("/x")).body, "/x");
  EXPECT_TRUE(fresh.ReceivesEnd());
  EXPECT_TRUE(used.ReceivesEnd());
}

TEST(LimitsTest, ABodyThatStallsIsGivenUp) {
  HttpServerOptions options;
  options.limits.body_stall = kShort;
  Taken taken;
  Served served(TakeInto(taken), options);
  HttpClient client = served.Client();
  EXPECT_EQ(client.Exchange(kHalfPut).status, 408);
  EXPECT_TRUE(taken.destroyed.Wait());
  EXPECT_TRUE(taken.pieces.empty()) << "what never became a piece was never taken";
}

TEST(LimitsTest, AnAnswerThatIsNotTakenIsGivenUp) {
  HttpServerOptions options;
  options.limits.write_stall = kShort;
  Signal reported;
  options.report = [&reported](const HttpExchangeReport&) { reported.Set(); };
  Served served([](const HttpRequest&) { return HttpResponse{.body = std::string(64 << 20, 'x')}; }, options);
  HttpClient client = served.Client();
  client.Send(Get("/x"));
  EXPECT_TRUE(reported.Wait());
  EXPECT_EQ(client.Receive().status, 0) << "cut off";
}

TEST(LimitsTest, TheTimeOfAHandlerIsNotTheClients) {
  HttpServerOptions options;
  options.limits = {.head = kShort, .idle = kShort, .body_stall = kShort, .write_stall = kShort};
  Taken taken;
  Signal gate;
  Served served(TakeInto(taken, &gate), options);
  HttpClient client = served.Client();
  client.Send("PUT /x HTTP/1.1\r\nHost: here\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_FALSE(client.ReadableWithin(200));
  gate.Set();
  EXPECT_EQ(client.Receive().status, 201);
}

TEST(LimitsTest, BeyondTheMostConnectionsClientsAreSentAway) {
  HttpServerOptions options;
  options.limits.connections = 2;
  Served served(EchoPath, options);
  HttpClient first = served.Client(), second = served.Client();
  EXPECT_EQ(first.Exchange(Get("/x")).status, 200);
  EXPECT_EQ(second.Exchange(Get("/x")).status, 200);
  HttpClient third = served.Client();
  const RawResponse refused = third.Receive();
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(refused.fields, Contains(Pair("Retry-After", "1")));
  EXPECT_TRUE(third.ReceivesEnd());

  first.Close();
  int status = 0;
  for (int tries = 0; status != 200 && tries < 10'000; ++tries) status = served.Client().Exchange(Get("/x")).status;
  EXPECT_EQ(status, 200) << "the place of one that left is free";
}

TEST(LimitsTest, StoppingClosesIdleConnectionsAndLetsExchangesEnd) {
  Taken taken;
  Signal gate;
  Served served([&](const HttpRequest& request) -> ScriptedHandler::Answer {
    if (request.method == HttpMethod::kGet) return EchoPath(request);
    return std::make_unique<NotingTaker>(taken, &gate);
  });
  HttpClient idle = served.Client(), busy = served.Client();
  EXPECT_EQ(idle.Exchange(Get("/x")).status, 200);
  busy.Send("PUT /x HTTP/1.1\r\nHost: here\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_TRUE(taken.first_piece.Wait());
  std::thread stopping([&served] { served->Stop(std::chrono::minutes(1)); });
  EXPECT_TRUE(idle.ReceivesEnd());
  gate.Set();
  const RawResponse response = busy.Receive();
  EXPECT_EQ(response.status, 201);
  EXPECT_THAT(response.fields, Contains(Pair("Connection", "close")));
  stopping.join();
}

TEST(LimitsTest, WhatDoesNotEndWithinTheGraceIsCutOff) {
  Taken taken;
  Served served(TakeInto(taken));
  HttpClient client = served.Client();
  client.Send("PUT /x HTTP/1.1\r\nHost: here\r\nContent-Length: 99000000\r\n\r\n");
  client.Send(std::string(kHttpPieceBytes, 'x'));
  EXPECT_TRUE(taken.first_piece.Wait());
  served->Stop(milliseconds(1));
  EXPECT_TRUE(client.ReceivesEnd());
  EXPECT_TRUE(taken.destroyed.Wait());
}

TEST(LimitsTest, AnAddressInUseIsAnErrorThatNamesIt) {
  Served served(EchoPath);
  ScriptedHandler handler(EchoPath);
  const auto second = HttpServer::Start({.listen = served->address()}, handler);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(second.error().message(), HasSubstr(served->address()));
}

}  // namespace
}  // namespace varve
