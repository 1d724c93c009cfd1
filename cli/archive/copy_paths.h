#pragma once

#include <optional>
#include <string>

#include "cached/base/result.h"

namespace varve {

// An argument of `cp`: a path in a container, or without one a path here, or "-" for a tar on a standard stream.
struct CopyArgument {
  std::string container;  // empty: here
  std::string path;

  bool is_stream() const { return container.empty() && path == "-"; }
};

// docker's rule: what is absolute or begins with a dot is a path here, whatever colons it has.
CopyArgument ParseCopyArgument(const std::string& text);

enum class CopyKind { kAbsent, kFile, kDirectory };

// Where something is put: as `name` into the directory `directory`, or with an empty name its entries one by one.
struct CopyTarget {
  std::string directory;
  std::string name;
};

// docker's rules for `cp`, where `source` and `destination` are as they were given:
//
//   source             destination          what is made
//   file               absent               the file `destination`; with a slash behind it an error
//   file               file                 replaced
//   file, directory    directory            destination/BASENAME
//   directory          absent               the directory `destination`, with the entries of the source
//   directory          file                 an error
//   directory and "/." directory            the entries, in it
Result<CopyTarget> TargetOf(CopyKind source_kind, const std::string& source, CopyKind destination_kind,
                            const std::string& destination);

// The last part of a path; empty of one that has none or stands for what is in it ("/", ".", "a/.").
std::string BaseName(const std::string& path);

}  // namespace varve
