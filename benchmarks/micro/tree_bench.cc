// Making an image index: what the first mount of a new stack of layers waits for.

#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include <vector>

#include "benchmarks/micro/content.h"
#include "cached/tree/merge.h"
#include "tests/support/temp_dir.h"
#include "tests/tree/layer_builder.h"

namespace varve {
namespace {

// A base of `files` files in directories of 40, and a layer that changes, adds and removes a tenth of them.
void BM_MergeLayers(benchmark::State& state) {
  const auto path = [](int i) { return fmt::format("usr/lib/d{}/file-{}", i / 40, i); };
  const int files = static_cast<int>(state.range(0));
  Layer base, change;
  for (int i = 0; i < files; ++i) base.File(path(i), "x");
  for (int i = 0; i < files; i += 30) {
    change.File(path(i), "y").File(path(i) + ".new", "z").Whiteout(path(i + 1));
  }
  const BuiltLayer layers[] = {*base.Build("base"), *change.Build("change")};
  const std::vector<LayerIndex> indexes = {layers[0].index, layers[1].index};
  const TempDir directory;
  for (auto _ : state) {
    const auto file = *Fs::Real().Open(directory / "index", OpenMode::kCreateTruncate);
    VARVE_CHECK(MergeLayers(indexes, *file).ok());
  }
  state.SetItemsProcessed(state.iterations() * files);
}
BENCHMARK(BM_MergeLayers)->ArgName("files")->Arg(1'000)->Arg(50'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace varve
