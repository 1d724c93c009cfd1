#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "tests/tree/layer_builder.h"

namespace varve {

// A data-driven case of tests/cases/*.overlay: layers, and the tree or the error that their merge must give
// (tests/cases/README.md).
struct OverlayCase {
  std::string name = {};  // of the file, without ".overlay"
  std::vector<Layer> layers = {};
  std::vector<std::string> expected = {};  // TreeLine::ToString, sorted by path
  std::string error = {};                  // not empty: a part of the error's message, and `expected` is empty
  std::string no_oracle = {};              // not empty: why overlayfs cannot express the case

  // kInvalidArgument "file:line: …".
  static Result<OverlayCase> Read(const std::string& path);
  // All of them, sorted by name; a file that cannot be read ends the test program.
  static std::vector<OverlayCase> All();

  friend void PrintTo(const OverlayCase& overlay_case, std::ostream* out) { *out << overlay_case.name; }
};

}  // namespace varve
