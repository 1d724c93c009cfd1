// The cases of the OCI distribution-spec's conformance suite (its version of 2026 and v1.1), one by one.

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/v2/api_client.h"

namespace varve::v2 {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class ConformanceTest : public testing::Test {
 protected:
  std::string Blob(std::string_view content) { return "/v2/team/app/blobs/" + DigestText(content); }
  void ExpectBlob(std::string_view content) {
    const Answer answer = api_.Get(Blob(content));
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, content);
    EXPECT_EQ(answer["docker-content-digest"], DigestText(content));
  }
  // Pushes the blobs of an image, and returns its manifest.
  std::string Prepare(const std::string& config, const std::vector<std::string>& layers, std::string_view more = "") {
    api_.PushBlob("team/app", config);
    for (const std::string& layer : layers) api_.PushBlob("team/app", layer);
    return ManifestOf(config, layers, more);
  }
  void ExpectManifest(const std::string& reference, const std::string& content, const std::string& type) {
    for (const char* const method : {"GET", "HEAD"}) {
      const Answer answer = api_.Send(method, "/v2/team/app/manifests/" + reference);
      EXPECT_EQ(answer.status, 200) << reference;
      EXPECT_EQ(answer["content-type"], type);
      EXPECT_EQ(answer["docker-content-digest"], DigestText(content));
      EXPECT_EQ(answer.body, std::string_view(method) == "GET" ? content : "");
    }
  }
  // Stores it under its digest and under `tag`, and reads it back.
  void ExpectStored(const std::string& tag, const std::string& type, const std::string& content) {
    for (const std::string& reference : {DigestText(content), tag}) {
      const Answer put = api_.PutManifest("team/app", reference, type, content);
      EXPECT_EQ(put.status, 201) << put.body;
      EXPECT_EQ(put["docker-content-digest"], DigestText(content));
      ExpectManifest(reference, content, type);
    }
  }

  ApiClient api_;
};

TEST_F(ConformanceTest, TheBaseAnswers) {
  EXPECT_EQ(api_.Get("/v2/").status, 200);
  EXPECT_EQ(api_.Get("/v2/")["docker-distribution-api-version"], "registry/2.0");
}

// Blobs ------------------------------------------------------------------------------------------------------------

TEST_F(ConformanceTest, ABlobComesWithThePostAlone) {
  const Answer answer = api_.Send("POST", "/v2/team/app/blobs/uploads/?digest=" + DigestText("content"), "content");
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer["location"], Blob("content"));
  ExpectBlob("content");
}

TEST_F(ConformanceTest, ABlobComesByPostAndPut) {
  api_.PushBlob("team/app", "content");
  ExpectBlob("content");
  const Answer head = api_.Send("HEAD", Blob("content"));
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head["docker-content-digest"], DigestText("content"));
}

TEST_F(ConformanceTest, AnEmptyBlobIsOneToo) {
  api_.PushBlob("team/app", "");
  ExpectBlob("");
}

TEST_F(ConformanceTest, ABlobComesInOneChunk) {
  const std::string upload = api_.StartUpload("team/app");
  const Answer patched = api_.Send("PATCH", upload, "content", {{"Content-Range", "0-6"}});
  EXPECT_EQ(patched.status, 202);
  EXPECT_EQ(patched["range"], "0-6");
  EXPECT_EQ(api_.Send("PUT", patched["location"] + "?digest=" + DigestText("content")).status, 201);
  ExpectBlob("content");
}

TEST_F(ConformanceTest, ABlobComesInSeveralChunksAndSaysBetweenThemHowFarItCame) {
  const std::string upload = api_.StartUpload("team/app");
  EXPECT_EQ(api_.Send("PATCH", upload, "con", {{"Content-Range", "0-2"}})["range"], "0-2");
  const Answer status = api_.Get(upload);
  EXPECT_EQ(status.status, 204);
  EXPECT_EQ(status["range"], "0-2");
  EXPECT_EQ(api_.Send("PATCH", upload, "tent", {{"Content-Range", "3-6"}})["range"], "0-6");
  EXPECT_EQ(api_.Send("PUT", upload + "?digest=" + DigestText("content")).status, 201);
  ExpectBlob("content");
}

