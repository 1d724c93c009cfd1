// Requests and answers over plain connections.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cached/base/fs.h"
#include "tests/http/served.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;

std::string Pattern(std::size_t bytes) {
  std::string pattern(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) pattern[i] = static_cast<char>(i * 2654435761U >> 24);
  return pattern;
}

std::string Put(std::string_view fields, std::string_view body) {
  return "PUT /x HTTP/1.1\r\nHost: here\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

std::string PutWhole(std::string_view body) {
  return Put("Content-Length: " + std::to_string(body.size()) + "\r\n", body);
}

TEST(ExchangeTest, AnAnswerTellsLengthAndDateAndTheConnectionGoesOn) {
  Served served(EchoPath);
  HttpClient client = served.Client();
  const RawResponse first = client.Exchange(Get("/one"));
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.body, "/one");
  EXPECT_THAT(first.fields, Contains(Pair("Content-Length", "4")));
  EXPECT_THAT(first.fields, Contains(Pair("Date", HasSubstr(" GMT"))));
  EXPECT_THAT(first.fields, Not(Contains(Key("Connection"))));
  EXPECT_EQ(client.Exchange(Get("/two")).body, "/two");
}

TEST(ExchangeTest, TheHandlerSeesTheWholeRequest) {
  HttpRequest seen;
  Served served([&seen](const HttpRequest& request) {
    seen = request;
    return TextResponse("");
  });
  served.Client().Exchange("GET /v2/a%2fb?n=1&last=x%20y HTTP/1.1\r\nHost: here\r\nX-One: 1\r\nx-one: 2\r\n\r\n");
  served->Stop(std::chrono::seconds(1));
  EXPECT_EQ(seen.method, HttpMethod::kGet);
  EXPECT_EQ(seen.path, "/v2/a/b");
  EXPECT_EQ(seen.query.Find("last"), "x y");
  EXPECT_EQ(seen.fields.Find("X-ONE"), "1");
  EXPECT_EQ(seen.fields.Count("X-ONE"), 2);
  EXPECT_EQ(seen.remote, "127.0.0.1");
  EXPECT_FALSE(seen.secure);
  EXPECT_FALSE(seen.content_length);
  EXPECT_FALSE(seen.id.empty());
}

TEST(ExchangeTest, PipelinedRequestsAreAnsweredInOrder) {
  Served served(EchoPath);
  HttpClient client = served.Client();
  std::string requests;
  for (int i = 0; i < 2000; ++i) requests += Get("/" + std::to_string(i));
  client.Send(requests);
  for (int i = 0; i < 2000; ++i) ASSERT_EQ(client.Receive().body, "/" + std::to_string(i));
}

TEST(ExchangeTest, ARequestThatComesByteByByteIsOne) {
  Served served(EchoPath);
  HttpClient client = served.Client();
  for (const char c : Get("/slow")) client.Send({&c, 1});
  EXPECT_EQ(client.Receive().body, "/slow");
}

TEST(ExchangeTest, HeadTellsTheLengthAndSendsNothing) {
  Served served([](const HttpRequest&) {
    return HttpResponse{.body = HttpFileBody{.file = nullptr, .offset_bytes = 0, .length_bytes = 12345}};
  });
  HttpClient client = served.Client();
  for (int i = 0; i < 2; ++i) {
    client.Send("HEAD /x HTTP/1.1\r\nHost: here\r\n\r\n");
    EXPECT_THAT(client.ReceiveHead().fields, Contains(Pair("Content-Length", "12345")));
  }
}

TEST(ExchangeTest, NoContentTellsNoLength) {
  Served served([](const HttpRequest&) { return TextResponse("", 204); });
  HttpClient client = served.Client();
  EXPECT_THAT(client.Exchange(Get("/x")).fields, Not(Contains(Key("Content-Length"))));
  EXPECT_EQ(client.Exchange(Get("/x")).status, 204);
}

TEST(ExchangeTest, OldHttpKeepsTheConnectionOnlyIfAsked) {
  Served served(EchoPath);
  HttpClient keeps = served.Client();
  EXPECT_THAT(keeps.Exchange("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").fields,
              Contains(Pair("Connection", "keep-alive")));
  EXPECT_EQ(keeps.Exchange("GET / HTTP/1.0\r\n\r\n").status, 200);
  EXPECT_TRUE(keeps.ReceivesEnd());
}

TEST(ExchangeTest, ACloseThatIsAskedForIsToldAndDone) {
  Served served(EchoPath);
  HttpClient client = served.Client();
  EXPECT_THAT(client.Exchange("GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").fields,
              Contains(Pair("Connection", "close")));
  EXPECT_TRUE(client.ReceivesEnd());
}

