#include "cached/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace varve::internal {

void CheckFailed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "varve: bug: %s:%d: check failed: %s\n", file, line, expression);
  std::abort();
}

}  // namespace varve::internal
