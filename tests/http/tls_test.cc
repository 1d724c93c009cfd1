#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "cached/base/fs.h"
#include "cached/http/tls_context.h"
#include "tests/http/certificates.h"
#include "tests/http/served.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using std::chrono::steady_clock;
using ::testing::HasSubstr;

struct FreeSsl {
  void operator()(SSL* ssl) const { ::SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
};
using ClientContext = std::unique_ptr<SSL_CTX, FreeSsl>;
using ClientSsl = std::unique_ptr<SSL, FreeSsl>;

ClientContext MakeClient() { return ClientContext(::SSL_CTX_new(::TLS_client_method())); }

// Files of a certificate and its key, which can be replaced.
class TlsFiles {
 public:
  explicit TlsFiles(const Certificate& certificate) {
    WriteCertificate(certificate);
    WriteKey(certificate);
  }
  void WriteCertificate(const Certificate& from) { Write("certificate.pem", from.certificate_pem()); }
  void WriteKey(const Certificate& from) { Write("key.pem", from.key_pem()); }
  void Write(const std::string& name, const std::string& pem) {
    VARVE_CHECK(WriteFileAtomically(Fs::Real(), directory_ / name, AsBytes(pem)).ok());
  }
  HttpTlsOptions options() const {
    return {.certificate_file = directory_ / "certificate.pem", .key_file = directory_ / "key.pem"};
  }
  std::string operator/(const std::string& name) const { return directory_ / name; }

 private:
  const TempDir directory_;
};

// Both ends of a connection on one thread.
class TlsPair {
 public:
  TlsPair(TlsContext& server, SSL_CTX* client, steady_clock::time_point now = {}) {
    std::array<int, 2> fds{};
    VARVE_CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds.data()) == 0);
    server_fd_.Reset(fds[0]);
    client_fd_.Reset(fds[1]);
    wire = server.Accept(server_fd_.get(), now).value();
    ssl.reset(::SSL_new(client));
    ::SSL_set_fd(ssl.get(), client_fd_.get());
  }
  // Until both are done, or the server has failed. The server's outcome.
  Status Handshake() {
    while (true) {
      const bool client_done = ::SSL_connect(ssl.get()) == 1;
      const Result<WireStep> step = wire->Handshake();
      if (!step.ok()) return step.error();
      if (client_done && step->kind == WireStep::Kind::kMoved) return Ok();
      if (!client_done && step->kind == WireStep::Kind::kMoved && ::SSL_connect(ssl.get()) == 1) return Ok();
    }
  }
  std::string ServerName() const {
    std::array<char, 256> name{};
    ::X509_NAME_get_text_by_NID(::X509_get_subject_name(::SSL_get0_peer_certificate(ssl.get())), NID_commonName,
                                name.data(), name.size());
    return name.data();
  }

 private:
  UniqueFd server_fd_, client_fd_;

 public:
  std::unique_ptr<Wire> wire;
  ClientSsl ssl;
};

std::string NameAt(TlsContext& context, steady_clock::time_point now) {
  const ClientContext client = MakeClient();
  TlsPair pair(context, client.get(), now);
  VARVE_CHECK(pair.Handshake().ok());
  return pair.ServerName();
}

TEST(TlsContextTest, BytesPassBothWays) {
  const TlsFiles files(Certificate("server"));
  TlsContext context = TlsContext::Open(files.options()).value();
  const ClientContext client = MakeClient();
  TlsPair pair(context, client.get());
  ASSERT_TRUE(pair.Handshake().ok());
  EXPECT_TRUE(pair.wire->secure());
  EXPECT_EQ(pair.wire->peer_name(), "");
  ASSERT_EQ(::SSL_write(pair.ssl.get(), "hello", 5), 5);
  std::array<std::byte, 3> into{};
  EXPECT_EQ(pair.wire->Read(into).value().bytes, 3);
  EXPECT_TRUE(pair.wire->holds_input()) << "of the record, which the socket does not show any more";
  EXPECT_EQ(pair.wire->Read(into).value().bytes, 2);
  EXPECT_EQ(pair.wire->Read(into).value().kind, WireStep::Kind::kWantsToRead);
  EXPECT_EQ(pair.wire->Write(AsBytes("ok"), More::kNo).value().bytes, 2);
  std::array<char, 8> answer{};
  EXPECT_EQ(::SSL_read(pair.ssl.get(), answer.data(), answer.size()), 2);
  pair.wire->EndWrites();
  EXPECT_LE(::SSL_read(pair.ssl.get(), answer.data(), answer.size()), 0);
  EXPECT_EQ(::SSL_get_shutdown(pair.ssl.get()), SSL_RECEIVED_SHUTDOWN) << "it was told, and not just cut";
}

