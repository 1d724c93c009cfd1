#include "cached/registry/curl_transport.h"

#include <curl/curl.h>
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <system_error>

namespace varve {
namespace {

constexpr long kRedirectsMax = 10;
constexpr std::size_t kHeadBytesMax = 256 << 10;  // of a response and its redirects
constexpr long kReceiveBufferBytes = 256 << 10;
constexpr long kSendBufferBytes = 256 << 10;

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

// What libcurl calls back into during one request.
struct Transfer {
  const HttpCall& request;
  const HttpTransport::BodySink& sink;
  const CancelToken& cancel;
  HttpAnswer head;
  std::size_t head_bytes = 0;
  Status stopped;  // why a callback ended the transfer
  std::array<char, CURL_ERROR_SIZE> message{};
};

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return "";
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// A status line starts a new head: of the next redirect, or the final one after "100 Continue".
std::size_t OnHeader(const char* data, std::size_t, std::size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view line(data, size);
  transfer.head_bytes += size;
  if (transfer.head_bytes > kHeadBytesMax) {
    transfer.stopped =
        Error(Code::kResourceExhausted, fmt::format("the answer has more than {} bytes of headers", kHeadBytesMax));
    return 0;
  }
  if (line.starts_with("HTTP/")) {
    transfer.head = {};
    return size;
  }
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return size;
  std::string name(line.substr(0, colon));
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  std::string& value = transfer.head.headers[name];
  if (!value.empty()) value += ", ";
  value += Trimmed(line.substr(colon + 1));
  return size;
}

struct BodyTarget {
  Transfer& transfer;
  CURL* easy;
};

std::size_t OnBody(const char* data, std::size_t, std::size_t size, void* user) {
  auto& [transfer, easy] = *static_cast<BodyTarget*>(user);
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  transfer.head.status = static_cast<int>(status);
  transfer.stopped = transfer.sink(transfer.head, AsBytes({data, size}));
  return transfer.stopped.ok() ? size : 0;
}

std::size_t OnRead(char* into, std::size_t, std::size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const auto read = transfer.request.body_source({reinterpret_cast<std::byte*>(into), size});
  if (read.ok()) return *read;
  transfer.stopped = read.error();
  return CURL_READFUNC_ABORT;
}

int OnProgress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Transfer*>(user)->cancel.cancelled() ? 1 : 0;
}

// libcurl copies what a blob holds.
void SetBlob(CURL* easy, CURLoption option, const std::string& pem) {
  if (pem.empty()) return;
  curl_blob blob{const_cast<char*>(pem.data()), pem.size(), CURL_BLOB_COPY};
  curl_easy_setopt(easy, option, &blob);
}

// A blob of authorities takes the place of libcurl's file of them; the directory of the system's stays beside it unless
// it is unset.
void SetTls(CURL* easy, const ConnectionOptions& connection) {
  const bool verified = connection.tls_verification == TlsVerification::kRequired;
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verified ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verified ? 2L : 0L);
  if (!connection.ca_pem.empty()) curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  const bool both = !connection.ca_pem.empty() && !connection.extra_ca_pem.empty();
  SetBlob(easy, CURLOPT_CAINFO_BLOB, connection.ca_pem + (both ? "\n" : "") + connection.extra_ca_pem);
  SetBlob(easy, CURLOPT_SSLCERT_BLOB, connection.client_certificate_pem);
  SetBlob(easy, CURLOPT_SSLKEY_BLOB, connection.client_key_pem);
}

// Both are set even where empty, or libcurl would read the environment.
void SetProxy(CURL* easy, const std::string& url, const ConnectionOptions& connection) {
  const bool encrypted = url.starts_with("https:");
  curl_easy_setopt(easy, CURLOPT_PROXY, (encrypted ? connection.https_proxy : connection.http_proxy).c_str());
  curl_easy_setopt(easy, CURLOPT_NOPROXY, connection.no_proxy.c_str());
}

Result<HeaderList> HeadersOf(const HttpCall& request) {
  HeaderList list;
  for (const std::string& header : request.headers) {
    curl_slist* const whole = curl_slist_append(list.get(), header.c_str());
    if (whole == nullptr) return Error(Code::kResourceExhausted, "libcurl: out of memory");
    if (list == nullptr) list.reset(whole);
  }
  return list;
}

const char* NameOf(HttpVerb method) {
  switch (method) {
    case HttpVerb::kGet:
      return "GET";
    case HttpVerb::kHead:
      return "HEAD";
    case HttpVerb::kPost:
      return "POST";
    case HttpVerb::kPut:
      return "PUT";
    case HttpVerb::kPatch:
      return "PATCH";
    case HttpVerb::kDelete:
      return "DELETE";
  }
  return "";
}

