#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/store/pushed_store.h"

// What version 1 wrote of a repository (docs/format/registry-records.md): a line a record, its column's number and its
// key and value in hexadecimal. Never edited.
namespace varve {
namespace {

using ::testing::ElementsAre;

constexpr Column kColumnsOfRepositories[] = {Column::kOriginal, Column::kRepositoryBlob, Column::kRepositoryManifest,
                                             Column::kReferrer, Column::kTag};
const Digest kBlob = DigestOfText("config");
const Digest kManifest = DigestOfText("manifest");
const Digest kSubject = DigestOfText("subject");

std::string Golden() {
  std::ifstream file(std::string(VARVE_GOLDEN_DIR) + "/registry-records-v1");
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string Dump(Store& store) {
  std::string lines;
  for (const Column column : kColumnsOfRepositories) {
    const Status scanned = store.database().Scan(column, [&](std::string_view key, std::string_view value) {
      lines += std::to_string(static_cast<int>(column)) + " " + ToHex(AsBytes(key));
      if (!value.empty()) lines += " " + ToHex(AsBytes(value));
      lines += "\n";
      return Ok();
    });
    EXPECT_TRUE(scanned.ok());
  }
  return lines;
}

TEST(GoldenTest, TheSamePushGivesTheSameRecords) {
  TinyStore store;
  ManualClock clock;
  Pusher pusher(*store, clock);
  pusher.PushBlob("a/b", "config", "docker.io/library/b");
  Repositories::ManifestCommit manifest{kManifest, AsBytes("manifest"), {}, {kBlob}, {"1"}};
  manifest.record.set_media_type("application/vnd.oci.image.manifest.v1+json");
  manifest.record.set_artifact_type("application/x");
  manifest.record.set_subject(std::string(KeyOf(kSubject)));
  auto& annotation = *manifest.record.add_annotations();
  annotation.set_name("n");
  annotation.set_value("v");
  manifest.record.add_references(std::string(KeyOf(kBlob)));
  ASSERT_TRUE(pusher.repositories().PutManifest("a/b", manifest).ok());
  EXPECT_EQ(Dump(*store), Golden());
}

TEST(GoldenTest, RecordsOfVersion1AreRead) {
  TinyStore store;
  ManualClock clock;
  JournaledChanges changes;
  std::istringstream lines(Golden());
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    int column = 0;
    std::string key;
    std::string value;
    fields >> column >> key >> value;
    changes.Put(static_cast<Column>(column), AsText(FromHex(key).value()), std::string(AsText(FromHex(value).value())));
  }
  ASSERT_TRUE(store->CommitChanges(std::move(changes)).ok());
  Repositories repositories(*store, clock);
  EXPECT_EQ(repositories.FindTag("a/b", "1").value(), kManifest);
  EXPECT_EQ(repositories.FindBlob("a/b", kBlob, Repositories::Asker::kReader).value()->size_bytes(), 6u);
  const auto referrers = repositories.ListReferrers("a/b", kSubject, {}, 9).value();
  ASSERT_EQ(referrers.size(), 1u);
  const auto& [digest, record] = referrers.front();
  EXPECT_EQ(digest, kManifest);
  EXPECT_EQ(record.artifact_type(), "application/x");
  EXPECT_EQ(record.annotations(0).name() + "=" + record.annotations(0).value(), "n=v");
  EXPECT_THAT(record.references(), ElementsAre(KeyOf(kBlob)));
  const auto link = GetRecord<store::RepositoryBlob>(store->database(), Column::kRepositoryBlob,
                                                     "a/b" + std::string(1, '\0') + std::string(KeyOf(kBlob)));
  EXPECT_EQ(link.value()->source(), "docker.io/library/b");
  EXPECT_TRUE(link.value()->referenced());
}

}  // namespace
}  // namespace varve