TEST(TlsContextTest, OldVersionsAreRefused) {
  const TlsFiles files(Certificate("server"));
  TlsContext context = TlsContext::Open(files.options()).value();
  for (const auto& [version, taken] :
       {std::pair(TLS1_1_VERSION, false), {TLS1_2_VERSION, true}, {TLS1_3_VERSION, true}}) {
    const ClientContext client = MakeClient();
    ::SSL_CTX_set_security_level(client.get(), 0);
    ::SSL_CTX_set_min_proto_version(client.get(), version);
    ::SSL_CTX_set_max_proto_version(client.get(), version);
    TlsPair pair(context, client.get());
    EXPECT_EQ(pair.Handshake().ok(), taken) << version;
  }
}

TEST(TlsContextTest, FilesThatHaveChangedAreReadAgainButNotBeforeASecondHasPassed) {
  TlsFiles files(Certificate("first"));
  TlsContext context = TlsContext::Open(files.options()).value();
  const steady_clock::time_point start = steady_clock::now();
  EXPECT_EQ(NameAt(context, start), "first");
  const Certificate second("second");
  files.WriteCertificate(second);
  files.WriteKey(second);
  EXPECT_EQ(NameAt(context, start + TlsContext::kLook / 2), "first");
  EXPECT_EQ(NameAt(context, start + TlsContext::kLook), "second");
}

TEST(TlsContextTest, APairThatDoesNotFitLeavesTheOneBeforeInUse) {
  TlsFiles files(Certificate("first"));
  TlsContext context = TlsContext::Open(files.options()).value();
  const steady_clock::time_point start = steady_clock::now();
  const Certificate second("second");
  files.WriteCertificate(second);
  EXPECT_EQ(NameAt(context, start), "first");
  files.Write("key.pem", "no key");
  EXPECT_EQ(NameAt(context, start + TlsContext::kLook), "first");
  files.WriteKey(second);
  EXPECT_EQ(NameAt(context, start + 2 * TlsContext::kLook), "second");
}

TEST(TlsContextTest, AFileThatCannotBeUsedIsNamed) {
  TlsFiles files(Certificate("first"));
  files.WriteKey(Certificate("second"));
  EXPECT_THAT(TlsContext::Open(files.options()).error().message(), HasSubstr("key.pem"));
  EXPECT_THAT(TlsContext::Open({.certificate_file = "/nowhere.pem", .key_file = files / "key.pem"}).error().message(),
              HasSubstr("/nowhere.pem"));
  HttpTlsOptions options = files.options();
  files.WriteKey(Certificate("first"));
  options.client_ca_file = "/none.pem";
  EXPECT_FALSE(TlsContext::Open(options).ok());
}

TEST(TlsContextTest, ClientsNeedACertificateOfTheCaIfThereIsOne) {
  const Certificate ca("ca"), other("other"), alice("alice", &ca), mallory("mallory", &other);
  TlsFiles files(Certificate("server"));
  files.Write("ca.pem", ca.certificate_pem());
  HttpTlsOptions options = files.options();
  options.client_ca_file = files / "ca.pem";
  TlsContext context = TlsContext::Open(options).value();
  const auto name_of = [&](const Certificate* certificate) -> std::optional<std::string> {
    const ClientContext client = MakeClient();
    if (certificate != nullptr) {
      files.Write("client.pem", certificate->certificate_pem() + certificate->key_pem());
      VARVE_CHECK(::SSL_CTX_use_certificate_chain_file(client.get(), (files / "client.pem").c_str()) == 1);
      VARVE_CHECK(::SSL_CTX_use_PrivateKey_file(client.get(), (files / "client.pem").c_str(), SSL_FILETYPE_PEM) == 1);
    }
    TlsPair pair(context, client.get());
    if (!pair.Handshake().ok()) return std::nullopt;
    return pair.wire->peer_name();
  };
  EXPECT_EQ(name_of(&alice), "alice");
  EXPECT_EQ(name_of(&mallory), std::nullopt);
  EXPECT_EQ(name_of(nullptr), std::nullopt);
}

