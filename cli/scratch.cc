#include "cli/scratch.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <set>
#include <utility>

#include "cached/base/bytes.h"
#include "cached/base/fs.h"
#include "cached/base/log.h"
#include "cached/base/mount_table.h"
#include "cli/runtime/remove_tree.h"

namespace varve {
namespace {

constexpr std::size_t kNameBytes = 6;  // of mkdtemp

// Whether an overlay lives on `work`/overlay (scratch.h): asks for one that has it as upper directory, and is mounted
// nowhere and gone at once. Nothing but `work` is written to.
Result<bool> IsInUse(const std::string& work) {
  for (const char* name : {"/probe", "/none"}) VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(work + name));
  const UniqueFd directory(::open(work.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return ErrnoError(errno, work);
  const UniqueFd context(::fsopen("overlay", FSOPEN_CLOEXEC));
  if (!context.valid()) return ErrnoError(errno, "this kernel has no overlay file system");
  const std::string here = fmt::format("/proc/self/fd/{}/", directory.get());  // fsconfig(2) takes at most 255 bytes
  const std::array<std::pair<const char*, std::string>, 4> options = {
      {{"index", "on"}, {"upperdir", here + "overlay"}, {"workdir", here + "probe"}, {"lowerdir", here + "none"}}};
  for (const auto& [key, value] : options) {
    if (::fsconfig(context.get(), FSCONFIG_SET_STRING, key, value.c_str(), 0) != 0)
      return ErrnoError(errno, fmt::format("{}/overlay: option {}", work, key));
  }
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0) return false;
  if (errno == EBUSY) return true;
  return ErrnoError(errno, work + "/overlay");
}

// DIR.work, for an upper directory DIR of the caller's.
Result<std::string> MakeWorkBeside(const std::string& upper) {
  const std::string work = upper + ".work";
  VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(work + "/overlay"));
  VARVE_ASSIGN_OR_RETURN(const bool used, IsInUse(work));
  if (used) return Error(Code::kFailedPrecondition, upper + ": another mount writes to it; name another directory");
  return work;
}

Status FillScratch(const std::string& scratch, const UniqueFd& root, const std::string& upper) {
  VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(scratch + "/lower"));
  const std::string made = scratch + "/upper";
  if (!upper.empty()) {
    VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(upper));
    std::error_code error;
    const std::string real = std::filesystem::canonical(upper, error).string();
    if (error) return ErrnoError(error.value(), upper);
    VARVE_ASSIGN_OR_RETURN(const std::string work, MakeWorkBeside(real));
    if (::symlink(real.c_str(), made.c_str()) != 0 || ::symlink(work.c_str(), (scratch + "/work").c_str()) != 0)
      return ErrnoError(errno, scratch);
    return Ok();
  }
  for (const char* name : {"/upper", "/work/overlay"})
    VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(scratch + name));
  struct stat info{};
  if (::fstat(root.get(), &info) != 0) return ErrnoError(errno, "image root");
  if (::chmod(made.c_str(), info.st_mode & 07777) != 0 || ::chown(made.c_str(), info.st_uid, info.st_gid) != 0)
    return ErrnoError(errno, made);
  return Ok();
}

// What was made in a work directory beside a caller's own upper directory is of no use to anybody. The caller may have
// had files of his own there: they and the directory stay.
Status RemoveScratch(const std::string& scratch) {
  std::error_code error;
  const std::string work = std::filesystem::read_symlink(scratch + "/work", error).string();
  if (!error) {
    for (const char* name : {"/overlay", "/probe", "/none"}) VARVE_RETURN_IF_ERROR(RemoveTree(work + name));
    if (::rmdir(work.c_str()) != 0 && errno != ENOTEMPTY && errno != ENOENT) return ErrnoError(errno, work);
  }
  return RemoveTree(scratch);
}

Status SweepScratch(const std::string& scratch) {
  if (::access((scratch + "/image").c_str(), F_OK) == 0) {
    VARVE_ASSIGN_OR_RETURN(const bool used, IsInUse(scratch + "/work"));
    if (used) return Ok();
  }
  return RemoveScratch(scratch);
}

}  // namespace

Result<UniqueFd> LockScratches(const RootPaths& paths) {
  const std::string path = paths.lock("mounts");
  UniqueFd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.valid() || ::flock(lock.get(), LOCK_EX) != 0) return ErrnoError(errno, path);
  return lock;
}

Result<std::string> MakeScratch(const RootPaths& paths, const ChainId& chain_id, const UniqueFd& root,
                                const std::string& upper) {
  VARVE_RETURN_IF_ERROR(Fs::Real().MakeDirectories(paths.mounts()));
  std::string scratch = paths.mounts() + "/XXXXXX";
  if (::mkdtemp(scratch.data()) == nullptr) return ErrnoError(errno, scratch);
  Status filled = FillScratch(scratch, root, upper);
  if (filled.ok()) filled = WriteFileAtomically(Fs::Real(), scratch + "/image", AsBytes(chain_id.hex()));
  if (filled.ok()) return scratch;
  RemoveScratch(scratch).IgnoreError("the first error says why, and the next command sweeps");
  return filled.error();
}

Status MountScratch(const std::string& scratch, const UniqueFd& root, const std::string& directory,
                    SetuidFiles setuid_files) {
  const std::string lower = scratch + "/lower";
  VARVE_RETURN_IF_ERROR(AttachImage(root, lower, SetuidFiles::kIgnored));
  const std::string options = "lowerdir=" + lower + ",upperdir=" + scratch + "/upper,workdir=" + scratch +
                              "/work/overlay,xino=on,index=off,metacopy=off,redirect_dir=off,nfs_export=off";
  const unsigned long flags =
      MS_NODEV | (setuid_files == SetuidFiles::kIgnored ? static_cast<unsigned long>(MS_NOSUID) : 0UL);
  const int mounted = ::mount("overlay", directory.c_str(), "overlay", flags, options.c_str());
  const int why = errno;
  ::umount2(lower.c_str(), MNT_DETACH);  // the overlay keeps a mount of its own
  if (mounted != 0) return ErrnoError(why, "overlay at " + directory);
  return Ok();
}

Status SweepScratches(const RootPaths& paths) {
  const auto names = Fs::Real().List(paths.mounts());
  if (!names.ok()) return names.error().code() == Code::kNotFound ? Ok() : Status(names.error());
  VARVE_ASSIGN_OR_RETURN(const UniqueFd lock, LockScratches(paths));
  std::set<std::string> seen;  // mounted here: the kernel, which logs each refusal, need not be asked
  for (const MountLine& line : ReadMountTable()) seen.insert(ScratchOf(line.super_options, paths));
  for (const std::string& name : *names) {
    const std::string scratch = paths.mounts() + "/" + name;
    if (name.size() != kNameBytes || seen.contains(scratch)) continue;
    const Status swept = SweepScratch(scratch);
    if (!swept.ok()) LogWarning("what is left of a writable mount is not swept: {}", swept.error().message());
  }
  return Ok();
}

std::string KeepScratch(const std::string& scratch) {
  std::error_code error;
  const std::filesystem::path named = std::filesystem::read_symlink(scratch + "/upper", error);
  if (!error) return named.string();
  const std::string kept = scratch + ".kept";
  return (::rename(scratch.c_str(), kept.c_str()) == 0 ? kept : scratch) + "/upper";
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
