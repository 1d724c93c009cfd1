#include "cached/transfer/pull.h"

#include "cached/store/images.h"
#include "cached/transfer/registry_fetcher.h"

namespace varve {
namespace {

// An index may name an index; nobody nests them deeper.
constexpr int kIndexDepthMax = 4;

Result<FetchedManifest> ResolveManifest(RegistryClient& client, const Reference& reference, const Platform& platform,
                                        const CancelToken& cancel) {
  auto fetched =
      reference.digest ? client.GetManifest(*reference.digest, cancel) : client.GetManifest(reference.tag, cancel);
  for (int depth = 0; fetched.ok(); ++depth) {
    VARVE_ASSIGN_OR_RETURN(const ManifestKind kind, DetectManifestKind(fetched->bytes, fetched->media_type));
    if (kind == ManifestKind::kManifest) break;
    if (depth == kIndexDepthMax)
      return Error(Code::kInvalidArgument, "index " + fetched->digest.ToString() + ": indexes are nested too deeply");
    VARVE_ASSIGN_OR_RETURN(const Index index, ParseIndex(fetched->bytes, fetched->media_type));
    VARVE_ASSIGN_OR_RETURN(const Descriptor chosen, ChoosePlatform(index, platform));
    fetched = client.GetManifest(chosen.digest, cancel);
  }
  return fetched;
}

}  // namespace

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
                              const ProgressSink& progress, const CancelToken& cancel) {
  VARVE_ASSIGN_OR_RETURN(const auto client, RegistryClient::Create(transport, reference, options, cancel));
  VARVE_ASSIGN_OR_RETURN(FetchedManifest fetched, ResolveManifest(*client, reference, platform, cancel));
  VARVE_ASSIGN_OR_RETURN(const Manifest manifest, ParseManifest(fetched.bytes, fetched.media_type));
  RegistryFetcher fetcher(*client);

  const std::string name =
      reference.digest ? reference.Repository() + "@" + reference.digest->ToString() : reference.Canonical();
  VARVE_ASSIGN_OR_RETURN(const auto before, store.FindRef(name));
  VARVE_ASSIGN_OR_RETURN(const auto known, store.FindManifest(fetched.digest));
  auto config = known ? ReadConfig(store, fetched.digest) : Error(Code::kNotFound, "not stored");
  if (!config.ok()) config = FetchConfig(fetcher, manifest.config, cancel);  // a damaged one comes again too
  if (!config.ok()) return config.error();
  VARVE_ASSIGN_OR_RETURN(const ImageDocuments image,
                         ImageDocuments::Parse(std::move(fetched.bytes), fetched.media_type, *std::move(config)));
  VARVE_ASSIGN_OR_RETURN(const auto missing, installer.Missing(image));
  VARVE_RETURN_IF_ERROR(installer.Install(image, name, reference.Repository(), fetcher, progress, cancel));
  return PullOutcome{
      .name = name,
      .manifest_digest = image.manifest_digest,
      .config_digest = image.manifest.config.digest,
      .up_to_date = known && missing.empty() && before && before->manifest_digest() == KeyOf(image.manifest_digest)};
}

}  // namespace varve
