#include "cached/store/repositories.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "cached/store/rebuild.h"
#include "tests/store/pushed_store.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using Asker = Repositories::Asker;

class RepositoriesTest : public ::testing::Test {
 protected:
  Repositories& repositories() { return pusher_->repositories(); }
  std::vector<std::string> Tags(const std::string& repository, const std::string& after = "", std::size_t most = 100) {
    return repositories().ListTags(repository, after, most).value();
  }
  std::vector<Digest> Referrers(const Digest& subject, const std::optional<Digest>& after = {},
                                std::size_t most = 100) {
    const auto referrers = repositories().ListReferrers("test/x", subject, after, most).value();
    std::vector<Digest> digests;
    for (const auto& [digest, record] : referrers) digests.push_back(digest);
    return digests;
  }
  void Reopen() {
    pusher_.reset();
    store_.Close();
    store_.Open();
    pusher_.emplace(*store_, clock_);
  }

  ManualClock clock_;
  TinyStore store_;
  std::optional<Pusher> pusher_{std::in_place, *store_, clock_};
};

TEST_F(RepositoriesTest, ABlobIsThereWhereItWasPushedAndSurvivesAKill) {
  const Digest blob = pusher_->PushBlob("test/x", "content");
  EXPECT_EQ(repositories().FindBlob("test/x", blob, Asker::kReader).value()->size_bytes(), 7u);
  EXPECT_FALSE(pusher_->HasBlob("test/y", blob));
  EXPECT_FALSE(pusher_->HasBlob("test", blob));
  const auto after = store_.AfterKill();
  Pusher pusher(**after, clock_);
  EXPECT_TRUE(pusher.HasBlob("test/x", blob));
  EXPECT_EQ(pusher.Read(blob), "content");
}

TEST_F(RepositoriesTest, AMountLinksWhatTheOtherRepositoryHas) {
  const Digest blob = pusher_->PushBlob("test/x", "content");
  EXPECT_EQ(repositories().MountBlob("test/y", "test/z", blob).value(), false);
  EXPECT_EQ(repositories().MountBlob("test/x", "test/z", blob).value(), true);
  EXPECT_TRUE(pusher_->HasBlob("test/z", blob));
}

TEST_F(RepositoriesTest, ABlobThatIsUnlinkedIsGoneFromThatRepositoryOnly) {
  const Digest blob = pusher_->PushBlob("test/x", "content");
  ASSERT_TRUE(repositories().MountBlob("test/x", "test/y", blob).ok());
  ASSERT_TRUE(repositories().UnlinkBlob("test/x", blob).ok());
  EXPECT_FALSE(pusher_->HasBlob("test/x", blob));
  EXPECT_TRUE(pusher_->HasBlob("test/y", blob));
  EXPECT_EQ(repositories().UnlinkBlob("test/x", blob).error().code(), Code::kNotFound);
}

TEST_F(RepositoriesTest, AManifestKeepsItsBytesItsRecordAndItsTags) {
  const Digest blob = pusher_->PushBlob("test/x", "config");
  clock_.Advance(std::chrono::seconds(5));
  const Digest manifest = pusher_->PushManifest("test/x", "{ \"exact\" : 1 }", {blob}, {"1", "latest"});
  EXPECT_EQ(pusher_->Read(manifest), "{ \"exact\" : 1 }");
  const auto record = repositories().FindManifest("test/x", manifest).value();
  ASSERT_TRUE(record);
  EXPECT_EQ(record->media_type(), "application/vnd.oci.image.manifest.v1+json");
  EXPECT_EQ(record->size_bytes(), 15u);
  EXPECT_EQ(record->pushed_unix_nanoseconds(), clock_.Now().time_since_epoch().count());
  EXPECT_EQ(repositories().FindTag("test/x", "latest").value(), manifest);
  EXPECT_FALSE(repositories().FindTag("test/x", "late").value());
  EXPECT_FALSE(repositories().FindManifest("test/y", manifest).value());
}

TEST_F(RepositoriesTest, AManifestWhoseBlobIsNotLinkedIsRefusedByNameAndChangesNothing) {
  const Digest blob = pusher_->PushBlob("test/y", "elsewhere");
  const Status put = pusher_->TryPushManifest("test/x", "{}", {blob}, {"1"});
  ASSERT_EQ(put.error().code(), Code::kNotFound);
  EXPECT_THAT(put.error().message(), HasSubstr(blob.ToString()));
  EXPECT_FALSE(repositories().Exists("test/x").value());
  EXPECT_THAT(Tags("test/x"), IsEmpty());
}

