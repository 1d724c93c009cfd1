#include "cached/registry/curl_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "tests/registry/loopback_server.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string Response(std::string_view status, std::string_view headers, std::string_view body) {
  return "HTTP/1.1 " + std::string(status) + "\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n" + std::string(headers) + "\r\n" + std::string(body);
}

LoopbackServer::Reply Hello(const std::string&) { return {Response("200 OK", "", "hello")}; }

Status Ignore(const HttpAnswer&, ByteSpan) { return Ok(); }

struct Received {
  Result<HttpAnswer> response;
  std::string body;
};

class CurlTransportTest : public testing::Test {
 protected:
  Received Get(const std::string& url, std::vector<std::string> headers = {}) {
    std::string body;
    const auto collect = [&](const HttpAnswer&, ByteSpan piece) -> Status {
      body += AsText(piece);
      if (cancel_on_body_) cancel_.Cancel();
      return Ok();
    };
    auto response =
        transport_.Send({.url = url, .headers = std::move(headers), .body = {}}, connection_, collect, cancel_);
    return {std::move(response), body};
  }

  CurlTransport transport_{{.stall_timeout = std::chrono::seconds(1)}};
  ConnectionOptions connection_;
  CancelToken cancel_;
  bool cancel_on_body_ = false;
};

TEST_F(CurlTransportTest, ResponseHasStatusHeadersAndBody) {
  LoopbackServer server([](const std::string&) -> LoopbackServer::Reply {
    return {Response("404 Not Found", "X-Name:  a value \r\nWWW-Authenticate: A\r\nwww-authenticate: B\r\n", "absent")};
  });
  const Received got = Get(server.url() + "/x");
  ASSERT_TRUE(got.response.ok()) << got.response.error().message();
  EXPECT_EQ(got.response->status, 404);
  EXPECT_EQ(got.response->Header("x-name"), "a value");
  EXPECT_EQ(got.response->Header("www-authenticate"), "A, B");
  EXPECT_EQ(got.response->Header("absent"), "");
  EXPECT_EQ(got.body, "absent");
}

