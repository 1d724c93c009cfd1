#pragma once

namespace varve::internal {

[[noreturn]] void CheckFailed(const char* expression, const char* file, int line);

}  // namespace varve::internal

// For our own bugs only, never for input: stays on in release, prints where, and aborts.
#define VARVE_CHECK(expression) \
  ((expression) ? static_cast<void>(0) : ::varve::internal::CheckFailed(#expression, __FILE__, __LINE__))

// The same, where the check itself is too dear for release.
#ifdef NDEBUG
#define VARVE_DCHECK(expression) static_cast<void>(0)
#else
#define VARVE_DCHECK(expression) VARVE_CHECK(expression)
#endif
