#include "cached/tree/whiteout.h"

#include <string>

// How a layer says that something is gone (OCI image-spec, layer.md, "Whiteouts").
//
// A tar can only add. So deletion is an added entry with a reserved name, whatever its type and content:
//
//   etc/.wh.motd        etc/motd of the layers below is hidden
//   etc/.wh..wh..opq    everything in etc of the layers below is hidden ("opaque")
//   .wh..wh.plnk/…      AUFS's bookkeeping, from images made when docker stored layers in AUFS
//
// Both kinds look down only: they never hide what their own layer adds, wherever they stand in its tar. An extractor
// that deletes on sight gets this wrong when "etc/new" stands before "etc/.wh..wh..opq"; so a whiteout is not an action
// here but a mark, kept in the layer index, and the merge applies all marks of a layer before any of its entries
// (merge.cc).
//
// A layer that has both ".wh.etc" and "etc" replaces etc: a directory that is there anew starts empty, so its mark
// becomes "opaque"; for anything else there is nothing left to say, because an entry replaces what is below it anyway.
// (One index entry a name is then enough, and the kernel's overlayfs, which knows exactly these two forms, can express
// every index.)
//
// AUFS kept the inodes of hard links in .wh..wh.plnk, and tars of that time have links to there: such names are kept
// while a layer is read and never written (docker: go-archive, diff.go). A file whose real name begins with ".wh."
// cannot be in an image at all; the build's snapshot must refuse it.
namespace varve {
namespace {

constexpr std::string_view kPrefix = ".wh.";
constexpr std::string_view kReservedPrefix = ".wh..wh.";
constexpr std::string_view kOpaqueName = ".wh..wh..opq";

}  // namespace

Result<Whiteout> ParseWhiteout(std::string_view name) {
  if (!name.starts_with(kPrefix)) return Whiteout{};
  if (name == kOpaqueName) return Whiteout{.kind = Whiteout::Kind::kOpaque, .hidden = {}};
  if (name.starts_with(kReservedPrefix)) return Whiteout{.kind = Whiteout::Kind::kReserved, .hidden = {}};
  const std::string_view hidden = name.substr(kPrefix.size());
  if (hidden.empty() || hidden == "." || hidden == "..") {
    return Error(Code::kInvalidArgument, "\"" + std::string(name) + "\" is a whiteout of nothing");
  }
  return Whiteout{.kind = Whiteout::Kind::kName, .hidden = hidden};
}

}  // namespace varve
