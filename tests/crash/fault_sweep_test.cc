// Every file operation of a busy store fails once: those of packs and index files and those of the database, all in one
// file system in memory that then loses power.
//
//   op:   1 2 3 … n-1 | n fails, alone or with all behind it | the store closes | power is lost | opened anew, checked
//
// What is lost with the power: nothing, what was not synced, half of it, or it is zeros. With "all behind it" and
// nothing synced lost, that is a machine which stops at operation n. Two pulls run at the same time, so operation n is
// not the same in each run: the claim holds for any.
//
// All n with all eight kinds of fault take minutes: fault_sweep.h.

#include "tests/crash/fault_sweep.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "cached/store/collector.h"
#include "cached/transfer/catalog.h"
#include "tests/crash/store_check.h"
#include "tests/support/fault_env.h"

namespace varve {
namespace {

class FaultSweepTest : public ::testing::Test {
 protected:
  // What a name may stand for: after an error, what it did before or what was asked.
  using Names = std::map<std::string, std::set<std::optional<std::size_t>>>;

  Result<std::unique_ptr<Store>> Open(FaultFs& fs, rocksdb::Env& env) {
    StoreOptions options;
    options.database_files = &env;
    return Store::Open(fs, {"/root", "/root/run"}, options);
  }

  void Set(Names& names, const std::string& name, std::optional<std::size_t> image, const Status& status) {
    if (status.ok()) names[name].clear();
    names[name].insert(image);
  }

  // Two pulls that share layers and chunks, a removal, a prune and another pull.
  void Work(Store& store, Names& names) {
    LayerGate gate;
    Status first;
    std::thread beside([&] { first = Install(store, gate, images_, 0, kNames[0]); });
    const Status second = Install(store, gate, images_, 1, kNames[1]);
    beside.join();
    Set(names, kNames[0], 0, first);
    Set(names, kNames[1], 1, second);
    Catalog catalog(store, Clock::Real());
    const auto removed = catalog.Remove(kNames[0], Catalog::Force::kNo);
    Set(names, kNames[0], {}, removed.ok() ? Ok() : Status(removed.error()));
    CollectOptions options;
    options.close_packs = [](std::span<const PackId>) {};
    options.dead_fraction_min = 0;
    Collect(store, options).IgnoreError("it fails or not; nothing that is named may go");
    Set(names, kNames[2], 2, Install(store, gate, images_, 2, kNames[2]));
  }

  void ExpectNothingLost(FaultFs& fs, rocksdb::Env& env, const Names& names) {
    const auto store = Open(fs, env);
    ASSERT_TRUE(store.ok()) << store.error().message();
    for (const std::string& wrong : CheckStore(**store, images_)) ADD_FAILURE() << wrong;
    for (const auto& [name, allowed] : names) {
      const auto ref = (*store)->FindRef(name);
      ASSERT_TRUE(ref.ok());
      std::optional<std::size_t> found;
      for (std::size_t image = 0; *ref && image < images_.size(); ++image) {
        if (KeyOf(images_[image].manifest_digest) == (*ref)->manifest_digest()) found = image;
      }
      EXPECT_TRUE(allowed.contains(found)) << name << (found ? " is another image" : " is gone");
    }
    LayerGate gate;
    const Status installed = Install(**store, gate, images_, 0, kNames[0]);
    EXPECT_TRUE(installed.ok()) << installed.error().message();
  }

  // False if there is no operation `n`.
  bool FailAt(std::uint64_t n, const Fault& fault) {
    FaultFs fs;
    const auto env = MakeEnv(fs);
    Names names;
    for (const char* name : kNames) names[name] = {std::nullopt};
    fs.FailAt(n, fault.failing);
    {
      const auto store = Open(fs, *env);
      if (store.ok()) Work(**store, names);
    }
    const bool reached = fs.operations() >= n;
    fs.Heal();
    fs.Crash(fault.unsynced);
    // Power comes back with another boot; what is kept is what a killed process leaves.
    if (fault.unsynced != FaultFs::Unsynced::kKept) fs.Remove("/root/run/boot").IgnoreError("it was there or not");
    ExpectNothingLost(fs, *env, names);
    return reached;
  }

  static constexpr const char* kNames[] = {"docker.io/library/a:1", "docker.io/library/b:1", "docker.io/library/c:1"};
  SyntheticImages images_{{.files = 8, .layers = 4, .images = 3, .layers_per_image_max = 2, .file_bytes_max = 40'000}};
};

TEST_F(FaultSweepTest, AFailedOperationLosesNothingThatWasAcknowledged) {
  SweepFaults([this](std::uint64_t n, const Fault& fault) { return FailAt(n, fault); });
}

}  // namespace
}  // namespace varve
