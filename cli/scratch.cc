#include "cli/scratch.h"

#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "cached/base/bytes.h"
#include "cached/base/fs.h"
#include "cli/runtime/remove_tree.h"

namespace varve {

Result<std::string> MakeScratch(const RootPaths& paths, const ChainId& chain_id, const UniqueFd& root,
                                const std::string& upper) {
  VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(paths.mounts()));
  std::string scratch = paths.mounts() + "/XXXXXX";
  if (::mkdtemp(scratch.data()) == nullptr) return ErrnoError(errno, scratch);
  VARVE_ASSIGN_OR_RETURN(const auto image, Fs::Real().Open(scratch + "/image", OpenMode::kCreateNew));
  VARVE_RETURN_IF_ERROR(image->WriteAt(0, AsBytes(chain_id.hex())));
  VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(scratch + "/lower"));
  if (!upper.empty()) {
    VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(upper));
    std::error_code error;
    const std::string real = std::filesystem::canonical(upper, error).string();
    if (error) return ErrnoError(error.value(), upper);
    VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(real + ".work"));
    if (::symlink(real.c_str(), (scratch + "/upper").c_str()) != 0 ||
        ::symlink((real + ".work").c_str(), (scratch + "/work").c_str()) != 0) {
      return ErrnoError(errno, scratch);
    }
    return scratch;
  }
  for (const char* name : {"/upper", "/work"}) VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(scratch + name));
  struct stat info{};
  if (::fstat(root.get(), &info) != 0) return ErrnoError(errno, "image root");
  const std::string made = scratch + "/upper";
  if (::chmod(made.c_str(), info.st_mode & 07777) != 0 || ::chown(made.c_str(), info.st_uid, info.st_gid) != 0)
    return ErrnoError(errno, made);
  return scratch;
}

Status MountScratch(const std::string& scratch, const UniqueFd& root, const std::string& directory,
                    SetuidFiles setuid_files) {
  const std::string lower = scratch + "/lower";
  VARVE_RETURN_IF_ERROR(AttachImage(root, lower, SetuidFiles::kIgnored));
  const std::string options = "lowerdir=" + lower + ",upperdir=" + scratch + "/upper,workdir=" + scratch +
                              "/work,xino=on,index=off,metacopy=off,redirect_dir=off,nfs_export=off";
  const unsigned long flags =
      MS_NODEV | (setuid_files == SetuidFiles::kIgnored ? static_cast<unsigned long>(MS_NOSUID) : 0UL);
  const int mounted = ::mount("overlay", directory.c_str(), "overlay", flags, options.c_str());
  const int why = errno;
  ::umount2(lower.c_str(), MNT_DETACH);  // the overlay keeps a mount of its own
  if (mounted != 0) return ErrnoError(why, "overlay at " + directory);
  return Ok();
}

Status RemoveScratch(const std::string& scratch) {
  std::error_code error;
  const std::filesystem::path work = std::filesystem::read_symlink(scratch + "/work", error);
  if (!error) VARVE_RETURN_IF_ERROR(RemoveTree(work));
  return RemoveTree(scratch);
}

std::string ScratchOf(const std::string& super_options, const RootPaths& paths) {
  const std::string mark = "workdir=" + paths.mounts() + "/";
  const std::size_t at = super_options.find(mark);
  if (at == std::string::npos) return "";
  const std::size_t begin = at + mark.size();
  const std::size_t end = std::min(super_options.find_first_of("/,", begin), super_options.size());
  return paths.mounts() + "/" + super_options.substr(begin, end - begin);
}

}  // namespace varve
