#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cached/base/fs.h"

namespace varve {

// The real file system, for tests that derive from it and change one answer.
class ForwardingFs : public Fs {
 public:
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override { return real_.Open(path, mode); }
  Status Rename(const std::string& from, const std::string& to) override { return real_.Rename(from, to); }
  Status Remove(const std::string& path) override { return real_.Remove(path); }
  Status MakeDirectories(const std::string& path) override { return real_.MakeDirectories(path); }
  Status SyncDirectory(const std::string& path) override { return real_.SyncDirectory(path); }
  Result<std::vector<std::string>> List(const std::string& directory) override { return real_.List(directory); }
  Result<std::uint64_t> FileSize(const std::string& path) override { return real_.FileSize(path); }
  Result<std::chrono::system_clock::time_point> ModifiedAt(const std::string& path) override {
    return real_.ModifiedAt(path);
  }
  Result<std::uint64_t> FreeBytes(const std::string& directory) override { return real_.FreeBytes(directory); }

 private:
  Fs& real_ = Fs::Real();
};

}  // namespace varve
