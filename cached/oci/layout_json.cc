#include <fmt/core.h>

#include <set>

#include "cached/oci/fields_json.h"
#include "cached/oci/layout.h"

namespace varve {
namespace {

constexpr std::size_t kLayoutFileBytesMax = 4096;
constexpr std::size_t kTagsShownMax = 10;

std::string TagOf(const Descriptor& entry) {
  const auto at = entry.annotations.find(kRefNameAnnotation);
  return at == entry.annotations.end() ? "" : at->second;
}

Error NoSuchTag(const Index& index, std::string_view tag) {
  std::set<std::string> tags;
  for (const Descriptor& entry : index.manifests) {
    if (const std::string name = TagOf(entry); !name.empty() && tags.size() < kTagsShownMax) tags.insert(name);
  }
  std::string shown;
  for (const std::string& name : tags) shown += (shown.empty() ? "" : ", ") + name;
  return Error(Code::kNotFound, fmt::format("no image tagged \"{}\" in the layout of {} images; its tags: {}", tag,
                                            index.manifests.size(), shown.empty() ? "none" : shown));
}

}  // namespace

Status CheckLayoutVersion(ByteSpan json) {
  auto object = ParseJsonObject(json, kLayoutFileBytesMax).In("oci-layout");
  if (!object.ok()) return object.error();
  VARVE_ASSIGN_OR_RETURN(const std::string version, TextField(*object, "imageLayoutVersion").In("oci-layout"));
  if (version.starts_with("1.")) return Ok();
  return Error(Code::kInvalidArgument,
               fmt::format("oci-layout: imageLayoutVersion is \"{}\", only 1.x is known", version));
}

Result<Descriptor> ChooseByTag(const Index& index, std::string_view tag, const Platform& wanted) {
  if (tag.empty() && index.manifests.size() == 1) return index.manifests.front();
  const std::string_view name = tag.empty() ? "latest" : tag;
  Index tagged;
  for (const Descriptor& entry : index.manifests) {
    if (TagOf(entry) == name) tagged.manifests.push_back(entry);
  }
  if (tagged.manifests.empty()) return NoSuchTag(index, name);
  if (tagged.manifests.size() == 1) return tagged.manifests.front();
  return ChoosePlatform(tagged, wanted);
}

}  // namespace varve
