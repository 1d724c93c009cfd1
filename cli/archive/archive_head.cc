#include "cli/archive/archive_head.h"

#include "cached/oci/layout.h"

namespace varve {

Status StartArchive(TarOutput& output, const Index& index, std::span<const DockerArchiveImage> docker) {
  VARVE_RETURN_IF_ERROR(output.AddFile("oci-layout", AsBytes(LayoutVersionJson())));
  VARVE_RETURN_IF_ERROR(output.AddFile("index.json", AsBytes(IndexJson(index))));
  if (!docker.empty()) VARVE_RETURN_IF_ERROR(output.AddFile("manifest.json", AsBytes(DockerArchiveJson(docker))));
  for (const char* directory : {"blobs", "blobs/sha256"}) VARVE_RETURN_IF_ERROR(output.AddDirectory(directory));
  return Ok();
}

}  // namespace varve