TEST_F(ConformanceTest, TheLastChunkMayComeWithThePut) {
  const std::string upload = api_.StartUpload("team/app");
  EXPECT_EQ(api_.Send("PATCH", upload, "con", {{"Content-Range", "0-2"}}).status, 202);
  EXPECT_EQ(api_.Send("PUT", upload + "?digest=" + DigestText("content"), "tent", {{"Content-Range", "3-6"}}).status,
            201);
  ExpectBlob("content");
}

TEST_F(ConformanceTest, ChunksOutOfOrderAreRefusedAndTheUploadGoesOn) {
  const std::string upload = api_.StartUpload("team/app");
  EXPECT_EQ(api_.Send("PATCH", upload, "tent", {{"Content-Range", "3-6"}}).status, 416);
  EXPECT_EQ(api_.Send("PATCH", upload, "con", {{"Content-Range", "0-2"}}).status, 202);
  const Answer again = api_.Send("PATCH", upload, "con", {{"Content-Range", "0-2"}});
  EXPECT_EQ(again.status, 416);
  EXPECT_EQ(again.error(), "BLOB_UPLOAD_INVALID");
  EXPECT_EQ(again["range"], "0-2");
  EXPECT_EQ(api_.Send("PATCH", upload, "tent", {{"Content-Range", "3-6"}}).status, 202);
  EXPECT_EQ(api_.Send("PUT", upload + "?digest=" + DigestText("content")).status, 201);
  ExpectBlob("content");
}

TEST_F(ConformanceTest, ABlobComesAsAStreamOfUnknownLength) {
  const std::string content(1'000'000, 'x');
  const std::string upload = api_.StartUpload("team/app");
  EXPECT_EQ(api_.Send("PATCH", upload, content)["range"], "0-999999");
  EXPECT_EQ(api_.Send("PUT", upload + "?digest=" + DigestText(content)).status, 201);
  ExpectBlob(content);
}

TEST_F(ConformanceTest, ABlobIsMountedFromAnotherRepository) {
  api_.PushBlob("other/app", "content");
  EXPECT_EQ(api_.Get(Blob("content")).status, 404);
  const Answer mounted = api_.Send("POST", "/v2/team/app/blobs/uploads/?from=other/app&mount=" + DigestText("content"));
  EXPECT_EQ(mounted.status, 201);
  EXPECT_EQ(mounted["location"], Blob("content"));
  ExpectBlob("content");
}

TEST_F(ConformanceTest, AMountThatCannotBeIsAnUpload) {
  for (const std::string query : {"?from=other/app&mount=", "?mount="}) {
    const Answer answer = api_.Send("POST", "/v2/team/app/blobs/uploads/" + query + DigestText("content"));
    EXPECT_EQ(answer.status, 202);
    EXPECT_THAT(answer["location"], StartsWith("/v2/team/app/blobs/uploads/"));
  }
}

TEST_F(ConformanceTest, ACancelledUploadIsGone) {
  const std::string upload = api_.StartUpload("team/app");
  EXPECT_EQ(api_.Send("PATCH", upload, "con").status, 202);
  EXPECT_EQ(api_.Send("DELETE", upload).status, 204);
  const Answer after = api_.Send("PATCH", upload, "tent");
  EXPECT_EQ(after.status, 404);
  EXPECT_EQ(after.error(), "BLOB_UPLOAD_UNKNOWN");
}