TEST_F(RepositoriesTest, AReferenceThatNeedNotBeLinkedMayBeElsewhere) {
  Repositories::ManifestCommit index{DigestOfText("index"), AsBytes("index"), {}, {}, {}};
  index.record.add_references(std::string(KeyOf(DigestOfText("not here"))));
  EXPECT_TRUE(repositories().PutManifest("test/x", index).ok());
}

TEST_F(RepositoriesTest, ATagMovesAndItsManifestStays) {
  const Digest first = pusher_->PushManifest("test/x", "first", {}, {"1"});
  const Digest second = pusher_->PushManifest("test/x", "second", {}, {"1"});
  EXPECT_EQ(repositories().FindTag("test/x", "1").value(), second);
  EXPECT_TRUE(repositories().FindManifest("test/x", first).value());
  ASSERT_TRUE(repositories().DeleteTag("test/x", "1").ok());
  EXPECT_EQ(repositories().DeleteTag("test/x", "1").error().code(), Code::kNotFound);
  EXPECT_TRUE(repositories().FindManifest("test/x", second).value());
}

TEST_F(RepositoriesTest, AManifestThatIsDeletedTakesItsTagsAlong) {
  const Digest gone = pusher_->PushManifest("test/x", "gone", {}, {"1", "2"});
  pusher_->PushManifest("test/x", "kept", {}, {"3"});
  pusher_->PushManifest("test/y", "gone", {}, {"1"});
  ASSERT_TRUE(repositories().DeleteManifest("test/x", gone).ok());
  EXPECT_FALSE(repositories().FindManifest("test/x", gone).value());
  EXPECT_THAT(Tags("test/x"), ElementsAre("3"));
  EXPECT_THAT(Tags("test/y"), ElementsAre("1"));
  EXPECT_EQ(repositories().DeleteManifest("test/x", gone).error().code(), Code::kNotFound);
}

TEST_F(RepositoriesTest, TagsComeInOrderOfBytesAndInPages) {
  pusher_->PushManifest("test/x", "m", {}, {"b", "B", "a", "a.1", "_"});
  pusher_->PushManifest("test", "m", {}, {"other"});
  EXPECT_THAT(Tags("test/x"), ElementsAre("B", "_", "a", "a.1", "b"));
  EXPECT_THAT(Tags("test/x", "", 2), ElementsAre("B", "_"));
  EXPECT_THAT(Tags("test/x", "_", 2), ElementsAre("a", "a.1"));
  EXPECT_THAT(Tags("test/x", "a.0"), ElementsAre("a.1", "b"));
  EXPECT_THAT(Tags("test/x", "b"), IsEmpty());
  EXPECT_THAT(Tags("test/x", "", 0), IsEmpty());
}

TEST_F(RepositoriesTest, RepositoriesAreThoseThatHaveABlobOrManifest) {
  pusher_->PushManifest("a/b", "m", {});
  pusher_->PushBlob("a", "blob");
  pusher_->PushBlob("a-b", "blob");
  pusher_->PushManifest("a", "m", {});
  const Digest blob = pusher_->PushBlob("c", "blob");
  ASSERT_TRUE(repositories().UnlinkBlob("c", blob).ok());
  EXPECT_THAT(repositories().ListRepositories("", 100).value(), ElementsAre("a", "a-b", "a/b"));
  EXPECT_THAT(repositories().ListRepositories("a", 1).value(), ElementsAre("a-b"));
  EXPECT_THAT(repositories().ListRepositories("a/b", 9).value(), IsEmpty());
  EXPECT_TRUE(repositories().Exists("a").value());
  EXPECT_FALSE(repositories().Exists("c").value());
}

TEST_F(RepositoriesTest, ReferrersAreListedInPagesUntilTheyAreDeletedWhetherTheSubjectIsThereOrNot) {
  const Digest subject = DigestOfText("subject, not here");
  std::vector<Digest> referrers = {pusher_->PushManifest("test/x", "one", {}, {}, subject),
                                   pusher_->PushManifest("test/x", "two", {}, {}, subject),
                                   pusher_->PushManifest("test/x", "three", {}, {}, subject)};
  pusher_->PushManifest("test/x", "of another", {}, {}, referrers[0]);
  pusher_->PushManifest("test/y", "one", {}, {}, subject);
  std::ranges::sort(referrers);
  EXPECT_EQ(Referrers(subject), referrers);
  EXPECT_THAT(Referrers(subject, {}, 1), ElementsAre(referrers[0]));
  EXPECT_THAT(Referrers(subject, referrers[0]), ElementsAre(referrers[1], referrers[2]));
  ASSERT_TRUE(repositories().DeleteManifest("test/x", referrers[1]).ok());
  EXPECT_THAT(Referrers(subject), ElementsAre(referrers[0], referrers[2]));
}

