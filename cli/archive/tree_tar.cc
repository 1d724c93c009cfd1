#include "cli/archive/tree_tar.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <utility>

#include "cli/archive/archive_handle.h"
#include "cli/runtime/upper.h"

namespace varve {
namespace {

constexpr std::size_t kPieceBytes = 256 << 10;
constexpr std::string_view kMark = ".wh.";

}  // namespace

struct TreeTar::State {
  Sink sink;
  std::optional<TarOwner> owner;
  bool abandoned = false;                                 // nobody wants the rest
  Status failed;                                          // what `sink` said
  std::map<std::pair<dev_t, ino_t>, std::string> linked;  // the member of each file with several names
  Bytes piece = Bytes(kPieceBytes);
  Utf8Names utf8_names;
  ArchiveHandle handle{archive_write_new()};

  static la_ssize_t Write(archive* handle, void* self, const void* data, std::size_t size) {
    auto& state = *static_cast<State*>(self);
    if (state.abandoned) return -1;
    state.failed = state.sink(ByteSpan(static_cast<const std::byte*>(data), size));
    if (state.failed.ok()) return static_cast<la_ssize_t>(size);
    archive_set_error(handle, EIO, "the tar is not taken");
    return -1;
  }
  Status Failure() const { return failed.ok() ? ArchiveError(handle.get(), Code::kInternal) : failed; }
  Status WriteHeader(archive_entry* entry) {
    // It warns of a name that is not UTF-8 and writes its bytes, with a PAX record that says so.
    return archive_write_header(handle.get(), entry) >= ARCHIVE_WARN ? Ok() : Failure();
  }
  Status WriteData(ByteSpan data) {
    const la_ssize_t size = archive_write_data(handle.get(), data.data(), data.size());
    return size == static_cast<la_ssize_t>(data.size()) ? Ok() : Failure();
  }
  Status WriteContent(const TreeEntry& entry);
};

TreeTar::TreeTar(std::unique_ptr<State> state) : state_(std::move(state)) {}
TreeTar::TreeTar(TreeTar&&) noexcept = default;

TreeTar::~TreeTar() {
  // Freeing an archive that is not closed writes its end, and one that has failed (archive_write_fail) leaks its
  // buffer.
  if (state_ != nullptr) state_->abandoned = true;
}

Result<TreeTar> TreeTar::Create(Sink sink, std::optional<TarOwner> owner) {
  auto state = std::make_unique<State>();
  state->sink = std::move(sink);
  state->owner = owner;
  archive* const handle = state->handle.get();
  // ustar, with a PAX header where that cannot say it.
  if (archive_write_set_format_pax_restricted(handle) != ARCHIVE_OK ||
      archive_write_set_options(handle, "xattrheader=SCHILY") != ARCHIVE_OK ||
      archive_write_set_bytes_per_block(handle, kPieceBytes) != ARCHIVE_OK ||
      archive_write_set_bytes_in_last_block(handle, 1) != ARCHIVE_OK ||
      archive_write_open(handle, state.get(), nullptr, State::Write, nullptr) != ARCHIVE_OK) {
    return ArchiveError(handle, Code::kInternal);
  }
  return TreeTar(std::move(state));
}

Status TreeTar::State::WriteContent(const TreeEntry& entry) {
  VARVE_ASSIGN_OR_RETURN(const UniqueFd file, OpenForReading(entry));
  auto left = static_cast<std::uint64_t>(entry.info.st_size);
  for (bool ended = false; left > 0;) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left, piece.size()));
    ssize_t size = ended ? 0 : ::read(file.get(), piece.data(), wanted);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return ErrnoError(errno, "/" + entry.path);
    if (size == 0) {
      ended = true;
      std::fill_n(piece.begin(), wanted, std::byte{0});
      size = static_cast<ssize_t>(wanted);
    }
    VARVE_RETURN_IF_ERROR(WriteData(ByteSpan(piece).first(static_cast<std::size_t>(size))));
    left -= static_cast<std::uint64_t>(size);
  }
  return Ok();
}