TEST_F(ConformanceTest, ABlobWithAnotherDigestIsRefused) {
  const std::string wrong = DigestText("something else");
  const Answer put = api_.Send("PUT", api_.StartUpload("team/app") + "?digest=" + wrong, "content");
  EXPECT_EQ(put.status, 400);
  EXPECT_EQ(put.error(), "DIGEST_INVALID");
  const Answer post = api_.Send("POST", "/v2/team/app/blobs/uploads/?digest=" + wrong, "content");
  EXPECT_EQ(post.error(), "DIGEST_INVALID");
  EXPECT_EQ(api_.Get(Blob("something else")).status, 404);
  EXPECT_EQ(api_.Get(Blob("content")).status, 404);
}

TEST_F(ConformanceTest, APutWithoutADigestIsRefused) {
  EXPECT_EQ(api_.Send("PUT", api_.StartUpload("team/app"), "content").error(), "DIGEST_INVALID");
}

TEST_F(ConformanceTest, OtherAlgorithmsThanSha256AreRefusedByName) {
  const std::string sha512 = "sha512:" + std::string(128, '0');
  EXPECT_EQ(api_.Get("/v2/team/app/blobs/" + sha512).error(), "DIGEST_INVALID");
  EXPECT_EQ(api_.Send("PUT", api_.StartUpload("team/app") + "?digest=" + sha512, "content").error(), "DIGEST_INVALID");
}

TEST_F(ConformanceTest, PartsOfABlobAreServed) {
  api_.PushBlob("team/app", "0123456789");
  const auto range = [&](const char* wanted) { return api_.Get(Blob("0123456789"), {{"Range", wanted}}); };
  EXPECT_EQ(range("bytes=2-4").status, 206);
  EXPECT_EQ(range("bytes=2-4").body, "234");
  EXPECT_EQ(range("bytes=2-4")["content-range"], "bytes 2-4/10");
  EXPECT_EQ(range("bytes=8-").body, "89");
  EXPECT_EQ(range("bytes=-3").body, "789");
  EXPECT_EQ(range("bytes=10-").status, 416);
  EXPECT_EQ(range("bytes=10-")["content-range"], "bytes */10");
}

TEST_F(ConformanceTest, ABlobThatIsNotThereIsUnknown) {
  EXPECT_EQ(api_.Get(Blob("nothing")).error(), "BLOB_UNKNOWN");
  EXPECT_EQ(api_.Send("HEAD", Blob("nothing")).status, 404);
  EXPECT_EQ(api_.Get("/v2/team/app/blobs/sha256:short").error(), "DIGEST_INVALID");
}

TEST_F(ConformanceTest, ADeletedBlobIsGone) {
  api_.PushBlob("team/app", "content");
  EXPECT_EQ(api_.Send("DELETE", Blob("content")).status, 202);
  EXPECT_EQ(api_.Get(Blob("content")).status, 404);
  EXPECT_EQ(api_.Send("DELETE", Blob("content")).status, 404);
}

// Manifests --------------------------------------------------------------------------------------------------------

TEST_F(ConformanceTest, AnImageIsStoredByTagAndByDigest) {
  ExpectStored("1", kManifestType, Prepare("{}", {"layer one", "layer two"}));
}

TEST_F(ConformanceTest, AManifestIsKeptByteByByte) {
  std::string spaced = Prepare("{}", {"layer"});
  spaced.insert(1, "\n   \"future\" : [1.50, {\"a\":null}] ,\n ");
  ExpectStored("spaced", kManifestType, spaced);
}

TEST_F(ConformanceTest, AnImageWithoutLayersIsStored) { ExpectStored("bare", kManifestType, Prepare("{}", {})); }

TEST_F(ConformanceTest, ANonDistributableLayerNeedNotBeThere) {
  api_.PushBlob("team/app", "{}");
  ExpectStored("foreign", kManifestType,
               fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]}})", kManifestType,
                           DescriptorText("application/vnd.oci.image.config.v1+json", "{}"),
                           DescriptorText("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "absent")));
}

