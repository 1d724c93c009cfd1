#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>

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

// While it lives, libarchive takes the names of files for UTF-8 on this thread, as they are in PAX headers, whatever
// the locale of the process is.
class Utf8Names {
 public:
  Utf8Names() : locale_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (locale_ != nullptr) ::uselocale(locale_);
  }
  ~Utf8Names() {
    ::uselocale(LC_GLOBAL_LOCALE);
    if (locale_ != nullptr) ::freelocale(locale_);
  }
  Utf8Names(const Utf8Names&) = delete;
  Utf8Names& operator=(const Utf8Names&) = delete;

 private:
  const locale_t locale_;
};

}  // namespace varve
