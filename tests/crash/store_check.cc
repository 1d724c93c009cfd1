#include "tests/crash/store_check.h"

#include <fmt/core.h>

#include <map>

#include "cached/content/sha256.h"
#include "cached/ingest/tar_recipe.h"
#include "cached/pack/pack_reader.h"
#include "cached/store/verify.h"

namespace varve {
namespace {

Error Wrong(std::string message) { return {Code::kDataLoss, std::move(message)}; }

Status SameBytes(const Result<Bytes>& read, ByteSpan expected) {
  if (!read.ok()) return read.error();
  if (!std::ranges::equal(*read, expected)) return Wrong("other bytes than were stored");
  return Ok();
}

// Whole by its recipe, which needs each of its chunks.
Status CheckLayer(Store& store, const SyntheticImages& images, const Digest& diff_id) {
  VARVE_ASSIGN_OR_RETURN(const auto record, store.FindLayer(diff_id));
  if (!record) return Wrong("has no record");
  VARVE_ASSIGN_OR_RETURN(const MappedLayer layer, store.index_files().OpenLayer(diff_id));
  VARVE_RETURN_IF_ERROR(SameBytes(store.ReadParts(record->index()), layer.file.bytes()));
  std::vector<Bytes> blocks;
  for (const store::Placement& part : record->recipe().parts()) {
    VARVE_ASSIGN_OR_RETURN(const PackReader pack,
                           PackReader::Open(store.fs(), store.paths().packs(), PackId{part.pack()}));
    VARVE_ASSIGN_OR_RETURN(const PackReader::Frame frame, pack.ReadFrame(part.offset_bytes(), part.frame_bytes()));
    VARVE_ASSIGN_OR_RETURN(Bytes block, VerifyFrame(frame.header, frame.bytes));
    block.erase(block.begin(), block.begin() + RecordHeader::kBytes);
    blocks.push_back(std::move(block));
  }
  std::size_t next = 0;
  Bytes chunk;
  Bytes tar;
  VARVE_RETURN_IF_ERROR(ReplayTarRecipe(diff_id, record->tar_bytes(),
                                        {.next_block = [&]() -> Result<std::optional<ByteSpan>> {
                                           if (next == blocks.size()) return std::optional<ByteSpan>();
                                           return std::optional<ByteSpan>(blocks[next++]);
                                         },
                                         .chunk = [&](std::uint32_t ordinal) -> Result<ByteSpan> {
                                           const Digest digest = DigestOf(layer.index.chunks()[ordinal].sha256());
                                           VARVE_ASSIGN_OR_RETURN(chunk, store.ReadChunk(digest));
                                           return ByteSpan(chunk);
                                         },
                                         .on_tar =
                                             [&](ByteSpan piece) {
                                               tar.insert(tar.end(), piece.begin(), piece.end());
                                               return Ok();
                                             }}));
  return SameBytes(tar, images.TarOf(diff_id));
}

class StoreCheck {
 public:
  StoreCheck(Store& store, const SyntheticImages& images) : store_(store), images_(images) {}

  std::vector<std::string> Run() {
    Note("", CheckRecords());
    Note("", CheckFiles());
    const auto damage = VerifyStore(store_, [](const VerifyProgress&) { return Ok(); });
    if (!damage.ok()) Note("verify", damage.error());
    for (const Damage& one : damage.ok() ? *damage : std::vector<Damage>()) found_.push_back(one.ToString());
    return std::move(found_);
  }

 private:
  void Note(const std::string& what, const Status& status) {
    if (!status.ok()) found_.push_back(what + ": " + status.error().message());
  }