TEST_F(ConformanceTest, AnArtifactOfAnyMediaTypeIsStored) {
  api_.PushBlob("team/app", "{}");
  api_.PushBlob("team/app", "a chart");
  ExpectStored("chart", kManifestType,
               fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","artifactType":"application/x-chart","config":{},)"
                           R"("layers":[{}],"annotations":{{"a":"b"}}}})",
                           kManifestType, DescriptorText("application/vnd.oci.empty.v1+json", "{}"),
                           DescriptorText("application/x-chart.tar", "a chart")));
}

TEST_F(ConformanceTest, ADescriptorMayCarryItsData) {
  api_.PushBlob("team/app", "{}");
  ExpectStored(
      "data", kManifestType,
      fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"application/x","digest":"{}",)"
                  R"("size":2,"data":"e30="}},"layers":[]}})",
                  kManifestType, DigestText("{}")));
}

TEST_F(ConformanceTest, AnIndexAndOneInAnotherAreStored) {
  const std::string image = Prepare("{}", {"layer"});
  ExpectStored("image", kManifestType, image);
  const auto index = [](const std::string& type, const std::string& content) {
    return fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}})", kIndexType,
                       DescriptorText(type, content));
  };
  const std::string inner = index(kManifestType, image);
  ExpectStored("inner", kIndexType, inner);
  ExpectStored("outer", kIndexType, index(kIndexType, inner));
}

TEST_F(ConformanceTest, AnIndexMayNameBlobsAsBuildKitsCachesDo) {
  api_.PushBlob("team/app", "layer");
  api_.PushBlob("team/app", "cache config");
  ExpectStored("cache", kIndexType,
               fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","manifests":[{},{}]}})", kIndexType,
                           DescriptorText("application/vnd.oci.image.layer.v1.tar+gzip", "layer"),
                           DescriptorText("application/vnd.buildkit.cacheconfig.v0", "cache config")));
}

TEST_F(ConformanceTest, DockersSchema2IsStored) {
  api_.PushBlob("team/app", "{}");
  ExpectStored("docker", "application/vnd.docker.distribution.manifest.v2+json",
               fmt::format(R"({{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",)"
                           R"("config":{},"layers":[]}})",
                           DescriptorText("application/vnd.docker.container.image.v1+json", "{}")));
}

TEST_F(ConformanceTest, AManifestWithAnotherDigestIsRefused) {
  const Answer put = api_.PutManifest("team/app", DigestText("other"), kManifestType, Prepare("{}", {}));
  EXPECT_EQ(put.status, 400);
  EXPECT_EQ(put.error(), "DIGEST_INVALID");
}

TEST_F(ConformanceTest, AManifestWhoseLayerIsMissingIsRefusedAndSaysWhich) {
  api_.PushBlob("team/app", "{}");
  const Answer put = api_.PutManifest("team/app", "1", kManifestType, ManifestOf("{}", {"missing"}));
  EXPECT_EQ(put.status, 404);
  EXPECT_EQ(put.error(), "MANIFEST_BLOB_UNKNOWN");
  EXPECT_THAT(put.body, HasSubstr(DigestText("missing")));
  EXPECT_EQ(api_.Get("/v2/team/app/manifests/1").error(), "MANIFEST_UNKNOWN");
}

TEST_F(ConformanceTest, ABlobOfAnotherRepositoryDoesNotCount) {
  api_.PushBlob("other/app", "{}");
  EXPECT_EQ(api_.PutManifest("team/app", "1", kManifestType, ManifestOf("{}", {})).error(), "MANIFEST_BLOB_UNKNOWN");
}

TEST_F(ConformanceTest, WhatIsNoManifestIsRefused) {
  const auto code = [&](const std::string& type, const std::string& content) {
    const Answer put = api_.PutManifest("team/app", "1", type, content);
    EXPECT_EQ(put.status, 400);
    return put.error();
  };
  EXPECT_EQ(code(kManifestType, "not json"), "MANIFEST_INVALID");
  EXPECT_EQ(code(kManifestType, "[]"), "MANIFEST_INVALID");
  EXPECT_EQ(code(kManifestType, "{}"), "MANIFEST_INVALID");            // no config
  EXPECT_EQ(code(kIndexType, Prepare("{}", {})), "MANIFEST_INVALID");  // calls itself something else
  EXPECT_EQ(code("", "{}"), "MANIFEST_INVALID");
  EXPECT_EQ(code("application/\xff", "{}"), "MANIFEST_INVALID");  // no record could hold it
}