void SetRequest(CURL* easy, const HttpCall& request) {
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, request.url.starts_with("https:") ? "https" : "http,https");
  const bool asks = request.method == HttpVerb::kGet || request.method == HttpVerb::kHead;
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, asks ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_MAXREDIRS, kRedirectsMax);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, kReceiveBufferBytes);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  if (request.method == HttpVerb::kHead) curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  if (asks) return;
  if (request.body_source) {
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, kSendBufferBytes);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, &OnRead);
  } else {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
  }
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, NameOf(request.method));
}

void SetTimeouts(CURL* easy, const CurlOptions& options) {
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout.count()));
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.stall_timeout.count()));
}

void SetCallbacks(CURL* easy, Transfer& transfer, BodyTarget& body) {
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &OnHeader);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_READDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &OnBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &body);
  curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, &OnProgress);
  curl_easy_setopt(easy, CURLOPT_XFERINFODATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer.message.data());
}

// "https://host:port" of a URL, for messages: a query may hold what nobody should read in a log.
std::string Origin(const std::string& url) { return url.substr(0, url.find('/', url.find("://") + 3)); }

// The libcurl border of error handling.
Error TransferError(CURL* easy, CURLcode code, const Transfer& transfer, const std::string& url) {
  long os_errno = 0;
  curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_errno);
  const std::string_view detail = transfer.message[0] != '\0' ? transfer.message.data() : curl_easy_strerror(code);
  const std::string origin = Origin(url);
  switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:
      return Error(Code::kCancelled, "cancelled");
    case CURLE_COULDNT_CONNECT:
      if (os_errno == ECONNREFUSED) {
        return Error(Code::kUnavailable, origin + ": connection refused; is the registry running?");
      }
      return Error(Code::kUnavailable, fmt::format("{}: {}", origin, detail));
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return Error(
          Code::kFailedPrecondition,
          fmt::format(
              "{}: TLS certificate: {}; trust its authority (SSL_CERT_FILE or certs.d) or use --tls-verify=false",
              origin, detail));
    case CURLE_SSL_CONNECT_ERROR: {
      const bool broken_off = os_errno == ECONNRESET || detail.find("reset by peer") != std::string_view::npos;
      return Error(broken_off ? Code::kUnavailable : Code::kFailedPrecondition,
                   fmt::format("{}: TLS: {}", origin, detail));
    }
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_TOO_MANY_REDIRECTS:
      return Error(Code::kFailedPrecondition, fmt::format("{}: {}", origin, detail));
    case CURLE_OUT_OF_MEMORY:
      return Error(Code::kResourceExhausted, fmt::format("{}: {}", origin, detail));
    default:
      return Error(Code::kUnavailable, fmt::format("{}: {}", origin, detail));
  }
}

}  // namespace

void CurlTransport::Close::operator()(void* easy) const { curl_easy_cleanup(easy); }

CurlTransport::CurlTransport(const CurlOptions& options) : options_(options) {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  VARVE_CHECK(initialised == CURLE_OK);
}

CurlTransport::Handle CurlTransport::Borrow() {
  MutexLock lock(mutex_);
  if (idle_.empty()) return Handle(curl_easy_init());
  Handle handle = std::move(idle_.back());
  idle_.pop_back();
  return handle;
}

void CurlTransport::Return(Handle handle) {
  MutexLock lock(mutex_);
  if (idle_.size() < options_.idle_connections_max) idle_.push_back(std::move(handle));
}

Result<HttpAnswer> CurlTransport::Send(const HttpCall& request, const ConnectionOptions& connection,
                                       const BodySink& sink, const CancelToken& cancel) {
  Handle handle = Borrow();
  CURL* const easy = handle.get();
  if (easy == nullptr) return Error(Code::kResourceExhausted, "libcurl: out of memory");
  Transfer transfer{.request = request, .sink = sink, .cancel = cancel, .head = {}, .stopped = {}};
  BodyTarget body{transfer, easy};
  VARVE_ASSIGN_OR_RETURN(const HeaderList headers, HeadersOf(request));
  SetRequest(easy, request);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());
  SetTimeouts(easy, options_);
  SetTls(easy, connection);
  SetProxy(easy, request.url, connection);
  SetCallbacks(easy, transfer, body);
  const CURLcode code = curl_easy_perform(easy);
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  transfer.head.status = static_cast<int>(status);
  std::optional<Error> error;
  if (code != CURLE_OK) error = TransferError(easy, code, transfer, request.url);
  curl_easy_reset(easy);
  Return(std::move(handle));
  if (!transfer.stopped.ok()) return transfer.stopped.error();
  if (error) return *std::move(error);
  return std::move(transfer.head);
}

}  // namespace varve
