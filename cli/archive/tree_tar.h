#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cached/base/bytes.h"
#include "cached/base/result.h"
#include "cli/runtime/walk_tree.h"

namespace varve {

struct TarOwner {
  std::uint32_t uid;
  std::uint32_t gid;
};

// Writes a tar of what is found by walking trees (cli/runtime/walk_tree.h): contents, owners by number, modes, times of
// change in seconds, xattrs, hard links among what is added, devices and fifos. Its bytes depend on that alone. A file
// that changes meanwhile is padded with zeros or cut to the length that it had. For the thread that has
// created it alone; no call after an error.
class TreeTar {
 public:
  using Sink = std::function<Status(ByteSpan piece)>;
  // With an `owner`, all members are his.
  static Result<TreeTar> Create(Sink sink, std::optional<TarOwner> owner = std::nullopt);
  TreeTar(TreeTar&&) noexcept;
  ~TreeTar();

  // As the member `name`. A socket, for which a tar has no type, is left out.
  Status Add(const TreeEntry& entry, const std::string& name);
  // An empty file of root's, of `like`'s time.
  Status AddMark(const std::string& name, const TreeEntry& like);
  Status Finish();

 private:
  struct State;
  explicit TreeTar(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

// A tar of what the descriptor `top` is, and of all below it, as the member `name`; without a name of what is below it.
Status WriteTree(int top, const std::string& name, std::optional<TarOwner> owner, const TreeTar::Sink& sink);

// The layer of an image that makes of the tree `lower` what overlayfs shows of it with the upper directory `upper`
// (cli/runtime/upper.h).
Status WriteLayer(int upper, int lower, const TreeTar::Sink& sink);

}  // namespace varve