// A blocking client of a server.
class TlsClient {
 public:
  explicit TlsClient(const Served& served)
      : client_(served.Client()), context_(MakeClient()), ssl_(::SSL_new(context_.get())) {
    ::SSL_set_fd(ssl_.get(), client_.fd());
    VARVE_CHECK(::SSL_connect(ssl_.get()) == 1);
  }
  // All that comes until the server closes.
  std::string Exchange(const std::string& request) {
    VARVE_CHECK(::SSL_write(ssl_.get(), request.data(), static_cast<int>(request.size())) > 0);
    std::string received;
    std::vector<char> buffer(1 << 16);
    while (true) {
      const int n = ::SSL_read(ssl_.get(), buffer.data(), static_cast<int>(buffer.size()));
      if (n <= 0) return received;
      received.append(buffer.data(), static_cast<std::size_t>(n));
    }
  }

 private:
  HttpClient client_;
  ClientContext context_;
  ClientSsl ssl_;
};

TEST(TlsServerTest, AnswersComeFromMemoryAndFromFiles) {
  const TlsFiles files(Certificate("server"));
  std::string content(3 << 20, '\0');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 2654435761U >> 24);
  ASSERT_TRUE(WriteFileAtomically(Fs::Real(), files / "blob", AsBytes(content)).ok());
  const std::shared_ptr<const File> file = Fs::Real().Open(files / "blob", OpenMode::kRead).value();
  Served served(
      [&](const HttpRequest& request) -> ScriptedHandler::Answer {
        EXPECT_TRUE(request.secure);
        if (request.path == "/file") return HttpResponse{.body = HttpFileBody{file, 7, content.size() - 7}};
        return TextResponse(content);
      },
      {.tls = files.options()});
  const auto get = [](std::string_view path) {
    return "GET " + std::string(path) + " HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n";
  };
  EXPECT_TRUE(TlsClient(served).Exchange(get("/memory")).ends_with("\r\n\r\n" + content));
  EXPECT_TRUE(TlsClient(served).Exchange(get("/file")).ends_with("\r\n\r\n" + content.substr(7)));
}

TEST(TlsServerTest, ABodyIsTaken) {
  const TlsFiles files(Certificate("server"));
  Taken taken;
  Served served(TakeInto(taken), {.tls = files.options()});
  const std::string body(700'000, 'x');
  EXPECT_THAT(TlsClient(served).Exchange(
                  "PUT / HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: 700000\r\n\r\n" + body),
              HasSubstr("201 Created"));
  EXPECT_TRUE(taken.destroyed.Wait());
  EXPECT_TRUE(taken.content == body);
}

TEST(TlsServerTest, WhatIsNoTlsIsCutOffAndOthersAreServed) {
  const TlsFiles files(Certificate("server"));
  Served served(EchoPath, {.tls = files.options()});
  HttpClient plain = served.Client();
  plain.Send(Get("/x"));
  EXPECT_EQ(plain.Receive().status, 0);
  EXPECT_THAT(TlsClient(served).Exchange("GET /yes HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
              HasSubstr("/yes"));
}

TEST(TlsServerTest, AHandshakeThatComesTooSlowlyIsGivenUp) {
  const TlsFiles files(Certificate("server"));
  HttpServerOptions options{.tls = files.options()};
  options.limits.head = std::chrono::milliseconds(60);
  Served served(EchoPath, options);
  HttpClient silent = served.Client();
  EXPECT_TRUE(silent.ReceivesEnd());
}

}  // namespace
}  // namespace varve