TEST(ExchangeTest, AFieldCannotBeSmuggledThroughAValue) {
  Served served([](const HttpRequest& request) {
    HttpResponse response = TextResponse("");
    response.fields.Set("Location", "/x\r\nEvil: " + request.path);
    return response;
  });
  EXPECT_THAT(served.Client().Exchange(Get("/1")).fields, Not(Contains(Key("Evil"))));
}

TEST(ExchangeTest, ABodyComesInPiecesOfTheFullSizeButTheLast) {
  Taken taken;
  Served served(TakeInto(taken));
  const std::string body = Pattern(2 * kHttpPieceBytes + 17);
  HttpClient client = served.Client();
  const RawResponse response = client.Exchange(PutWhole(body));
  EXPECT_EQ(response.status, 201);
  EXPECT_TRUE(taken.destroyed.Wait());
  EXPECT_THAT(taken.pieces, ElementsAre(kHttpPieceBytes, kHttpPieceBytes, 17));
  EXPECT_TRUE(taken.content == body);
  EXPECT_EQ(client.Exchange(PutWhole("")).body, std::to_string(body.size())) << "the connection goes on";
}

TEST(ExchangeTest, ABodyInChunksIsTakenWithoutThem) {
  Taken taken;
  Served served(TakeInto(taken));
  const std::string body = Pattern(100'000);
  std::string chunked;
  for (std::size_t at = 0, size = 1; at < body.size(); at += size, size = size * 3 + 1) {
    const std::string chunk = body.substr(at, size);
    char head[32];
    std::snprintf(head, sizeof(head), "%zx;name=value\r\n", chunk.size());
    chunked += head + chunk + "\r\n";
  }
  chunked += "0\r\nTrailer: dropped\r\n\r\n";
  HttpClient client = served.Client();
  EXPECT_EQ(client.Exchange(Put("Transfer-Encoding: chunked\r\n", chunked)).status, 201);
  EXPECT_TRUE(taken.destroyed.Wait());
  EXPECT_TRUE(taken.content == body);
  EXPECT_EQ(client.Exchange(PutWhole("")).status, 201) << "the connection goes on";
}

TEST(ExchangeTest, ContinueIsSaidWhenTheBodyIsWanted) {
  Taken taken;
  Served served(TakeInto(taken));
  HttpClient client = served.Client();
  client.Send(Put("Content-Length: 5\r\nExpect: 100-continue\r\n", ""));
  EXPECT_EQ(client.ReceiveHead().status, 100);
  EXPECT_EQ(client.Exchange("hello").body, "5");
}

TEST(ExchangeTest, ContinueIsNotSaidWhenItIsNot) {
  Served served([](const HttpRequest&) { return TextResponse("no", 401); });
  HttpClient client = served.Client();
  client.Send(Put("Content-Length: 5\r\nExpect: 100-continue\r\n", ""));
  const RawResponse response = client.Receive();
  EXPECT_EQ(response.status, 401);
  EXPECT_THAT(response.fields, Contains(Pair("Connection", "close"))) << "nobody knows if the body comes";
}

TEST(ExchangeTest, AShortBodyThatNobodyWantsIsDroppedAndTheConnectionGoesOn) {
  Served served([](const HttpRequest& request) { return TextResponse(request.path, 404); });
  HttpClient client = served.Client();
  EXPECT_EQ(client.Exchange(PutWhole(Pattern(100'000))).status, 404);
  EXPECT_EQ(client.Exchange(Get("/next")).body, "/next");
}

TEST(ExchangeTest, ALongBodyThatNobodyWantsDoesNotHideTheAnswer) {
  HttpServerOptions options;
  options.limits.dropped_bytes = 1000;
  Served served([](const HttpRequest&) { return TextResponse("no", 401); }, options);
  HttpClient client = served.Client();
  client.Send(PutWhole(Pattern(20 << 20)));
  const RawResponse response = client.Receive();
  EXPECT_EQ(response.status, 401);
  EXPECT_THAT(response.fields, Contains(Pair("Connection", "close")));
  EXPECT_TRUE(client.ReceivesEnd());
}

TEST(ExchangeTest, AnAnswerToAPieceEndsTheUploadWhileTheClientIsSilent) {
  Taken taken;
  Served served(TakeInto(taken, nullptr, TextResponse("full", 507)));
  HttpClient client = served.Client();
  client.Send(Put("Content-Length: 99000000\r\n", Pattern(kHttpPieceBytes + 5)));
  EXPECT_EQ(client.Receive().status, 507);
  EXPECT_TRUE(client.ReceivesEnd());
  EXPECT_TRUE(taken.destroyed.Wait());
  EXPECT_THAT(taken.pieces, ElementsAre(kHttpPieceBytes));
}

TEST(ExchangeTest, ABusyWorkerStopsTheClient) {
  Taken taken;
  Signal gate;
  Served served(TakeInto(taken, &gate));
  HttpClient client = served.Client();
  const std::string body = Pattern(64 << 20);
  client.Send(Put("Content-Length: " + std::to_string(body.size()) + "\r\n", ""));
  const std::size_t sent = client.SendWhatIsTaken(body);
  EXPECT_LT(sent, body.size()) << "beyond two pieces there are the kernel's buffers only";
  EXPECT_TRUE(taken.first_piece.Wait());
  EXPECT_EQ(taken.pieces.size(), 1);
  gate.Set();
  client.Send(std::string_view(body).substr(sent));
  EXPECT_EQ(client.Receive().body, std::to_string(body.size()));
  EXPECT_TRUE(taken.destroyed.Wait());
  EXPECT_TRUE(taken.content == body);
}

TEST(ExchangeTest, SlowClientsHoldNoWorker) {
  HttpServerOptions options;
  options.workers = 1;
  options.threads = 1;
  Taken taken;
  Served served(
      [&taken](const HttpRequest& request) -> ScriptedHandler::Answer {
        if (request.method == HttpMethod::kGet) return EchoPath(request);
        return std::make_unique<NotingTaker>(taken);
      },
      options, HttpHandler::Place::kWorker);
  HttpClient uploading = served.Client(), asking = served.Client(), quick = served.Client();
  uploading.Send(Put("Content-Length: 1000\r\n", "half"));
  asking.Send("GET /");
  EXPECT_EQ(quick.Exchange(Get("/quick")).body, "/quick");
}

TEST(ExchangeTest, AClientThatGoesInMidBodyLeavesATakerThatDidNotFinish) {
  Taken taken;
  Signal reported;
  HttpServerOptions options;
  options.report = [&reported](const HttpExchangeReport& report) {
    EXPECT_EQ(report.status, 0);
    EXPECT_EQ(report.received_bytes, kHttpPieceBytes);
    reported.Set();
  };
  Served served(TakeInto(taken), options);
  HttpClient client = served.Client();
  client.Send(Put("Content-Length: 99000000\r\n", Pattern(kHttpPieceBytes + 5)));
  EXPECT_TRUE(taken.first_piece.Wait());
  client.Close();
  EXPECT_TRUE(reported.Wait());
  EXPECT_TRUE(taken.destroyed.Wait());
}

TEST(ExchangeTest, AnExchangeIsReported) {
  Signal reported;
  HttpServerOptions options;
  options.report = [&reported](const HttpExchangeReport& report) {
    EXPECT_EQ(report.request->path, "/x");
    EXPECT_EQ(report.status, 404);
    EXPECT_EQ(report.received_bytes, 3);
    EXPECT_EQ(report.sent_bytes, 4);
    EXPECT_GE(report.duration.count(), 0);
    reported.Set();
  };
  Served served([](const HttpRequest&) { return TextResponse("none", 404); }, options);
  served.Client().Exchange(PutWhole("abc"));
  EXPECT_TRUE(reported.Wait());
}

TEST(ExchangeTest, LargeAnswersComeWholeFromMemory) {
  const auto bytes = std::make_shared<const Bytes>(ToBytes(Pattern(5 << 20)));
  Served served([&bytes](const HttpRequest&) { return HttpResponse{.body = bytes}; });
  HttpClient client = served.Client();
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(client.Exchange(Get("/x")).body == AsText(*bytes));
}

TEST(ExchangeTest, APartOfAFileIsSent) {
  const TempDir directory;
  const std::string content = Pattern(5 << 20);
  ASSERT_TRUE(WriteFileAtomically(Fs::Real(), directory / "blob", AsBytes(content)).ok());
  const std::shared_ptr<const File> file = Fs::Real().Open(directory / "blob", OpenMode::kRead).value();
  Served served([&file, &content](const HttpRequest&) {
    return HttpResponse{.body = HttpFileBody{file, 1000, content.size() - 1001}};
  });
  HttpClient client = served.Client();
  for (int i = 0; i < 2; ++i)
    EXPECT_TRUE(client.Exchange(Get("/x")).body == content.substr(1000, content.size() - 1001));
}

TEST(ExchangeTest, AFileThatIsShorterThanToldEndsTheConnection) {
  const TempDir directory;
  ASSERT_TRUE(WriteFileAtomically(Fs::Real(), directory / "blob", AsBytes("short")).ok());
  const std::shared_ptr<const File> file = Fs::Real().Open(directory / "blob", OpenMode::kRead).value();
  Served served([&file](const HttpRequest&) { return HttpResponse{.body = HttpFileBody{file, 0, 100}}; });
  HttpClient client = served.Client();
  const RawResponse response = client.Exchange(Get("/x"));
  EXPECT_EQ(response.status, 0);
  EXPECT_EQ(response.body, "short");
}

}  // namespace
}  // namespace varve
