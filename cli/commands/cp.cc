#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <thread>
#include <utility>

#include "cached/base/bounded_queue.h"
#include "cli/archive/copy_paths.h"
#include "cli/archive/extract_tar.h"
#include "cli/archive/output_file.h"
#include "cli/archive/plain_file.h"
#include "cli/archive/tree_tar.h"
#include "cli/cli.h"
#include "cli/containers.h"
#include "cli/runtime/inside.h"
#include "cli/runtime/walk_tree.h"

// A copy is a tar that one thread makes and another takes apart, so that both ends may be a standard stream as well.

namespace varve {
namespace {

constexpr std::size_t kQueuedPieces = 8;
constexpr std::size_t kPieceBytes = 256 << 10;

struct CpOptions {
  std::vector<std::string> paths;
  bool archive = false;
  bool follow_link = false;
};

using WriteTar = std::function<Status(const TreeTar::Sink&)>;

// Takes apart what `write` writes.
Status Pump(const WriteTar& write, std::optional<int> root, int directory) {
  BoundedQueue<Result<Bytes>> pieces(kQueuedPieces);
  std::thread writer([&] {
    const Status written = write([&](ByteSpan piece) -> Status {
      return pieces.Push(Bytes(piece.begin(), piece.end())) ? Ok() : Error(Code::kCancelled, "nobody reads the tar");
    });
    if (!written.ok()) pieces.Push(written.error());
    pieces.Close();
  });
  const Status taken = ExtractTar(root, directory, [&]() -> Result<Bytes> {
    std::optional<Result<Bytes>> piece = pieces.Pop();
    return piece ? std::move(*piece) : Bytes();
  });
  pieces.Abandon();
  writer.join();
  return taken;
}

Result<CopyKind> KindOf(const Result<UniqueFd>& fd) {
  if (!fd.ok()) return fd.error().code() == Code::kNotFound ? Result<CopyKind>(CopyKind::kAbsent) : fd.error();
  struct stat info{};
  if (::fstat(fd->get(), &info) != 0) return ErrnoError(errno, "stat");
  return S_ISDIR(info.st_mode) ? CopyKind::kDirectory : CopyKind::kFile;
}

Result<UniqueFd> OpenHere(const std::string& path, int flags) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError(errno, path);
  return fd;
}

// Paths of ours are used where another directory is the current one.
std::string Absolute(const std::string& path) {
  return path.starts_with('/') ? path : std::filesystem::current_path().string() + "/" + path;
}

// What is copied: opened, and known by the path that it was asked for by.
struct Source {
  UniqueFd fd;
  CopyKind kind;
  std::string path;
};

Result<Source> SourceOf(Result<UniqueFd> fd, const std::string& path) {
  VARVE_ASSIGN_OR_RETURN(const CopyKind kind, KindOf(fd));
  if (!fd.ok()) return fd.error();
  return Source{std::move(*fd), kind, path};
}

// What is there already must be of the same kind.
Status CheckReplaceable(const Source& source, int directory, const std::string& name) {
  VARVE_ASSIGN_OR_RETURN(const auto there, LookBelow(directory, name));
  if (name.empty() || !there) return Ok();
  const bool is_directory = S_ISDIR(there->st_mode);
  if (is_directory == (source.kind == CopyKind::kDirectory)) return Ok();
  return Error(Code::kInvalidArgument, is_directory
                                           ? fmt::format("cannot overwrite directory \"{}\" with non-directory", name)
                                           : fmt::format("cannot overwrite non-directory \"{}\" with directory", name));
}

Status CopyTo(const Source& source, std::optional<TarOwner> owner, std::optional<int> root, int directory,
              const std::string& name) {
  VARVE_RETURN_IF_ERROR(CheckReplaceable(source, directory, name));
  return Pump([&](const TreeTar::Sink& sink) { return WriteTree(source.fd.get(), name, owner, sink); }, root,
              directory);
}

int LinkFlag(const CpOptions& options) { return options.follow_link ? 0 : O_NOFOLLOW; }

Status CopyOut(const CpOptions& options, int root, const CopyArgument& from, const std::string& to) {
  const std::string path = "/" + from.path;
  Result<Source> source = SourceOf(OpenInside(root, path, O_PATH | LinkFlag(options)), from.path);
  if (!source.ok() && source.error().code() == Code::kNotFound) {
    return Error(Code::kNotFound, fmt::format("Could not find the file {} in container {}", from.path, from.container));
  }
  if (!source.ok()) return source.error();
  if (to == "-") {
    VARVE_ASSIGN_OR_RETURN(OutputFile output, OutputFile::Open(""));
    return WriteTree(source->fd.get(), BaseName(from.path), std::nullopt,
                     [&](ByteSpan piece) { return output.Write(piece); });
  }
  VARVE_ASSIGN_OR_RETURN(const CopyKind there, KindOf(OpenHere(to, O_PATH)));
  VARVE_ASSIGN_OR_RETURN(const CopyTarget target, TargetOf(source->kind, from.path, there, to));
  const Result<UniqueFd> directory = OpenHere(target.directory, O_PATH | O_DIRECTORY);
  if (!directory.ok()) return directory.error().In("invalid output path");
  const TarOwner caller{::geteuid(), ::getegid()};
  return CopyTo(*source, options.archive ? std::nullopt : std::optional(caller), std::nullopt, directory->get(),
                target.name);
}

// A volume may be written to where the root may not.
Status CheckWritable(const Container& container, int root, int directory) {
  struct stat ours{}, theirs{};
  if (::fstat(root, &ours) != 0 || ::fstat(directory, &theirs) != 0) return ErrnoError(errno, "stat");
  if (container.record.options.root_access == RootAccess::kReadWrite || ours.st_dev != theirs.st_dev) return Ok();
  return Error(Code::kFailedPrecondition, "container rootfs is marked read-only");
}

Status ExtractInput(const UniqueFd& tar, int root, int directory) {
  return ExtractTar(root, directory, [&]() -> Result<Bytes> {
    Bytes piece(kPieceBytes);
    const ssize_t size = ::read(tar.get(), piece.data(), piece.size());
    if (size < 0) return ErrnoError(errno, "standard input");
    piece.resize(static_cast<std::size_t>(size));
    return piece;
  });
}

Status CopyIn(const CpOptions& options, const Container& container, int root, const std::string& from,
              const CopyArgument& to) {
  VARVE_ASSIGN_OR_RETURN(const CopyKind there, KindOf(OpenInside(root, "/" + to.path, O_PATH)));
  if (from == "-") {
    if (there != CopyKind::kDirectory)
      return Error(Code::kInvalidArgument,
                   fmt::format("destination \"{}:{}\" must be a directory", to.container, to.path));
    VARVE_ASSIGN_OR_RETURN(const UniqueFd directory, OpenInside(root, "/" + to.path, O_PATH | O_DIRECTORY));
    VARVE_RETURN_IF_ERROR(CheckWritable(container, root, directory.get()));
    VARVE_ASSIGN_OR_RETURN(const UniqueFd tar, OpenPlain(kStandardInput));
    return ExtractInput(tar, root, directory.get());
  }
  VARVE_ASSIGN_OR_RETURN(const Source source, SourceOf(OpenHere(from, O_PATH | LinkFlag(options)), from));
  VARVE_ASSIGN_OR_RETURN(const CopyTarget target, TargetOf(source.kind, from, there, "/" + to.path));
  const Result<UniqueFd> directory = OpenInside(root, target.directory, O_PATH | O_DIRECTORY);
  if (!directory.ok() && directory.error().code() == Code::kNotFound) {
    return Error(Code::kNotFound,
                 fmt::format("Could not find the file {} in container {}", target.directory, to.container));
  }
  if (!directory.ok()) return directory.error();
  VARVE_RETURN_IF_ERROR(CheckWritable(container, root, directory->get()));
  return CopyTo(source, options.archive ? std::nullopt : std::optional(TarOwner{0, 0}), root, directory->get(),
                target.name);
}

Result<int> RunCp(Session& session, const CpOptions& options) {
  CopyArgument from = ParseCopyArgument(options.paths[0]);
  CopyArgument to = ParseCopyArgument(options.paths[1]);
  if (from.container.empty() == to.container.empty()) {
    return Error(Code::kInvalidArgument, from.container.empty() ? "must specify at least one container source"
                                                                : "copying between containers is not supported");
  }
  for (CopyArgument* here : {&from, &to}) {
    if (here->container.empty() && !here->is_stream()) here->path = Absolute(here->path);
  }
  const bool out = !from.container.empty();
  VARVE_RETURN_IF_ERROR(WithFilesOf(
      session, out ? from.container : to.container, ShownMounts::kVolumes, [&](const Container& container, int root) {
        return out ? CopyOut(options, root, from, to.path) : CopyIn(options, container, root, from.path, to);
      }));
  return 0;
}

}  // namespace

void AddCp(Cli& cli) {
  auto options = std::make_shared<CpOptions>();
  CLI::App* command = cli.app.add_subcommand("cp", "Copy files out of a container, or into one");
  command->add_flag("-a,--archive", options->archive, "keep owners, instead of giving all to the caller or to root");
  command->add_flag("-L,--follow-link", options->follow_link, "copy what the source leads to, if it is a symlink");
  command
      ->add_option("SOURCE DESTINATION", options->paths, "one is CONTAINER:PATH, the other a path here, or - for a tar")
      ->required()
      ->expected(2);
  SetAction(cli, command, options, RunCp);
}

}  // namespace varve
