#pragma once

#include <string>

#include "cached/base/result.h"

namespace varve {

// Where a node keeps its state: everything below one root ($VARVE_ROOT, by default /var/lib/varve), but the sockets,
// which are in /run/varve unless VARVE_ROOT is set. Two roots share nothing.
struct RootPaths {
  std::string root;
  std::string sockets;

  // The root is in canonical form, so that mounts, which are known by it, are found however it was spelled.
  // kInvalidArgument if it is not absolute: each process would take it for another.
  static Result<RootPaths> FromEnvironment();

  std::string version() const { return root + "/VERSION"; }
  std::string db() const { return root + "/db"; }
  std::string packs() const { return root + "/packs"; }
  std::string index() const { return root + "/index"; }         // NAME.layer, NAME.image, NAME.locators
  std::string blobs() const { return root + "/blobs/sha256"; }  // exact bytes, a file each
  std::string uploads() const { return root + "/blobs/uploads"; }
  std::string containers() const { return root + "/containers"; }
  std::string mounts() const { return root + "/mounts"; }                  // upper directories of mount --rw
  std::string manifest_lists() const { return root + "/manifest-lists"; }  // of manifest create
  std::string run() const { return root + "/run"; }
  std::string rootfs() const { return run() + "/rootfs"; }  // where varve-fuse mounts, in a namespace of its own
  std::string start_lock() const { return run() + "/lock"; }

  // Of each of the two processes ("cached", "fuse"): the lock it holds while it lives, its pid, its socket, its log.
  std::string lock(const std::string& process) const { return run() + "/" + process + ".lock"; }
  std::string pid(const std::string& process) const { return run() + "/" + process + ".pid"; }
  std::string socket(const std::string& process) const { return sockets + "/" + process + ".sock"; }
  std::string log(const std::string& process) const { return run() + "/" + process + ".log"; }

  // Index files. `hex` is a diff ID or chain ID.
  std::string layer_index(const std::string& hex) const { return index() + "/" + hex + ".layer"; }
  std::string image_index(const std::string& hex) const { return index() + "/" + hex + ".image"; }
  std::string locators(const std::string& hex) const { return index() + "/" + hex + ".locators"; }
};

}  // namespace varve
