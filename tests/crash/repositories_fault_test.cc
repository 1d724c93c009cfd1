// Every operation on a file fails once, or with all behind it, over a push, a mount, deletions and a prune of
// repositories: files of blobs, packs and the database in one file system in memory, which then loses power. What was
// acknowledged is there afterwards, and nothing is half there.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "cached/store/collector.h"
#include "cached/store/repository_keys.h"
#include "tests/crash/fault_sweep.h"
#include "tests/store/pushed_store.h"
#include "tests/support/fault_env.h"

namespace varve {
namespace {

using ::testing::IsEmpty;

// What is wrong with the registry of a store that was just opened: a record without what it needs, a file without a
// record, other bytes than a file's name says.
std::vector<std::string> CheckRegistry(Store& store) {
  std::vector<std::string> wrong;
  const auto has = [&](Column column, std::string_view key) { return store.database().Get(column, key)->has_value(); };
  const auto each = [&](Column column, const std::function<void(RepositoryKey, std::string_view)>& check) {
    EXPECT_TRUE(store.database()
                    .Scan(column,
                          [&](std::string_view key, std::string_view value) {
                            check(RepositoryKey::Parse(key).value(), value);
                            return Ok();
                          })
                    .ok());
  };
  for (const Column column : {Column::kRepositoryBlob, Column::kRepositoryManifest}) {
    each(column, [&](RepositoryKey key, std::string_view) {
      if (!has(Column::kOriginal, key.name)) wrong.push_back(ToHex(AsBytes(key.name)) + ": is named and has no record");
    });
  }
  each(Column::kRepositoryManifest, [&](RepositoryKey key, std::string_view value) {
    store::RepositoryManifest manifest;
    EXPECT_TRUE(manifest.ParseFromString(std::string(value)));
    for (const std::string& blob : manifest.references()) {
      if (!has(Column::kRepositoryBlob, KeyIn(key.repository, blob)))
        wrong.push_back(ToHex(AsBytes(blob)) + ": a manifest names it, and it is not linked");
    }
  });
  each(Column::kTag, [&](RepositoryKey key, std::string_view value) {
    store::Tag tag;
    EXPECT_TRUE(tag.ParseFromString(std::string(value)));
    if (!has(Column::kRepositoryManifest, KeyIn(key.repository, tag.manifest_digest())))
      wrong.push_back("tag " + std::string(key.name) + ": its manifest is gone");
  });
  std::size_t records = 0;
  EXPECT_TRUE(store.database()
                  .Scan(Column::kOriginal,
                        [&](std::string_view key, std::string_view) -> Status {
                          ++records;
                          const Digest blob = Digest::FromBytes(AsBytes(key)).value();
                          const auto bytes =
                              ReadWholeFile(store.fs(), store.paths().blobs() + "/" + blob.hex(), 1 << 20);
                          if (!bytes.ok() || Sha256Of(*bytes) != blob) wrong.push_back(blob.hex() + ": is damaged");
                          return Ok();
                        })
                  .ok());
  if (store.blob_files().List()->size() != records) wrong.push_back("a file has no record");
  return wrong;
}

class RepositoriesFaultTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Store>> Open(FaultFs& fs, rocksdb::Env& env) {
    StoreOptions options;
    options.database_files = &env;
    return Store::Open(fs, {"/root", "/root/run"}, options);
  }

  // What a step makes true, if it succeeds; what it may have done, if it fails.
  using Names = std::map<std::string, std::set<bool>>;
  static void Set(Names& names, const std::string& name, bool there, const Status& status) {
    if (status.ok()) names[name].clear();
    names[name].insert(there);
  }

  void Work(Store& store, Names& names) {
    Pusher pusher(store, clock_);
    Repositories& repositories = pusher.repositories();
    const Digest config = DigestOfText("config");
    Set(names, "x config", true, pusher.TryPushBlob("x", "config"));
    Set(names, "x layer", true, pusher.TryPushBlob("x", "layer"));
    Set(names, "x 1", true, pusher.TryPushManifest("x", "manifest", {config, DigestOfText("layer")}, {"1"}));
    const auto mounted = repositories.MountBlob("x", "y", config);
    if (!mounted.ok() || *mounted) Set(names, "y config", true, mounted.ok() ? Ok() : Status(mounted.error()));
    Set(names, "y 1", true, pusher.TryPushManifest("y", "manifest of y", {config}, {"1"}));
    const Status deleted = repositories.DeleteManifest("x", DigestOfText("manifest"));
    if (deleted.ok() || deleted.error().code() != Code::kNotFound) Set(names, "x 1", false, deleted);
    CollectOptions options;
    options.close_packs = [](std::span<const PackId>) {};
    options.now = clock_.Now() + std::chrono::hours(2);
    Collect(store, options).IgnoreError("it fails or not; what has a tag may not go");
    for (const char* name : {"x config", "x layer", "y config"}) names[name].insert(false);
    Set(names, "z late", true, pusher.TryPushBlob("z", "late"));
  }

  void ExpectNothingLost(FaultFs& fs, rocksdb::Env& env, const Names& names) {
    const auto store = Open(fs, env);
    ASSERT_TRUE(store.ok()) << store.error().message();
    EXPECT_THAT(CheckRegistry(**store), IsEmpty());
    Pusher pusher(**store, clock_);
    for (const auto& [name, allowed] : names) {
      const std::string repository = name.substr(0, 1);
      const std::string what = name.substr(2);
      const bool there = what == "1" ? pusher.repositories().FindTag(repository, "1").value().has_value()
                                     : pusher.HasBlob(repository, DigestOfText(what));
      EXPECT_TRUE(allowed.contains(there)) << name << (there ? " is there" : " is gone");
    }
    pusher.PushManifest("x", "manifest", {pusher.PushBlob("x", "config"), pusher.PushBlob("x", "layer")}, {"1"});
  }

  // False if there is no operation `n`.
  bool FailAt(std::uint64_t n, const Fault& fault) {
    FaultFs fs;
    const auto env = MakeEnv(fs);
    Names names;
    for (const char* name : {"x config", "x layer", "x 1", "y config", "y 1", "z late"}) names[name] = {false};
    {
      const auto store = Open(fs, *env);
      EXPECT_TRUE(store.ok());
      fs.FailAt(n, fault.failing);
      Work(**store, names);
    }
    const bool reached = fs.operations() >= n;
    fs.Heal();
    fs.Crash(fault.unsynced);
    ExpectNothingLost(fs, *env, names);
    return reached;
  }

  ManualClock clock_;
};

TEST_F(RepositoriesFaultTest, AFailedOperationLosesNothingThatWasAcknowledged) {
  SweepFaults([this](std::uint64_t n, const Fault& fault) { return FailAt(n, fault); });
}

}  // namespace
}  // namespace varve
