#include "cli/archive/tar_members.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "cli/archive/archive_handle.h"

namespace varve {
namespace {

constexpr std::size_t kBlockBytes = 256 << 10;
constexpr int kLinksMax = 8;  // that lead from one to the next

// "./a//b/../c" is "a/c"; empty for what leads out of the archive. Only ever a key of a map.
std::string Normal(const std::filesystem::path& name) {
  const std::string normal = name.relative_path().lexically_normal().string();
  return normal == ".." || normal.starts_with("../") ? "" : normal;
}

}  // namespace

// A pass over the tar from its beginning.
class TarMembers::Reader {
 public:
  static Result<std::unique_ptr<Reader>> Start(const TarMembers& of) {
    if (::lseek(of.tar_.get(), 0, SEEK_SET) != 0) return ErrnoError(errno, of.what_);
    auto reader = std::make_unique<Reader>();
    if (archive_read_support_format_tar(reader->handle_.get()) != ARCHIVE_OK ||
        archive_read_open_fd(reader->handle_.get(), of.tar_.get(), kBlockBytes) != ARCHIVE_OK) {
      return ArchiveError(reader->handle_.get(), Code::kInvalidArgument).In(of.what_);
    }
    return reader;
  }

  // The next member's header; null behind the last.
  Result<archive_entry*> Next() {
    archive_entry* entry = nullptr;
    const int code = archive_read_next_header(handle_.get(), &entry);
    if (code == ARCHIVE_EOF) return nullptr;
    // A warning is about attributes of the member, which nobody looks at.
    if (code != ARCHIVE_OK && code != ARCHIVE_WARN) return ArchiveError(handle_.get(), Code::kInvalidArgument);
    ++passed_;
    return entry;
  }
  // How many headers have been read.
  std::size_t passed() const { return passed_; }

  Status ReadData(const Sink& sink) {
    const void* block = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    la_int64_t expected = 0;
    for (;;) {
      const int code = archive_read_data_block(handle_.get(), &block, &size, &offset);
      if (code == ARCHIVE_EOF) return Ok();
      if (code != ARCHIVE_OK) return ArchiveError(handle_.get(), Code::kDataLoss);
      if (offset != expected) return Error(Code::kInvalidArgument, "it is stored as a sparse file");
      VARVE_RETURN_IF_ERROR(sink({static_cast<const std::byte*>(block), size}));
      expected += static_cast<la_int64_t>(size);
    }
  }

 private:
  ArchiveHandle handle_{archive_read_new()};
  std::size_t passed_ = 0;
};

TarMembers::TarMembers(UniqueFd tar, std::string what) : tar_(std::move(tar)), what_(std::move(what)) {}
TarMembers::~TarMembers() = default;

Result<std::unique_ptr<TarMembers>> TarMembers::Open(UniqueFd tar, std::string what) {
  std::unique_ptr<TarMembers> members(new TarMembers(std::move(tar), std::move(what)));
  VARVE_RETURN_IF_ERROR(members->List().In(members->what_ + ": not a tar archive, or a damaged one"));
  return members;
}

Status TarMembers::List() {
  VARVE_ASSIGN_OR_RETURN(const auto reader, Reader::Start(*this));
  for (std::size_t number = 0;; ++number) {
    VARVE_ASSIGN_OR_RETURN(archive_entry* const entry, reader->Next());
    if (entry == nullptr) return Ok();
    if (number == kArchiveMembersMax) {
      return Error(Code::kResourceExhausted, fmt::format("more than the limit of {} members", kArchiveMembersMax));
    }
    const char* name = archive_entry_pathname(entry);
    if (name == nullptr) continue;  // in no character set that we know, so nobody asks for it
    const char* target = archive_entry_hardlink(entry);
    const char* symlink = archive_entry_symlink(entry);
    for (const char* text : {name, target, symlink}) {
      if (text == nullptr || std::string_view(text).size() <= kMemberNameBytesMax) continue;
      return Error(Code::kResourceExhausted, fmt::format("a name of more than {} bytes", kMemberNameBytesMax));
    }
    Member member{number, 0, std::nullopt};
    if (target != nullptr) {
      member.link = Normal(target);
    } else if (symlink != nullptr) {
      member.link = Normal(std::filesystem::path(name).parent_path() / symlink);
    } else if (archive_entry_filetype(entry) == S_IFREG) {
      member.size_bytes = static_cast<std::uint64_t>(archive_entry_size(entry));
    } else {
      continue;
    }
    members_.insert_or_assign(Normal(name), std::move(member));
  }
}

const TarMembers::Member* TarMembers::Find(const std::string& name) const {
  std::string wanted = Normal(name);
  for (int links = 0; links <= kLinksMax && !wanted.empty(); ++links) {
    const auto found = members_.find(wanted);
    if (found == members_.end()) return nullptr;
    const Member& member = found->second;
    if (!member.link) return &member;
    wanted = *member.link;
  }
  return nullptr;
}

Result<std::optional<std::uint64_t>> TarMembers::SizeOf(const std::string& name) {
  const Member* const member = Find(name);
  return member == nullptr ? std::nullopt : std::optional(member->size_bytes);
}

Status TarMembers::GoTo(const Member& member) {
  if (reader_ == nullptr || reader_->passed() > member.number) {
    VARVE_ASSIGN_OR_RETURN(reader_, Reader::Start(*this));
  }
  while (reader_->passed() <= member.number) {
    VARVE_ASSIGN_OR_RETURN(const archive_entry* const entry, reader_->Next());
    if (entry == nullptr) return Error(Code::kDataLoss, "it became shorter");
  }
  return Ok();
}

Status TarMembers::Read(const std::string& name, const Sink& sink) {
  const Member* const member = Find(name);
  if (member == nullptr) return Error(Code::kNotFound, what_ + ": " + name + " is missing");
  Status taken;
  VARVE_RETURN_IF_ERROR(GoTo(*member).In(what_ + ": " + name));
  const Status read = reader_->ReadData([&](ByteSpan piece) -> Status {
    taken = sink(piece);
    return taken;
  });
  if (read.ok()) return Ok();
  reader_.reset();  // it stands somewhere in the member
  return taken.ok() ? read.error().In(what_ + ": " + name) : taken;
}

}  // namespace varve
