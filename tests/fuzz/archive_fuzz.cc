// Any bytes as an archive of images: refused, or images whose layers are members that can be read.

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

#include "cached/base/check.h"
#include "cli/archive/image_source.h"
#include "cli/archive/tar_members.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  varve::UniqueFd file(::memfd_create("archive", 0));
  VARVE_CHECK(::write(file.get(), input, size) == static_cast<ssize_t>(size));
  const auto members = varve::TarMembers::Open(std::move(file), "archive");
  if (!members.ok()) return 0;
  const auto images = varve::FindImages(**members, {"linux", "amd64", ""});
  if (!images.ok()) return 0;
  for (const varve::SourceImage& image : *images) {
    for (const auto& [digest, name] : image.blobs) {
      (*members)->Read(name, [](varve::ByteSpan) { return varve::Ok(); }).IgnoreError("a layout may lack its layers");
    }
  }
  return 0;
}
