#pragma once

#include <string_view>

namespace varve {

// What a blob says it is: OCI's names and docker's. Only manifests and indexes are told apart by them; how a layer is
// compressed is seen from its first bytes, since the type is often wrong.
inline constexpr std::string_view kOciIndexType = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kOciManifestType = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kOciConfigType = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kOciLayerType = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view kOciLayerGzipType = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr std::string_view kOciLayerZstdType = "application/vnd.oci.image.layer.v1.tar+zstd";
inline constexpr std::string_view kOciForeignLayerPrefix = "application/vnd.oci.image.layer.nondistributable.v1.tar";

inline constexpr std::string_view kDockerIndexType = "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view kDockerManifestType = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kDockerConfigType = "application/vnd.docker.container.image.v1+json";
inline constexpr std::string_view kDockerLayerType = "application/vnd.docker.image.rootfs.diff.tar";
inline constexpr std::string_view kDockerLayerGzipType = "application/vnd.docker.image.rootfs.diff.tar.gzip";
inline constexpr std::string_view kDockerLayerZstdType = "application/vnd.docker.image.rootfs.diff.tar.zstd";
inline constexpr std::string_view kDockerForeignLayerType = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";

// A media type without its parameters: "a/b; charset=utf-8" is "a/b".
std::string_view BareMediaType(std::string_view type);

bool IsIndex(std::string_view type);
bool IsManifest(std::string_view type);
bool IsLayer(std::string_view type);
// A layer that only its own publisher may give away: no registry has it.
bool IsForeignLayer(std::string_view type);
// Docker's manifests of before 2015, signed or not: recognised so that they can be refused by name.
bool IsSchema1(std::string_view type);

}  // namespace varve