TEST_F(ConformanceTest, AManifestGetsSeveralTagsAtOnce) {
  const std::string manifest = Prepare("{}", {});
  const Answer put = api_.PutManifest("team/app", DigestText(manifest) + "?tag=one&tag=two", kManifestType, manifest);
  EXPECT_EQ(put.status, 201);
  ExpectManifest("one", manifest, kManifestType);
  ExpectManifest("two", manifest, kManifestType);
}

TEST_F(ConformanceTest, AManifestThatIsKnownIsNotSentAgain) {
  const std::string manifest = Prepare("{}", {});
  api_.PutManifest("team/app", "1", kManifestType, manifest);
  const Answer again = api_.Get("/v2/team/app/manifests/1", {{"If-None-Match", "\"" + DigestText(manifest) + "\""}});
  EXPECT_EQ(again.status, 304);
  EXPECT_EQ(again.body, "");
}

TEST_F(ConformanceTest, ADeletedTagLeavesTheManifestAndADeletedManifestTakesItsTags) {
  const std::string manifest = Prepare("{}", {});
  ExpectStored("one", kManifestType, manifest);
  ExpectStored("two", kManifestType, manifest);
  EXPECT_EQ(api_.Send("DELETE", "/v2/team/app/manifests/one").status, 202);
  EXPECT_EQ(api_.Get("/v2/team/app/manifests/one").status, 404);
  ExpectManifest(DigestText(manifest), manifest, kManifestType);
  EXPECT_EQ(api_.Send("DELETE", "/v2/team/app/manifests/" + DigestText(manifest)).status, 202);
  EXPECT_EQ(api_.Get("/v2/team/app/manifests/two").error(), "MANIFEST_UNKNOWN");
  EXPECT_EQ(api_.Get("/v2/team/app/tags/list").body, R"({"name":"team/app","tags":[]})");
}

// Discovery --------------------------------------------------------------------------------------------------------

TEST_F(ConformanceTest, TagsAreSortedAndComeInPages) {
  const std::string manifest = Prepare("{}", {});
  for (const char* const tag : {"b", "A", "a", "1", "latest"})
    api_.PutManifest("team/app", tag, kManifestType, manifest);
  EXPECT_EQ(api_.Get("/v2/team/app/tags/list").body, R"({"name":"team/app","tags":["1","A","a","b","latest"]})");
  const Answer page = api_.Get("/v2/team/app/tags/list?n=2");
  EXPECT_EQ(page.body, R"({"name":"team/app","tags":["1","A"]})");
  EXPECT_EQ(page["link"], R"(</v2/team/app/tags/list?n=2&last=A>; rel="next")");
  const Answer last = api_.Get("/v2/team/app/tags/list?n=2&last=b");
  EXPECT_EQ(last.body, R"({"name":"team/app","tags":["latest"]})");
  EXPECT_EQ(last["link"], "");
  EXPECT_EQ(api_.Get("/v2/team/app/tags/list?n=0").body, R"({"name":"team/app","tags":[]})");
  EXPECT_EQ(api_.Get("/v2/team/app/tags/list?n=many").status, 400);
  EXPECT_EQ(api_.Get("/v2/no/such/tags/list").error(), "NAME_UNKNOWN");
}

TEST_F(ConformanceTest, RepositoriesAreListed) {
  api_.PushBlob("b", "content");
  api_.PushBlob("a/c", "content");
  EXPECT_EQ(api_.Get("/v2/_catalog").body, R"({"repositories":["a/c","b"]})");
  EXPECT_EQ(api_.Get("/v2/_catalog?n=1")["link"], R"(</v2/_catalog?n=1&last=a/c>; rel="next")");
}

