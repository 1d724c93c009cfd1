#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "cached/content/sha256.h"
#include "cached/store/repositories.h"
#include "tests/store/store_fixture.h"

namespace varve {

inline Digest DigestOfText(const std::string& text) { return Sha256Of(AsBytes(text)); }

// What a client of a registry does, without one.
class Pusher {
 public:
  Pusher(Store& store, Clock& clock) : store_(store), repositories_(store, clock) {}

  Repositories& repositories() { return repositories_; }

  // The blob of these bytes, by way of an upload.
  Status TryPushBlob(const std::string& repository, const std::string& content, const std::string& source = "") {
    const std::string id = "upload-" + std::to_string(++uploads_);
    {
      VARVE_ASSIGN_OR_RETURN(const auto upload, store_.blob_files().CreateUpload(repository, id));
      VARVE_RETURN_IF_ERROR(upload->WriteAt(0, AsBytes(content)));
      VARVE_RETURN_IF_ERROR(upload->Sync());
    }
    return repositories_.AddBlob(repository, id, DigestOfText(content), content.size(), source);
  }
  Digest PushBlob(const std::string& repository, const std::string& content, const std::string& source = "") {
    const Status pushed = TryPushBlob(repository, content, source);
    EXPECT_TRUE(pushed.ok()) << pushed.error().message();
    return DigestOfText(content);
  }

  // A manifest of these bytes that names `blobs`.
  Status TryPushManifest(const std::string& repository, const std::string& content, const std::vector<Digest>& blobs,
                         const std::vector<std::string>& tags = {}, const std::optional<Digest>& subject = {}) {
    Repositories::ManifestCommit manifest{DigestOfText(content), AsBytes(content), {}, blobs, tags};
    manifest.record.set_media_type("application/vnd.oci.image.manifest.v1+json");
    for (const Digest& blob : blobs) manifest.record.add_references(std::string(KeyOf(blob)));
    if (subject) manifest.record.set_subject(std::string(KeyOf(*subject)));
    return repositories_.PutManifest(repository, manifest);
  }
  Digest PushManifest(const std::string& repository, const std::string& content, const std::vector<Digest>& blobs,
                      const std::vector<std::string>& tags = {}, const std::optional<Digest>& subject = {}) {
    const Status pushed = TryPushManifest(repository, content, blobs, tags, subject);
    EXPECT_TRUE(pushed.ok()) << pushed.error().message();
    return DigestOfText(content);
  }

  bool HasBlob(const std::string& repository, const Digest& blob,
               Repositories::Asker asker = Repositories::Asker::kReader) {
    const auto found = repositories_.FindBlob(repository, blob, asker);
    EXPECT_TRUE(found.ok()) << found.error().message();
    return found.ok() && found->has_value();
  }
  // Its bytes; the error's name if it has none.
  std::string Read(const Digest& blob) {
    const auto file = store_.blob_files().Open(blob);
    if (!file.ok()) return std::string(CodeName(file.error().code()));
    std::string content((*file)->Size().value(), '\0');
    EXPECT_TRUE((*file)->ReadAt(0, std::as_writable_bytes(std::span(content))).ok());
    return content;
  }

 private:
  Store& store_;
  Repositories repositories_;
  static inline std::atomic<int> uploads_ = 0;  // no two uploads have one id
};

}  // namespace varve