TEST_F(RepositoriesTest, AnUploadSurvivesARestartAndCanBeFinished) {
  ASSERT_TRUE((*store_->blob_files().CreateUpload("test/x", "id"))->WriteAt(0, AsBytes("hel")).ok());
  Reopen();
  {
    const auto upload = store_->blob_files().OpenUpload("test/x", "id").value();
    ASSERT_EQ(upload->Size().value(), 3u);
    ASSERT_TRUE(upload->WriteAt(3, AsBytes("lo")).ok() && upload->Sync().ok());
  }
  const Digest blob = DigestOfText("hello");
  ASSERT_TRUE(repositories().AddBlob("test/x", "id", blob, 5, "").ok());
  EXPECT_EQ(pusher_->Read(blob), "hello");
}

TEST_F(RepositoriesTest, WhatAKillLeftBetweenFileAndCommitIsGoneAfterAStart) {
  const Digest blob = DigestOfText("content");
  ASSERT_TRUE((*store_->blob_files().CreateUpload("test/x", "id"))->WriteAt(0, AsBytes("content")).ok());
  ASSERT_TRUE(store_->blob_files().Publish("test/x", "id", blob).ok());
  const auto after = store_.AfterKill();
  EXPECT_EQ((*after)->blob_files().Open(blob).error().code(), Code::kNotFound);
}

// A store whose index is made anew.
class RepositoriesRebuildTest : public RepositoriesTest {
 protected:
  RebuildOutcome Rebuild() {
    pusher_.reset();
    store_.Close();
    std::filesystem::remove_all(store_.paths().db());
    auto outcome = RebuildIndex(Fs::Real(), store_.paths());
    EXPECT_TRUE(outcome.ok()) << outcome.error().message();
    store_.Open();
    pusher_.emplace(*store_, clock_);
    return *std::move(outcome);
  }
};

TEST_F(RepositoriesRebuildTest, AllComesBackWhoseFileIsThere) {
  const Digest blob = pusher_->PushBlob("test/x", "config", "docker.io/library/x");
  const Digest subject = pusher_->PushManifest("test/x", "subject", {blob}, {"1"});
  pusher_->PushManifest("test/x", "referrer", {blob}, {"2"}, subject);
  const Digest deleted = pusher_->PushManifest("test/x", "deleted", {}, {"3"});
  ASSERT_TRUE(repositories().DeleteManifest("test/x", deleted).ok());
  const auto before = store_.Records();
  const RebuildOutcome outcome = Rebuild();
  EXPECT_THAT(outcome.damage, IsEmpty());
  EXPECT_EQ(outcome.originals, 4u);
  EXPECT_EQ(store_.Records(), before);
}

TEST_F(RepositoriesRebuildTest, AllComesBackFromACheckpointToo) {
  pusher_->PushManifest("test/x", "manifest", {pusher_->PushBlob("test/x", "config")}, {"1"}, DigestOfText("subject"));
  ASSERT_TRUE(store_->CheckpointJournal().ok());
  const auto before = store_.Records();
  Rebuild();
  EXPECT_EQ(store_.Records(), before);
}

TEST_F(RepositoriesRebuildTest, WhatLostItsFileIsLeftOutWithAllThatNeedsItAndNamed) {
  const Digest shorter = pusher_->PushBlob("test/x", "shorter");
  const Digest kept = pusher_->PushBlob("test/x", "kept");
  const Digest manifest = pusher_->PushManifest("test/x", "manifest", {kept}, {"1"}, DigestOfText("subject"));
  std::filesystem::resize_file(store_.paths().blobs() + "/" + shorter.hex(), 3);
  std::filesystem::remove(store_.paths().blobs() + "/" + manifest.hex());
  EXPECT_THAT(Rebuild().damage,
              UnorderedElementsAre("blob " + shorter.ToString() + ": its file is not as long as it was",
                                   "blob " + manifest.ToString() + ": its file is missing"));
  EXPECT_FALSE(pusher_->HasBlob("test/x", shorter));
  EXPECT_TRUE(pusher_->HasBlob("test/x", kept));
  EXPECT_FALSE(repositories().FindManifest("test/x", manifest).value());
  EXPECT_THAT(Tags("test/x"), IsEmpty());
  EXPECT_THAT(Referrers(DigestOfText("subject")), IsEmpty());
}

}  // namespace
}  // namespace varve