TEST_F(ConformanceTest, ReferrersAreFoundFilteredAndPaged) {
  const std::string subject = Prepare("{}", {"layer"});
  const auto about = [&](const std::string& type, const std::string& name) {
    return fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","artifactType":"{}","config":{},"layers":[],)"
                       R"("subject":{},"annotations":{{"name":"{}"}}}})",
                       kManifestType, type, DescriptorText("application/x-config", "{}"),
                       DescriptorText(kManifestType, subject), name);
  };
  const std::string address = "/v2/team/app/referrers/" + DigestText(subject);
  EXPECT_THAT(api_.Get(address).body, HasSubstr("\"manifests\":[]"));
  // The subject need not be there yet.
  const Answer put = api_.PutManifest("team/app", "sbom", kManifestType, about("application/sbom", "one"));
  EXPECT_EQ(put.status, 201);
  EXPECT_EQ(put["oci-subject"], DigestText(subject));
  api_.PutManifest("team/app", "signature", kManifestType, about("application/signature", "two"));

  const Answer all = api_.Get(address);
  EXPECT_EQ(all["content-type"], kIndexType);
  EXPECT_EQ(all["oci-filters-applied"], "");
  EXPECT_THAT(all.body, HasSubstr(R"("artifactType":"application/sbom","annotations":{"name":"one"})"));
  EXPECT_THAT(all.body, HasSubstr(R"("artifactType":"application/signature")"));
  const Answer some = api_.Get(address + "?artifactType=application%2Fsbom");
  EXPECT_EQ(some["oci-filters-applied"], "artifactType");
  EXPECT_THAT(some.body, Not(HasSubstr("signature")));
  const Answer page = api_.Get(address + "?n=1");
  EXPECT_THAT(page["link"], StartsWith("<" + address + "?n=1&last=sha256:"));
  EXPECT_EQ(api_.Get("/v2/team/app/referrers/sha256:nonsense").status, 400);

  api_.Send("DELETE", "/v2/team/app/manifests/" + DigestText(about("application/sbom", "one")));
  EXPECT_THAT(api_.Get(address).body, Not(HasSubstr("sbom")));
}

TEST_F(ConformanceTest, TheTypeOfAReferrerWithoutOneIsItsConfigs) {
  const std::string subject = Prepare("{}", {});
  const std::string referrer = ManifestOf("{}", {}, ",\"subject\":" + DescriptorText(kManifestType, subject));
  api_.PutManifest("team/app", "about", kManifestType, referrer);
  EXPECT_THAT(api_.Get("/v2/team/app/referrers/" + DigestText(subject)).body,
              HasSubstr(R"("artifactType":"application/vnd.oci.image.config.v1+json")"));
}

// Refusals ---------------------------------------------------------------------------------------------------------

TEST_F(ConformanceTest, NamesAndTagsOutOfGrammarAreRefused) {
  EXPECT_EQ(api_.Get("/v2/Team/app/tags/list").error(), "NAME_INVALID");
  EXPECT_EQ(api_.Send("POST", "/v2/a//b/blobs/uploads/").error(), "NAME_INVALID");
  EXPECT_EQ(api_.Get("/v2/team/app/manifests/-tag").error(), "MANIFEST_UNKNOWN");
  EXPECT_EQ(api_.Send("DELETE", "/v2/team/app/manifests/sha256:short").error(), "MANIFEST_UNKNOWN");
  EXPECT_EQ(api_.PutManifest("team/app", std::string(129, 'a'), kManifestType, Prepare("{}", {})).error(),
            "MANIFEST_INVALID");
}

