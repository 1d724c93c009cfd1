#include "cached/distribution/document_cache.h"

#include <gtest/gtest.h>

#include "cached/content/sha256.h"

namespace varve {
namespace {

std::shared_ptr<const Bytes> Document(std::size_t size) { return std::make_shared<const Bytes>(size); }
Digest Name(int number) { return Sha256Of(AsBytes(std::to_string(number))); }

TEST(DocumentCacheTest, WhatWasUsedLeastRecentlyMakesRoom) {
  DocumentCache cache;
  constexpr std::size_t kSize = DocumentCache::kDocumentBytesMax;
  constexpr int kFit = DocumentCache::kBytesMax / kSize;
  for (int i = 0; i < kFit; ++i) cache.Add(Name(i), Document(kSize));
  EXPECT_NE(cache.Find(Name(0)), nullptr);  // so that 1 is the oldest
  cache.Add(Name(kFit), Document(kSize));
  EXPECT_NE(cache.Find(Name(0)), nullptr);
  EXPECT_EQ(cache.Find(Name(1)), nullptr);
  EXPECT_NE(cache.Find(Name(kFit)), nullptr);
}

TEST(DocumentCacheTest, ALargeDocumentTakesNoRoom) {
  DocumentCache cache;
  cache.Add(Name(1), Document(DocumentCache::kDocumentBytesMax + 1));
  EXPECT_EQ(cache.Find(Name(1)), nullptr);
}

TEST(DocumentCacheTest, ADocumentThatIsHereIsNotCountedTwice) {
  DocumentCache cache;
  cache.Add(Name(0), Document(10));
  for (std::size_t bytes = 0; bytes < 2 * DocumentCache::kBytesMax; bytes += 100'000)
    cache.Add(Name(1), Document(100'000));
  EXPECT_NE(cache.Find(Name(0)), nullptr);
}

}  // namespace
}  // namespace varve
