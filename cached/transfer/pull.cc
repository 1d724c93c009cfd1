#include "cached/transfer/pull.h"

#include "cached/store/images.h"
#include "cached/transfer/registry_fetcher.h"

namespace varve {

Result<ImageTree> FetchImageTree(RegistryClient& client, const Reference& reference,
                                 const std::optional<Platform>& platform, const CancelToken& cancel) {
  auto top =
      reference.digest ? client.GetManifest(*reference.digest, cancel) : client.GetManifest(reference.tag, cancel);
  if (!top.ok()) return top.error();
  return ReadImageTree(std::move(top->bytes), top->media_type, platform,
                       [&](const Descriptor& manifest) -> Result<Bytes> {
                         VARVE_ASSIGN_OR_RETURN(FetchedManifest fetched, client.GetManifest(manifest.digest, cancel));
                         return std::move(fetched.bytes);
                       });
}

Result<Bytes> FetchConfig(BlobFetcher& fetcher, const Descriptor& config, const CancelToken& cancel) {
  if (config.size_bytes > kConfigBytesMax)
    return Error(Code::kResourceExhausted, "config " + config.digest.ToString() + ": is larger than 4 MiB");
  Bytes bytes;
  VARVE_RETURN_IF_ERROR(fetcher.Fetch(
      config,
      [&](ByteSpan piece) -> Status {
        bytes.insert(bytes.end(), piece.begin(), piece.end());
        return Ok();
      },
      cancel));
  return bytes;
}

Result<PullOutcome> PullImage(Store& store, ImageInstaller& installer, HttpTransport& transport,
                              const Reference& reference, const Platform& platform, const RegistryOptions& options,
                              const ProgressSink& progress, const CancelToken& cancel,
                              const std::optional<std::string>& wanted_name) {
  VARVE_ASSIGN_OR_RETURN(const auto client, RegistryClient::Create(transport, reference, options, cancel));
  VARVE_ASSIGN_OR_RETURN(const ImageTree tree, FetchImageTree(*client, reference, platform, cancel));
  const ImageTree::Document& fetched = tree.top();
  VARVE_ASSIGN_OR_RETURN(const Manifest manifest, ParseManifest(fetched.bytes, fetched.media_type));
  RegistryFetcher fetcher(*client);

  const std::string name = wanted_name        ? *wanted_name
                           : reference.digest ? reference.Repository() + "@" + reference.digest->ToString()
                                              : reference.Canonical();
  VARVE_ASSIGN_OR_RETURN(const auto before, store.FindRef(name));
  VARVE_ASSIGN_OR_RETURN(const auto known, store.FindManifest(fetched.digest));
  auto config = known ? ReadConfig(store, fetched.digest) : Error(Code::kNotFound, "not stored");
  if (!config.ok()) config = FetchConfig(fetcher, manifest.config, cancel);  // a damaged one comes again too
  if (!config.ok()) return config.error();
  VARVE_ASSIGN_OR_RETURN(ImageDocuments image,
                         ImageDocuments::Parse(fetched.bytes, fetched.media_type, *std::move(config)));
  image.index = tree.index;
  VARVE_ASSIGN_OR_RETURN(const auto missing, installer.Missing(image));
  VARVE_RETURN_IF_ERROR(installer.Install(image, name, reference.Repository(), fetcher, progress, cancel));
  return PullOutcome{
      .name = name,
      .manifest_digest = image.manifest_digest,
      .config_digest = image.manifest.config.digest,
      .up_to_date = known && missing.empty() && before && before->manifest_digest() == KeyOf(image.manifest_digest)};
}

}  // namespace varve