Status TreeTar::Add(const TreeEntry& entry, const std::string& name) {
  const struct stat& info = entry.info;
  if (S_ISSOCK(info.st_mode)) return Ok();
  const ArchiveEntry member(archive_entry_new());
  archive_entry_set_pathname(member.get(), S_ISDIR(info.st_mode) ? (name + "/").c_str() : name.c_str());
  archive_entry_set_mode(member.get(), info.st_mode);
  const TarOwner owner = state_->owner.value_or(TarOwner{info.st_uid, info.st_gid});
  archive_entry_set_uid(member.get(), owner.uid);
  archive_entry_set_gid(member.get(), owner.gid);
  archive_entry_set_mtime(member.get(), info.st_mtim.tv_sec, 0);
  archive_entry_set_size(member.get(), S_ISREG(info.st_mode) ? info.st_size : 0);
  if (!S_ISDIR(info.st_mode) && info.st_nlink > 1) {
    const auto [first, is_new] = state_->linked.try_emplace({info.st_dev, info.st_ino}, name);
    if (!is_new) {
      archive_entry_set_hardlink(member.get(), first->second.c_str());
      archive_entry_set_size(member.get(), 0);
      return state_->WriteHeader(member.get());
    }
  }
  if (S_ISLNK(info.st_mode)) {
    VARVE_ASSIGN_OR_RETURN(const std::string target, ReadLink(entry));
    archive_entry_set_symlink(member.get(), target.c_str());
  }
  if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) archive_entry_set_rdev(member.get(), info.st_rdev);
  VARVE_ASSIGN_OR_RETURN(const auto xattrs, ReadXattrs(entry));
  for (const auto& [key, value] : xattrs)
    archive_entry_xattr_add_entry(member.get(), key.c_str(), value.data(), value.size());
  VARVE_RETURN_IF_ERROR(state_->WriteHeader(member.get()).In("/" + entry.path));
  return S_ISREG(info.st_mode) ? state_->WriteContent(entry) : Ok();
}

Status TreeTar::AddMark(const std::string& name, const TreeEntry& like) {
  const ArchiveEntry member(archive_entry_new());
  archive_entry_set_pathname(member.get(), name.c_str());
  archive_entry_set_mode(member.get(), S_IFREG);
  archive_entry_set_size(member.get(), 0);
  archive_entry_set_mtime(member.get(), like.info.st_mtim.tv_sec, 0);
  return state_->WriteHeader(member.get());
}

Status TreeTar::Finish() { return archive_write_close(state_->handle.get()) == ARCHIVE_OK ? Ok() : state_->Failure(); }

Status WriteTree(int top, const std::string& name, std::optional<TarOwner> owner, const TreeTar::Sink& sink) {
  VARVE_ASSIGN_OR_RETURN(TreeTar tar, TreeTar::Create(sink, owner));
  TreeEntry whole{.path = name, .info = {}, .fd = top};
  if (::fstat(top, &whole.info) != 0) return ErrnoError(errno, name);
  if (!S_ISDIR(whole.info.st_mode)) {
    VARVE_RETURN_IF_ERROR(tar.Add(whole, name));
    return tar.Finish();
  }
  VARVE_RETURN_IF_ERROR(WalkTree(top, "", [&](const TreeEntry& entry) -> Result<Below> {
    const std::string& path = entry.path;
    const std::string member = name.empty() ? path : path.empty() ? name : name + "/" + path;
    if (!member.empty()) VARVE_RETURN_IF_ERROR(tar.Add(entry, member));
    return Below::kVisited;
  }));
  return tar.Finish();
}

Status WriteLayer(int upper, int lower, const TreeTar::Sink& sink) {
  VARVE_ASSIGN_OR_RETURN(TreeTar tar, TreeTar::Create(sink));
  VARVE_RETURN_IF_ERROR(WalkUpper(upper, lower, [&](const TreeEntry& entry, UpperEntry kind) -> Status {
    if (kind == UpperEntry::kWhiteout) {
      const std::size_t name = entry.path.rfind('/') + 1;
      return tar.AddMark(entry.path.substr(0, name) + std::string(kMark) + entry.path.substr(name), entry);
    }
    if (entry.path.compare(entry.path.rfind('/') + 1, kMark.size(), kMark) == 0) {
      return Error(Code::kInvalidArgument,
                   "/" + entry.path + ": no layer can hold it, since names with .wh. in front say what is gone");
    }
    VARVE_RETURN_IF_ERROR(tar.Add(entry, entry.path.empty() ? "." : entry.path));
    return kind == UpperEntry::kOpaque ? tar.AddMark(entry.path + "/.wh..wh..opq", entry) : Ok();
  }));
  return tar.Finish();
}

}  // namespace varve
