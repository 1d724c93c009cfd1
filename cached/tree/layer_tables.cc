#include "cached/tree/layer_tables.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>

#include "cached/content/chunker.h"

namespace varve {

Result<std::uint32_t> LayerTables::AddText(std::string_view text) {
  if (text.size() > pool_bytes_max_ - pool.size()) {
    return Error(Code::kResourceExhausted,
                 fmt::format("the layer's names, link targets and xattrs exceed {}", HumanSize(pool_bytes_max_)));
  }
  pool += text;
  return static_cast<std::uint32_t>(pool.size() - text.size());
}

bool LayerTables::IsSet(std::uint32_t set, const std::map<std::string, std::string>& wanted) const {
  const auto members = std::span(xattrs).subspan(xattr_sets[set].first(), xattr_sets[set].count());
  return std::ranges::equal(members, wanted, [this](const fb::Xattr& have, const auto& want) {
    return Text(have.name(), have.name_length()) == want.first &&
           Text(have.value(), have.value_length()) == want.second;
  });
}

Result<std::uint32_t> LayerTables::AddXattrs(const std::map<std::string, std::string>& added) {
  if (added.empty()) return 0;
  std::uint64_t hash = seed_;
  for (const auto& [name, value] : added) {
    if (!IsValidXattr(name, value)) {
      return Error(Code::kInvalidArgument, fmt::format("xattr \"{}\" of {} bytes", name, value.size()));
    }
    hash = XXH3_64bits_withSeed(name.data(), name.size(), hash);
    hash = XXH3_64bits_withSeed(value.data(), value.size(), hash);
  }
  const std::uint32_t known = sets_by_hash_.Find(hash, [&](std::uint32_t i) { return IsSet(i, added); });
  if (known != kNoOrdinal) return known + 1;
  xattr_sets.emplace_back(static_cast<std::uint32_t>(xattrs.size()), static_cast<std::uint32_t>(added.size()));
  for (const auto& [name, value] : added) {
    VARVE_ASSIGN_OR_RETURN(const std::uint32_t name_at, AddText(name));
    VARVE_ASSIGN_OR_RETURN(const std::uint32_t value_at, AddText(value));
    xattrs.emplace_back(name_at, value_at, static_cast<std::uint32_t>(name.size()),
                        static_cast<std::uint32_t>(value.size()));
  }
  set_hashes_.push_back(hash);
  sets_by_hash_.Insert(static_cast<std::uint32_t>(xattr_sets.size() - 1),
                       [this](std::uint32_t i) { return set_hashes_[i]; });
  return static_cast<std::uint32_t>(xattr_sets.size());
}

std::uint32_t LayerTables::AddChunk(const Digest& sha256, std::uint32_t raw_length) {
  VARVE_CHECK(raw_length > 0 && raw_length <= kChunkBytesMax);
  const DigestHash hash;
  const auto equal = [&](std::uint32_t i) { return DigestOf(chunks[i].sha256()) == sha256; };
  const std::uint32_t known = chunks_by_digest_.Find(hash(sha256), equal);
  if (known != kNoOrdinal) return known;
  chunks.emplace_back(HashOf(sha256), raw_length);
  const auto added = static_cast<std::uint32_t>(chunks.size() - 1);
  chunks_by_digest_.Insert(added, [&](std::uint32_t i) { return hash(DigestOf(chunks[i].sha256())); });
  return added;
}

}  // namespace varve
