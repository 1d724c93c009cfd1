#include "tests/store/store_fixture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <random>

#include "cached/base/clock.h"
#include "cached/content/sha256.h"
#include "cached/pack/group.h"
#include "tests/ingest/tar_support.h"

namespace varve {
namespace {

bool FrameHolds(const PackReader& pack, const Locator& locator, const Digest& chunk) {
  const auto frame = pack.ReadFrame(locator.offset_bytes, locator.length_bytes);
  if (!frame.ok()) return false;
  const auto payload = VerifyFrame(frame->header, frame->bytes);
  if (!payload.ok() || frame->header.kind == FrameKind::kChunk) return payload.ok() && frame->header.sha256 == chunk;
  const auto group = GroupView::Open(*payload);
  return group.ok() && group->Find(chunk);
}

}  // namespace

TinyStore::TinyStore(Fs& fs) : fs_(fs) {
  std::filesystem::create_directories(paths().root);
  Open();
}

void TinyStore::Open() {
  auto opened = Store::Open(fs_, paths(), {});
  if (!opened.ok()) FAIL() << opened.error().message();
  store_ = std::move(opened).value();
}

std::unique_ptr<TinyStore> TinyStore::AfterKill() const {
  std::unique_ptr<TinyStore> copy(new TinyStore(Unopened()));
  std::filesystem::copy(paths().root, copy->paths().root, std::filesystem::copy_options::recursive);
  copy->Open();
  return copy;
}

Result<Store::LayerCommit> TinyStore::TryIngest(const Files& files, ChunkWriter& writer) {
  const std::string content = TarOf(files);
  const ByteSpan tar = AsBytes(content);
  MemorySource source(tar);
  VARVE_ASSIGN_OR_RETURN(Store::LayerCommit layer, IngestLayer(*store_, writer, source, Sha256Of(tar), {}, {}));
  layer.blob = layer.diff_id;  // not compressed
  layer.blob_bytes = tar.size();
  layer.media_type = "application/vnd.oci.image.layer.v1.tar";
  return layer;
}

Store::LayerCommit TinyStore::Ingest(const Files& files, ChunkWriter& writer) {
  auto layer = TryIngest(files, writer);
  EXPECT_TRUE(layer.ok()) << layer.error().message();
  return std::move(layer).value();
}

Result<Digest> TinyStore::TryAddLayer(const Files& files) {
  const auto writer = store_->OpenWriter();
  VARVE_ASSIGN_OR_RETURN(const Store::LayerCommit layer, TryIngest(files, *writer));
  VARVE_RETURN_IF_ERROR(store_->CommitLayer(*writer, layer));
  return layer.diff_id;
}

Digest TinyStore::AddLayer(const Files& files) {
  const auto layer = TryAddLayer(files);
  EXPECT_TRUE(layer.ok()) << layer.error().message();
  return layer.value();
}

Digest TinyStore::AddImage(const std::string& name, const std::vector<Digest>& diff_ids, std::string config) {
  const std::string manifest = "manifest of " + name;
  if (config.empty()) config = "config of " + name;
  const auto writer = store_->OpenWriter();
  const Digest digest = Sha256Of(AsBytes(manifest));
  const Status committed = store_->CommitImage(*writer,
                                               {.manifest_digest = digest,
                                                .manifest = AsBytes(manifest),
                                                .config_digest = Sha256Of(AsBytes(config)),
                                                .config = AsBytes(config),
                                                .diff_ids = diff_ids,
                                                .chain_id = ChainIdOf(diff_ids),
                                                .name = name,
                                                .now = ManualClock().Now()},
                                               Ok);
  EXPECT_TRUE(committed.ok()) << committed.error().message();
  return digest;
}

std::vector<Digest> TinyStore::ChunksOf(const Digest& diff_id) {
  const auto layer = store_->index_files().OpenLayer(diff_id);
  EXPECT_TRUE(layer.ok()) << layer.error().message();
  std::vector<Digest> chunks;
  for (const fb::Chunk& chunk : layer->index.chunks()) chunks.push_back(DigestOf(chunk.sha256()));
  return chunks;
}

void TinyStore::ExpectReadsWhole(const Digest& diff_id) {
  const auto layer = store_->index_files().OpenLayer(diff_id);
  ASSERT_TRUE(layer.ok()) << layer.error().message();
  const auto locators = store_->index_files().OpenLocators(*layer, LocatorTable::Access::kReadOnly);
  ASSERT_TRUE(locators.ok()) << locators.error().message();
  const std::vector<Digest> chunks = ChunksOf(diff_id);
  ASSERT_FALSE(chunks.empty());
  for (std::uint32_t ordinal = 0; ordinal < chunks.size(); ++ordinal) {
    const auto content = store_->ReadChunk(chunks[ordinal]);
    EXPECT_TRUE(content.ok()) << content.error().message();
    const Locator locator = locators->Get(ordinal);
    const auto pack = PackReader::Open(fs_, paths().packs(), PackId{locator.pack});
    ASSERT_TRUE(pack.ok()) << pack.error().message();
    EXPECT_TRUE(FrameHolds(*pack, locator, chunks[ordinal])) << "locator word " << ordinal;
  }
}

store::Placement TinyStore::PlacementOf(const Digest& chunk) {
  return GetRecord<store::Placement>(store_->database(), Column::kChunk, KeyOf(chunk)).value().value();
}

std::map<std::pair<Column, std::string>, std::string> TinyStore::Records() {
  std::map<std::pair<Column, std::string>, std::string> records;
  for (const Column column :
       {Column::kChunk, Column::kBlob, Column::kLayer, Column::kImage, Column::kManifest, Column::kRef, Column::kSlot,
        Column::kOriginal, Column::kRepositoryBlob, Column::kRepositoryManifest, Column::kReferrer, Column::kTag}) {
    const Status scanned = store_->database().Scan(column, [&](std::string_view key, std::string_view value) {
      records.emplace(std::pair(column, key), value);
      return Ok();
    });
    EXPECT_TRUE(scanned.ok());
  }
  return records;
}

std::uint64_t TinyStore::PackBytes() const {
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(paths().packs())) bytes += entry.file_size();
  return bytes;
}

std::string TarOf(const TinyStore::Files& files) {
  std::vector<Bytes> pieces;
  for (const auto& [name, content] : files) {
    pieces.push_back(HeaderBlock(name).Size(content.size()).bytes());
    pieces.push_back(Padded(content));
  }
  pieces.push_back(EndBlocks());
  return std::string(AsText(Join(pieces)));
}

std::string Noise(unsigned seed, std::size_t size) {
  std::mt19937 random(seed);
  std::string noise(size, '\0');
  std::ranges::generate(noise, [&] { return static_cast<char>(random()); });
  return noise;
}

}  // namespace varve
