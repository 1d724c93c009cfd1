#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <memory>
#include <string>

#include "cached/base/result.h"

namespace varve {

struct FreeArchive {
  void operator()(archive* handle) const { archive_free(handle); }
};
struct FreeArchiveEntry {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};
using ArchiveHandle = std::unique_ptr<archive, FreeArchive>;
using ArchiveEntry = std::unique_ptr<archive_entry, FreeArchiveEntry>;

// The libarchive border. `code` is what it gives where it has no errno of the system's.
inline Error ArchiveError(archive* handle, Code code) {
  const char* text = archive_error_string(handle);
  return {code, text == nullptr ? "libarchive failed" : text};
}

}  // namespace varve
