// usage: store_stress ROOT EXPECTED SEED       works on a store until it is killed
//
// Several threads pull synthetic images that share layers and chunks, name, rename, remove and read them, each with
// names of its own; one prunes all the while. What the store acknowledged is in the file EXPECTED, and each
// acknowledgement is a byte on standard output. Ends by itself only if the store returns an error, which it prints.

#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>
#include <random>
#include <thread>

#include "cached/store/collector.h"
#include "cached/transfer/catalog.h"
#include "tests/crash/expected_state.h"
#include "tests/crash/store_check.h"
#include "tests/crash/synthetic_images.h"

namespace varve {
namespace {

constexpr unsigned kWorkers = 3;
constexpr unsigned kNamesPerWorker = 3;

void Must(const Status& status, std::string_view doing) {
  if (status.ok()) return;
  fmt::print(stderr, "{}: {}\n", doing, status.error().message());
  std::fflush(stderr);
  ::_exit(3);
}
template <class T>
T Must(Result<T> result, std::string_view doing) {
  if (!result.ok()) Must(Status(result.error()), doing);
  return std::move(result).value();
}

class Stress {
 public:
  Stress(Store& store, const std::string& expected) : store_(store), expected_(expected) {}

  [[noreturn]] void Work(unsigned worker, unsigned seed) {
    std::mt19937 random(seed * kWorkers + worker);
    SyntheticImages images{SyntheticImages::Shape()};
    std::map<std::string, NamedImage> names;
    for (unsigned i = 0; i < kNamesPerWorker; ++i) {
      const std::string name = fmt::format("docker.io/library/worker{}:{}", worker, i);
      names[name] = Current(name, images);
    }
    while (true) {
      auto& [name, image] = *std::next(names.begin(), static_cast<std::ptrdiff_t>(random() % names.size()));
      const unsigned what = random() % 4;
      if (image && what == 0) {
        Change(name, image, {}, [&] { return RemoveName(name); });
      } else if (image && what == 1) {
        Must(ReadImage(store_, images, *image), name);
      } else if (what == 2) {
        const std::size_t other = random() % images.size();
        const Digest diff_id = images[other].config.diff_ids.front();
        expected_.Slot(diff_id.hex(), Must(store_.SlotOf(diff_id), "slot"));
      } else {
        const std::size_t other = random() % images.size();
        Change(name, image, other, [&] { return Install(store_, gate_, images, other, name); });
      }
    }
  }

  [[noreturn]] void Prune(unsigned seed) {
    std::mt19937 random(seed);
    CollectOptions options;
    options.close_packs = [](std::span<const PackId>) {};
    while (true) {
      options.dead_fraction_min = static_cast<double>(random() % 3) / 10;
      Must(Collect(store_, options), "prune");
    }
  }

 private:
  NamedImage Current(const std::string& name, const SyntheticImages& images) {
    const auto ref = Must(store_.FindRef(name), name);
    if (!ref) return {};
    std::size_t image = 0;
    while (KeyOf(images[image].manifest_digest) != ref->manifest_digest()) ++image;
    return image;
  }

  void Change(const std::string& name, NamedImage& image, NamedImage to, const std::function<Status()>& change) {
    expected_.Begin(name, to);
    Must(change(), name);
    expected_.Done(name, to);
    image = to;
    VARVE_CHECK(::write(STDOUT_FILENO, ".", 1) == 1);
  }

  Status RemoveName(const std::string& name) {
    VARVE_RETURN_IF_ERROR(catalog_.Remove(name, Catalog::Force::kNo));
    return Ok();
  }

  Store& store_;
  ExpectedLog expected_;
  LayerGate gate_;
  Catalog catalog_{store_, Clock::Real()};
};

}  // namespace
}  // namespace varve

int main(int argc, char** argv) {
  VARVE_CHECK(argc == 4);
  const std::string root = argv[1];
  const auto seed = static_cast<unsigned>(std::stoul(argv[3]));
  const auto store = varve::Must(varve::Store::Open(varve::Fs::Real(), {root, root + "/run"}, {}), "open");
  varve::Stress stress(*store, argv[2]);
  for (unsigned worker = 0; worker < varve::kWorkers; ++worker)
    std::thread([&stress, worker, seed] { stress.Work(worker, seed); }).detach();
  stress.Prune(seed);
}