TEST_F(ConformanceTest, OtherMethodsAreNotAllowed) {
  for (const std::string path : {"/v2/", "/v2/_catalog", "/v2/team/app/tags/list", "/v2/team/app/blobs/uploads/"}) {
    const Answer answer = api_.Send("PUT", path);
    EXPECT_EQ(answer.status, 405) << path;
    EXPECT_EQ(answer.error(), "UNSUPPORTED");
    EXPECT_NE(answer["allow"], "");
  }
}

TEST(DeletesTest, WhereDeletesAreOffNothingGoes) {
  ApiClient api({}, {.deletes = false});
  api.PushBlob("team/app", "content");
  EXPECT_EQ(api.Send("DELETE", "/v2/team/app/blobs/" + DigestText("content")).status, 405);
  EXPECT_EQ(api.Get("/v2/team/app/blobs/" + DigestText("content")).status, 200);
  const std::string upload = api.StartUpload("team/app");
  EXPECT_EQ(api.Send("DELETE", upload).status, 204);  // an upload is the client's own
}

TEST(LimitsTest, WhatIsTooLargeIsRefusedBeforeAndWhileItComes) {
  ApiClient api({}, {}, {.manifest_bytes_max = 100, .blob_bytes_max = 10});
  const std::string upload = api.StartUpload("team/app");
  EXPECT_EQ(api.Send("PATCH", upload, std::string(11, 'x')).status, 413);
  EXPECT_EQ(api.Send("PATCH", upload, "0123456789").status, 202);
  EXPECT_EQ(api.Send("PATCH", upload, "x").error(), "SIZE_INVALID");
  EXPECT_EQ(api.PutManifest("team/app", "1", kManifestType, std::string(101, ' ')).status, 413);
}

TEST(LimitsTest, AnUploadThatWasBegunUnderAHigherLimitIsRefused) {
  ApiClient api;
  const std::string upload = api.StartUpload("team/app");
  ASSERT_EQ(api.Send("PATCH", upload, "0123456789").status, 202);
  api.Restart({.blob_bytes_max = 5});
  EXPECT_EQ(api.Send("PATCH", upload, "x").status, 413);
  EXPECT_EQ(api.Send("PUT", upload + "?digest=" + DigestText("0123456789")).status, 413);
}

TEST(LimitsTest, AReferrersAnnotationsAreBounded) {
  ApiClient api;
  api.PushBlob("team/app", "{}");
  const std::string subject = ",\"subject\":" + DescriptorText(kManifestType, "any");
  const std::string annotations = ",\"annotations\":{\"a\":\"" + std::string(kReferrerAnnotationBytesMax, 'x') + "\"}";
  EXPECT_EQ(api.PutManifest("team/app", "1", kManifestType, ManifestOf("{}", {}, annotations + subject)).error(),
            "MANIFEST_INVALID");
  EXPECT_EQ(api.PutManifest("team/app", "1", kManifestType, ManifestOf("{}", {}, annotations)).status, 201);
}

TEST(RestartTest, AnUploadGoesOnWhereItWas) {
  ApiClient api;
  const std::string upload = api.StartUpload("team/app");
  EXPECT_EQ(api.Send("PATCH", upload, "con").status, 202);
  api.Restart();
  EXPECT_EQ(api.Get(upload)["range"], "0-2");
  EXPECT_EQ(api.Send("PUT", upload + "?digest=" + DigestText("content"), "tent").status, 201);
  EXPECT_EQ(api.Get("/v2/team/app/blobs/" + DigestText("content")).body, "content");
}

TEST(RestartTest, WhatWasAcknowledgedIsThere) {
  ApiClient api;
  api.PushBlob("team/app", "{}");
  api.PutManifest("team/app", "1", kManifestType, ManifestOf("{}", {}));
  api.Restart();
  EXPECT_EQ(api.Get("/v2/team/app/manifests/1").body, ManifestOf("{}", {}));
  EXPECT_EQ(api.Get("/v2/team/app/blobs/" + DigestText("{}")).body, "{}");
}

}  // namespace
}  // namespace varve::v2
