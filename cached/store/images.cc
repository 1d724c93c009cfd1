#include "cached/store/images.h"

namespace varve {

Result<std::vector<Digest>> DiffIdsOf(const store::Manifest& image) {
  std::vector<Digest> diff_ids;
  for (const std::string& diff_id : image.diff_ids()) {
    VARVE_ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(AsBytes(diff_id)));
    diff_ids.push_back(digest);
  }
  return diff_ids;
}

Result<std::map<std::string, std::vector<std::string>>> NamesByManifest(const Store& store) {
  std::map<std::string, std::vector<std::string>> names;
  VARVE_RETURN_IF_ERROR(
      store.database().Scan(Column::kRef, [&](std::string_view key, std::string_view value) -> Status {
        store::Ref ref;
        if (!ref.ParseFromArray(value.data(), static_cast<int>(value.size())))
          return Error(Code::kDataLoss, "the record of the name " + std::string(key) +
                                            " does not parse; run: varve store rebuild-index");
        names[ref.manifest_digest()].emplace_back(key);
        return Ok();
      }));
  return names;
}

// Why a second look is enough: nothing that an image needs is condemned while its manifest is there. A collection that
// began before the leases keeps what is touched meanwhile, one that begins later finds them; and one that has condemned
// a layer had erased the manifest before. Should both be there again, written anew since, the layer is sound although
// `Touch` misses until that collection ends: what is erased is only the older record.
//
// An image whose index is leased counts as being pulled: a collection does not choose it. So whoever goes through all
// images, as `system df` does, leases no more than layers.
Result<std::optional<store::Manifest>> FindLeased(const Store& store, const Digest& manifest, Leased what,
                                                  LeaseTable::Session& session) {
  VARVE_ASSIGN_OR_RETURN(const auto image, store.FindManifest(manifest));
  if (!image) return std::optional<store::Manifest>();
  VARVE_ASSIGN_OR_RETURN(std::vector<Digest> leased, DiffIdsOf(*image));
  if (what == Leased::kLayersAndIndex) {
    VARVE_ASSIGN_OR_RETURN(const Digest chain_id, Digest::FromBytes(AsBytes(image->chain_id())));
    leased.push_back(chain_id);
  }
  for (const Digest& digest : leased) static_cast<void>(session.Touch(digest));
  return store.FindManifest(manifest);
}

Result<Bytes> ReadManifest(Store& store, const Digest& manifest) {
  return store.index_files().ReadPartsOf<store::Manifest>(Column::kManifest, manifest, "manifest",
                                                          std::mem_fn(&store::Manifest::manifest));
}

Result<Bytes> ReadConfig(Store& store, const Digest& manifest) {
  return store.index_files().ReadPartsOf<store::Manifest>(Column::kManifest, manifest, "config of manifest",
                                                          std::mem_fn(&store::Manifest::config));
}

}  // namespace varve
