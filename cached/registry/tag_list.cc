#include <fmt/core.h>

#include "cached/registry/answers.h"
#include "cached/registry/registry_client.h"

namespace varve {
namespace {

constexpr int kTagsAPage = 1000;

// Of `<…/tags/list?n=1000&last=x>; rel="next"` what follows the question mark; nothing on the last page.
std::string NextPage(std::string_view link) {
  const std::size_t end = link.find('>');
  if (!link.starts_with('<') || link.find("next", end) == std::string_view::npos) return "";
  link = link.substr(0, end);
  const std::size_t query = link.find('?');
  return query == std::string_view::npos ? "" : std::string(link.substr(query + 1));
}

}  // namespace

Result<std::vector<std::string>> RegistryClient::ListTags(const CancelToken& cancel) {
  const std::string name = "tags of " + repository_;
  std::vector<std::string> tags;
  std::string page = fmt::format("n={}", kTagsAPage);
  for (Retry retry(options_.retry); !page.empty();) {
    Bytes body;
    const auto answer = Send({.url = "tags/list?" + page}, CollectInto(body, kTagsPageBytesMax), cancel);
    if (!answer.ok() || !answer->head.succeeded()) {
      const Error error = answer.ok() ? Refused(*answer) : answer.error();
      VARVE_RETURN_IF_ERROR(WaitToRetry(retry, answer, error.In(name), cancel));
      continue;
    }
    retry.Progress();
    auto parsed = ParseTagsAnswer(body);
    if (!parsed.ok()) return parsed.error().In(name);
    if (tags.size() + parsed->size() > kTagsMax)
      return Error(Code::kResourceExhausted, fmt::format("{}: more than {}", name, kTagsMax));
    tags.insert(tags.end(), parsed->begin(), parsed->end());
    const std::string next = parsed->empty() ? "" : NextPage(answer->head.Header("link"));
    if (next == page) return Error(Code::kUnknown, name + ": the next page is the same one");
    page = next;
  }
  return tags;
}

}  // namespace varve