TEST_F(CurlTransportTest, EndlessHeadersAreRefused) {
  LoopbackServer server([](const std::string&) -> LoopbackServer::Reply {
    std::string headers;
    for (int i = 0; i < 10; ++i) headers += "X-" + std::to_string(i) + ": " + std::string(50'000, 'x') + "\r\n";
    return {Response("200 OK", headers, "")};
  });
  EXPECT_EQ(Get(server.url()).response.error().code(), Code::kResourceExhausted);
}

TEST_F(CurlTransportTest, FormIsPosted) {
  LoopbackServer server(Hello);
  ASSERT_TRUE(transport_
                  .Send({.method = HttpVerb::kPost, .url = server.url(), .headers = {}, .body = "a=b"}, connection_,
                        Ignore, cancel_)
                  .ok());
  EXPECT_THAT(server.requests(), ElementsAre(StartsWith("POST / HTTP/1.1")));
}

TEST_F(CurlTransportTest, ABodyIsStreamedWithoutKnowingItsLength) {
  LoopbackServer server(Hello);
  std::string rest(100, 'x');
  const HttpCall request{.method = HttpVerb::kPatch,
                         .url = server.url(),
                         .headers = {"Expect:"},
                         .body_source = [&](std::span<std::byte> into) -> Result<std::size_t> {
                           const std::size_t size = std::min({into.size(), rest.size(), std::size_t{60}});
                           std::ranges::copy(AsBytes(std::string_view(rest).substr(0, size)), into.begin());
                           rest.erase(0, size);
                           return size;
                         }};
  ASSERT_TRUE(transport_.Send(request, connection_, Ignore, cancel_).ok());
  EXPECT_TRUE(rest.empty());
  EXPECT_THAT(server.requests(),
              ElementsAre(AllOf(StartsWith("PATCH / HTTP/1.1"), HasSubstr("Transfer-Encoding: chunked"),
                                HasSubstr("\r\n3c\r\n" + std::string(60, 'x') + "\r\n28\r\n"))));
}

TEST_F(CurlTransportTest, AnErrorOfTheBodysSourceIsReturned) {
  LoopbackServer server(Hello);
  const HttpCall request{
      .method = HttpVerb::kPut,
      .url = server.url(),
      .headers = {"Expect:"},
      .body_source = [](std::span<std::byte>) -> Result<std::size_t> { return Error(Code::kDataLoss, "spoilt"); }};
  EXPECT_EQ(transport_.Send(request, connection_, Ignore, cancel_).error().message(), "spoilt");
}

TEST_F(CurlTransportTest, MethodsWithoutABodyAreSentAsTheyAre) {
  LoopbackServer server([](const std::string&) -> LoopbackServer::Reply {
    return {"HTTP/1.1 307 Elsewhere\r\nConnection: close\r\nContent-Length: 0\r\nLocation: /again\r\n\r\n"};
  });
  for (const HttpVerb method : {HttpVerb::kPost, HttpVerb::kPut, HttpVerb::kDelete}) {
    const auto response = transport_.Send({.method = method, .url = server.url()}, connection_, Ignore, cancel_);
    ASSERT_TRUE(response.ok()) << response.error().message();
    EXPECT_EQ(response->status, 307) << "what changes something is not sent elsewhere";
  }
  EXPECT_THAT(server.requests(),
              ElementsAre(AllOf(StartsWith("POST /"), HasSubstr("Content-Length: 0")),
                          AllOf(StartsWith("PUT /"), HasSubstr("Content-Length: 0")), StartsWith("DELETE /")));
}

TEST_F(CurlTransportTest, HeadHasNoBody) {
  LoopbackServer server(
      [](const std::string&) -> LoopbackServer::Reply { return {"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"}; });
  ASSERT_TRUE(transport_.Send({.method = HttpVerb::kHead, .url = server.url()}, connection_, Ignore, cancel_).ok());
  EXPECT_THAT(server.requests(), ElementsAre(StartsWith("HEAD / HTTP/1.1")));
}

TEST_F(CurlTransportTest, AuthorizationIsNotForwardedToAnotherHost) {
  LoopbackServer store(Hello);
  LoopbackServer registry([&](const std::string&) -> LoopbackServer::Reply {
    return {Response("307 Temporary Redirect", "Location: " + store.url() + "/blob\r\n", "elsewhere")};
  });
  const Received got = Get(registry.url() + "/v2/", {"Authorization: Bearer secret", "Range: bytes=1-"});
  ASSERT_TRUE(got.response.ok()) << got.response.error().message();
  EXPECT_EQ(got.body, "hello");
  EXPECT_EQ(got.response->Header("location"), "");
  EXPECT_THAT(registry.requests(), ElementsAre(HasSubstr("Authorization: Bearer secret")));
  EXPECT_THAT(store.requests(), ElementsAre(Not(HasSubstr("secret"))));
  EXPECT_THAT(store.requests(), ElementsAre(HasSubstr("Range: bytes=1-")));
}

TEST_F(CurlTransportTest, EndlessRedirectIsAnError) {
  LoopbackServer server(
      [](const std::string&) -> LoopbackServer::Reply { return {Response("302 Found", "Location: /again\r\n", "")}; });
  EXPECT_EQ(Get(server.url()).response.error().code(), Code::kFailedPrecondition);
}

TEST_F(CurlTransportTest, TruncatedBodyIsUnavailable) {
  LoopbackServer server([](const std::string&) -> LoopbackServer::Reply {
    return {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"};
  });
  const Received got = Get(server.url());
  EXPECT_EQ(got.response.error().code(), Code::kUnavailable);
  EXPECT_EQ(got.body, "hello");
}

TEST_F(CurlTransportTest, StalledTransferIsGivenUp) {
  LoopbackServer server([](const std::string&) -> LoopbackServer::Reply {
    return {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", LoopbackServer::Then::kWaitForTheClient};
  });
  EXPECT_EQ(Get(server.url()).response.error().code(), Code::kUnavailable);
}

TEST_F(CurlTransportTest, CancelEndsATransferThatWaits) {
  LoopbackServer server([](const std::string&) -> LoopbackServer::Reply {
    return {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", LoopbackServer::Then::kWaitForTheClient};
  });
  cancel_on_body_ = true;
  EXPECT_EQ(Get(server.url()).response.error().code(), Code::kCancelled);
}

TEST_F(CurlTransportTest, ErrorOfTheSinkIsReturned) {
  LoopbackServer server(Hello);
  const auto refuse = [](const HttpAnswer& head, ByteSpan) -> Status {
    return Error(Code::kResourceExhausted, "full at status " + std::to_string(head.status));
  };
  EXPECT_EQ(
      transport_.Send({.url = server.url(), .headers = {}, .body = {}}, connection_, refuse, cancel_).error().message(),
      "full at status 200");
}

TEST_F(CurlTransportTest, RefusedConnectionSaysSoAndNamesTheHost) {
  std::string url;
  {
    url = LoopbackServer(Hello).url();
  }
  const Received got = Get(url + "/v2/?secret");
  EXPECT_EQ(got.response.error().code(), Code::kUnavailable);
  EXPECT_THAT(got.response.error().message(), StartsWith(url + ": connection refused"));
  EXPECT_THAT(got.response.error().message(), Not(HasSubstr("secret")));
}

TEST_F(CurlTransportTest, OtherSchemesAreRefused) {
  EXPECT_EQ(Get("file:///etc/passwd").response.error().code(), Code::kFailedPrecondition);
}

TEST_F(CurlTransportTest, ProxyOfTheCallerIsUsedUnlessTheHostIsExcepted) {
  LoopbackServer proxy(Hello);
  LoopbackServer server(Hello);
  connection_.http_proxy = proxy.url();
  ASSERT_TRUE(Get("http://registry.example/v2/").response.ok());
  EXPECT_THAT(proxy.requests(), ElementsAre(StartsWith("GET http://registry.example/v2/ HTTP/1.1")));
  connection_.no_proxy = "localhost,127.0.0.0/8";
  ASSERT_TRUE(Get(server.url()).response.ok());
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(CurlTransportTest, ProxyOfOurOwnEnvironmentIsNotUsed) {
  LoopbackServer proxy(Hello);
  LoopbackServer server(Hello);
  ASSERT_EQ(::setenv("http_proxy", proxy.url().c_str(), 1), 0);  // NOLINT(concurrency-mt-unsafe): no thread reads it
  ASSERT_TRUE(Get(server.url()).response.ok());
  ::unsetenv("http_proxy");  // NOLINT(concurrency-mt-unsafe)
  EXPECT_EQ(proxy.requests().size(), 0u);
}

}  // namespace
}  // namespace varve