  Status CheckRecords() {
    const auto each = [&](Column column, const std::string& noun, const auto& check) {
      return store_.database().Scan(column, [&](std::string_view key, std::string_view value) {
        const std::string name = column == Column::kRef ? std::string(key) : ToHex(AsBytes(key));
        Note(noun + " " + name, check(key, value));
        return Ok();
      });
    };
    VARVE_RETURN_IF_ERROR(each(Column::kRef, "name", [&](std::string_view, std::string_view value) -> Status {
      store::Ref ref;
      if (!ref.ParseFromArray(value.data(), static_cast<int>(value.size()))) return Wrong("does not parse");
      VARVE_ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(AsBytes(ref.manifest_digest())));
      VARVE_ASSIGN_OR_RETURN(const auto manifest, store_.FindManifest(digest));
      return manifest ? Ok() : Wrong("names an image that is gone");
    }));
    VARVE_RETURN_IF_ERROR(each(Column::kManifest, "manifest", [&](std::string_view key, std::string_view) {
      return CheckManifest(Digest::FromBytes(AsBytes(key)).value());
    }));
    VARVE_RETURN_IF_ERROR(each(Column::kImage, "chain", [&](std::string_view key, std::string_view) -> Status {
      const ChainId chain_id{Digest::FromBytes(AsBytes(key)).value()};
      VARVE_ASSIGN_OR_RETURN(const MappedImage mapped, store_.index_files().OpenImage(chain_id));
      VARVE_ASSIGN_OR_RETURN(const auto record, store_.FindImage(chain_id));
      VARVE_RETURN_IF_ERROR(SameBytes(store_.ReadParts(record->index()), mapped.file.bytes()));
      return LayersAreThere(record->diff_ids());
    }));
    return each(Column::kLayer, "layer", [&](std::string_view key, std::string_view) {
      return CheckLayer(store_, images_, Digest::FromBytes(AsBytes(key)).value());
    });
  }

  Status LayersAreThere(const auto& diff_ids) {
    for (const std::string& diff_id : diff_ids) {
      VARVE_ASSIGN_OR_RETURN(const auto layer, store_.FindLayer(Digest::FromBytes(AsBytes(diff_id)).value()));
      if (!layer) return Wrong("a layer is not there");
    }
    return Ok();
  }

  Status CheckManifest(const Digest& digest) {
    VARVE_ASSIGN_OR_RETURN(const auto record, store_.FindManifest(digest));
    std::size_t image = 0;
    while (images_[image].manifest_digest != digest) ++image;
    VARVE_RETURN_IF_ERROR(SameBytes(store_.ReadParts(record->manifest()), images_[image].manifest_bytes));
    VARVE_RETURN_IF_ERROR(SameBytes(store_.ReadParts(record->config()), images_[image].config_bytes));
    VARVE_ASSIGN_OR_RETURN(const auto chain,
                           store_.FindImage(ChainId{Digest::FromBytes(AsBytes(record->chain_id())).value()}));
    if (!chain) return Wrong("its image index is not there");
    return LayersAreThere(record->diff_ids());
  }

  Status CheckFiles() {
    std::map<std::string, std::uint64_t> packs;
    VARVE_ASSIGN_OR_RETURN(const auto durable, DurablePacks(store_.database()));
    for (const auto& [pack, bytes] : durable) packs.emplace(pack.FileName(), bytes);
    VARVE_ASSIGN_OR_RETURN(const auto names, store_.fs().List(store_.paths().packs()));
    for (const std::string& name : names) {
      VARVE_ASSIGN_OR_RETURN(const std::uint64_t size, store_.fs().FileSize(store_.paths().packs() + "/" + name));
      const auto known = packs.find(name);
      if (known == packs.end() || known->second != size)
        found_.push_back(fmt::format("{} has {} bytes, and the index knows {}", name, size,
                                     known == packs.end() ? 0 : known->second));
      if (known != packs.end()) packs.erase(known);
    }
    for (const auto& [name, bytes] : packs) found_.push_back(name + " is missing");
    VARVE_ASSIGN_OR_RETURN(const auto files, store_.fs().List(store_.paths().index()));
    for (const std::string& name : files) {
      const auto dot = name.find('.');
      const auto digest = Digest::FromHexText(name.substr(0, dot));
      const Column column = name.ends_with(".image") ? Column::kImage : Column::kLayer;
      const auto record = digest.ok() ? store_.database().Get(column, KeyOf(*digest)) : digest.error();
      if (name.ends_with(".new") || !record.ok() || !*record) found_.push_back(name + ": no record knows this file");
    }
    return Ok();
  }

  Store& store_;
  const SyntheticImages& images_;
  std::vector<std::string> found_;
};

}  // namespace

std::vector<std::string> CheckStore(Store& store, const SyntheticImages& images) {
  return StoreCheck(store, images).Run();
}

Status ReadImage(Store& store, const SyntheticImages& images, std::size_t image) {
  for (const Digest& diff_id : images[image].config.diff_ids) {
    VARVE_ASSIGN_OR_RETURN(const MappedLayer layer, store.index_files().OpenLayer(diff_id));
    for (const fb::Chunk& chunk : layer.index.chunks())
      VARVE_RETURN_IF_ERROR(store.ReadChunk(DigestOf(chunk.sha256())));
  }
  return Ok();
}

}  // namespace varve
