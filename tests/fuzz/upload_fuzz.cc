// Any sequence of upload requests: however they come, what is stored is what its digest says, and what an upload says
// of itself is true. Each byte of the input is one request: its two top bits which of four uploads, the others what.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "cached/base/check.h"
#include "cached/content/sha256.h"
#include "cached/distribution/registry_host.h"
#include "cached/http/target.h"
#include "cached/server/v2/api.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

struct Reply {
  int status = 0;
  std::string location, range;
};

class Registry {
 public:
  Registry() {
    auto opened = Store::Open(Fs::Real(), {directory_ / "root", directory_ / "run"}, StoreOptions());
    VARVE_CHECK(opened.ok());
    store_ = *std::move(opened);
    host_ = std::make_unique<RegistryHost>(*store_, Clock::Real(), RegistryHostOptions{.blob_bytes_max = 40},
                                           [](const std::string&, const Digest&) {});
    auto access = v2::Access::Create({}, Clock::Real());
    VARVE_CHECK(access.ok());
    access_ = *std::move(access);
    api_ = std::make_unique<v2::Api>(*host_, *access_, v2::ApiOptions());
  }

  Reply Ask(HttpMethod method, const std::string& target, std::string_view body, const std::string& content_range) {
    HttpRequest request;
    request.method = method;
    const auto parsed = ParseHttpTarget(target);
    VARVE_CHECK(parsed.ok());
    request.path = parsed->path;
    request.query = parsed->query;
    if (!content_range.empty()) request.fields.Add("Content-Range", content_range);
    HttpReply reply = api_->Handle(request);
    if (auto* const taker = std::get_if<std::unique_ptr<HttpBodyTaker>>(&reply)) {
      std::optional<HttpResponse> early;
      if (!body.empty()) early = (*taker)->Take(AsBytes(body));
      HttpResponse answer = early ? *std::move(early) : (*taker)->Finish();
      reply = std::move(answer);
    }
    const auto& response = std::get<HttpResponse>(reply);
    return {response.status, std::string(response.fields.Find("Location").value_or("")),
            std::string(response.fields.Find("Range").value_or(""))};
  }

 private:
  const TempDir directory_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<RegistryHost> host_;
  std::unique_ptr<v2::Access> access_;
  std::unique_ptr<v2::Api> api_;
};

std::string DigestOf(const std::string& content) { return Sha256Of(AsBytes(content)).ToString(); }

// What must be true of one upload.
struct Expected {
  std::string address;  // empty: none is under way
  std::string content;  // that has been acknowledged
};

void Step(Registry& registry, Expected& upload, std::uint8_t what) {
  if (upload.address.empty()) {
    const Reply started = registry.Ask(HttpMethod::kPost, "/v2/a/blobs/uploads/", "", "");
    VARVE_CHECK(started.status == 202);
    upload = {started.location, ""};
    return;
  }
  const std::string piece(what & 15, static_cast<char>('a' + (what & 15)));
  const std::string right = piece.empty() ? ""
                                          : std::to_string(upload.content.size()) + "-" +
                                                std::to_string(upload.content.size() + piece.size() - 1);
  const std::string whole = upload.content + piece;
  switch (what >> 4 & 3) {
    case 0: {  // a piece, at its place or at another
      const bool elsewhere = (what & 1) != 0 && !piece.empty();
      const Reply reply = registry.Ask(HttpMethod::kPatch, upload.address, piece, elsewhere ? "1000-1010" : right);
      const bool fits = !elsewhere && whole.size() <= 40;
      VARVE_CHECK(reply.status == (elsewhere ? 416 : fits ? 202 : 413));
      if (fits) upload.content = whole;
      break;
    }
    case 1: {  // the end
      const Reply reply = registry.Ask(HttpMethod::kPut, upload.address + "?digest=" + DigestOf(whole), piece, "");
      VARVE_CHECK(reply.status == (whole.size() <= 40 ? 201 : 413));
      if (reply.status != 201) break;
      VARVE_CHECK(registry.Ask(HttpMethod::kHead, "/v2/a/blobs/" + DigestOf(whole), "", "").status == 200);
      upload = {};
      break;
    }
    case 2:  // the end, with another digest
      if (registry.Ask(HttpMethod::kPut, upload.address + "?digest=" + DigestOf(whole + "!"), piece, "").status == 400)
        upload = {};
      break;
    default: {
      const Reply reply = registry.Ask(HttpMethod::kGet, upload.address, "", "");
      const std::size_t last = upload.content.empty() ? 0 : upload.content.size() - 1;
      VARVE_CHECK(reply.status == 204 && reply.range == "0-" + std::to_string(last));
    }
  }
}

}  // namespace
}  // namespace varve

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  static varve::Registry registry;
  std::array<varve::Expected, 4> uploads;
  for (std::size_t i = 0; i < std::min<std::size_t>(size, 256); ++i)
    varve::Step(registry, uploads[input[i] >> 6], input[i] & 63);
  for (const varve::Expected& upload : uploads) {
    if (!upload.address.empty()) registry.Ask(varve::HttpMethod::kDelete, upload.address, "", "");
  }
  return 0;
}
