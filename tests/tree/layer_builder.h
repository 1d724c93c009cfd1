#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cached/base/fs.h"
#include "cached/tree/image_index.h"
#include "cached/tree/layer_index_builder.h"
#include "tests/tree/tree_line.h"

namespace varve {

// The file that `write` fills.
Result<Bytes> Written(const std::function<Status(File&)>& write);

// A layer index and the bytes that it is a view of.
struct BuiltLayer {
  Bytes file;
  Digest diff_id;
  LayerIndex index;
};

// The entries of a layer, in tar order: Layer().File("etc/old", "1").Opaque("etc").
class Layer {
 public:
  Layer& Add(TreeLine line) {
    lines_.push_back(std::move(line));
    return *this;
  }
  Layer& Line(std::string_view text) { return Add(TreeLine::Parse(text).value()); }
  Layer& Dir(std::string path) { return Typed("dir", std::move(path), ""); }
  Layer& File(std::string path, std::string content) { return Typed("file", std::move(path), std::move(content)); }
  Layer& Symlink(std::string path, std::string target) { return Typed("symlink", std::move(path), std::move(target)); }
  Layer& HardLink(std::string path, std::string target) {
    return Typed("hardlink", std::move(path), std::move(target));
  }
  Layer& Whiteout(std::string path) { return Typed("whiteout", std::move(path), ""); }
  Layer& Opaque(std::string path) { return Typed("opaque", std::move(path), ""); }

  const std::vector<TreeLine>& lines() const { return lines_; }

  // `name` decides the diff ID.
  Result<BuiltLayer> Build(std::string_view name) const;

 private:
  Layer& Typed(std::string type, std::string path, std::string value) {
    const std::uint32_t mode = UsualMode(type);
    return Add({.type = std::move(type), .path = std::move(path), .value = std::move(value), .mode = mode});
  }
  std::vector<TreeLine> lines_;
};

// A stack of layers and its image, each through its written index, fully checked.
struct BuiltImage {
  std::vector<BuiltLayer> layers;
  std::vector<LayerIndex> indexes;
  Bytes file;
  ImageIndex index;

  ChainId chain_id() const;
  std::vector<TreeLine> Lines() const;  // of the image, sorted by path; the root only if it is not as usual
  std::vector<std::string> Strings() const { return ToStrings(Lines()); }
};
Result<BuiltImage> BuildImage(const std::vector<Layer>& layers);

// The content of a chunk that some Layer was built with.
const std::string& ContentOf(const Digest& chunk);

// The entry that the line stands for, as a tar has it.
Entry EntryOf(const TreeLine& line);

// "1:3" of the kernel's packed device number.
std::string DeviceText(std::uint32_t device);

}  // namespace varve
