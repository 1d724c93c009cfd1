#include "cached/store/index_files.h"

#include <fmt/core.h>

#include <algorithm>

#include "cached/base/log.h"
#include "cached/pack/pack_reader.h"
#include "cached/store/store.h"

namespace varve {

Status SetWord(const Database& database, LocatorTable& table, std::uint32_t ordinal, const Digest& chunk) {
  return SetWord(table, ordinal, [&]() -> Result<Locator> {
    VARVE_ASSIGN_OR_RETURN(const auto placement, GetRecord<store::Placement>(database, Column::kChunk, KeyOf(chunk)));
    return placement ? ToLocator(LocationOf(*placement)) : Locator{};
  });
}

IndexFiles::IndexFiles(Fs& fs, const RootPaths& paths, const Database& database)
    : fs_(fs), paths_(paths), database_(database) {}

Result<std::unique_ptr<IndexDraft>> IndexDraft::Create(Fs& fs, std::string path) {
  VARVE_ASSIGN_OR_RETURN(auto file, fs.Open(path, OpenMode::kCreateTruncate));
  return std::unique_ptr<IndexDraft>(new IndexDraft(fs, std::move(path), std::move(file)));
}

IndexDraft::~IndexDraft() {
  if (!published_) fs_.Remove(path_).IgnoreError("the next opening sweeps what is left of a draft");
}

Status IndexDraft::Publish(const std::string& path) {
  VARVE_RETURN_IF_ERROR(fs_.Rename(path_, path));
  published_ = true;
  return Ok();
}

Result<std::unique_ptr<IndexDraft>> IndexFiles::StartDraft() {
  return IndexDraft::Create(fs_, fmt::format("{}/{}.new", paths_.index(), ++drafts_));
}

Status IndexFiles::WriteFile(const std::string& path, ByteSpan bytes) {
  VARVE_ASSIGN_OR_RETURN(const auto draft, StartDraft());
  VARVE_RETURN_IF_ERROR(draft->file().WriteAt(0, bytes));
  return draft->Publish(path);
}

Status IndexFiles::PublishLayer(const Digest& diff_id, IndexDraft& draft, std::span<const std::uint64_t> locators) {
  VARVE_ASSIGN_OR_RETURN(const MappedFile made, draft.Map());
  const auto there = MapLayer(diff_id);
  if (there.ok() && std::ranges::equal(there->file.bytes(), made.bytes())) {
    const std::string path = paths_.locators(diff_id.hex());
    auto table = LocatorTable::Open(fs_, path, diff_id, locators.size(), LocatorTable::Access::kReadWrite);
    if (table.ok()) {
      for (std::uint32_t i = 0; i < locators.size(); ++i) table->Set(i, Locator::Unpack(locators[i]));
      return Ok();
    }
  }
  VARVE_RETURN_IF_ERROR(draft.Publish(paths_.layer_index(diff_id.hex())));
  return WriteFile(paths_.locators(diff_id.hex()), LocatorTable::Encode(diff_id, locators));
}

Status IndexFiles::PublishImage(const ChainId& chain_id, IndexDraft& draft) {
  return draft.Publish(paths_.image_index(chain_id.hex()));
}

Result<MappedLayer> IndexFiles::MapLayer(const Digest& diff_id) const {
  VARVE_ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(fs_, paths_.layer_index(diff_id.hex())));
  VARVE_ASSIGN_OR_RETURN(LayerIndex index, LayerIndex::Open(file.bytes(), diff_id, IndexCheck::kChecksum));
  return MappedLayer{std::move(file), index};
}

Result<MappedImage> IndexFiles::MapImage(const ChainId& chain_id) const {
  VARVE_ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(fs_, paths_.image_index(chain_id.hex())));
  VARVE_ASSIGN_OR_RETURN(ImageIndex index, ImageIndex::Open(file.bytes(), chain_id, IndexCheck::kChecksum));
  return MappedImage{std::move(file), index};
}

Result<MappedLayer> IndexFiles::OpenLayer(const Digest& diff_id) {
  auto mapped = MapLayer(diff_id);
  if (mapped.ok()) return mapped;
  VARVE_ASSIGN_OR_RETURN(const Bytes bytes, ReadPartsOf<store::Layer>(Column::kLayer, diff_id, "layer index",
                                                                      std::mem_fn(&store::Layer::index)));
  LogWarning("{}; writing it anew from the packs", mapped.error().message());
  VARVE_RETURN_IF_ERROR(WriteFile(paths_.layer_index(diff_id.hex()), bytes));
  return MapLayer(diff_id);
}

Result<MappedImage> IndexFiles::OpenImage(const ChainId& chain_id) {
  auto mapped = MapImage(chain_id);
  if (mapped.ok()) return mapped;
  VARVE_ASSIGN_OR_RETURN(const Bytes bytes, ReadPartsOf<store::Image>(Column::kImage, chain_id.digest, "image index",
                                                                      std::mem_fn(&store::Image::index)));
  LogWarning("{}; writing it anew from the packs", mapped.error().message());
  VARVE_RETURN_IF_ERROR(WriteFile(paths_.image_index(chain_id.hex()), bytes));
  return MapImage(chain_id);
}

Result<LocatorTable> IndexFiles::OpenLocators(const MappedLayer& layer, LocatorTable::Access access) {
  const Digest diff_id = layer.index.diff_id();
  const std::string path = paths_.locators(diff_id.hex());
  auto table = LocatorTable::Open(fs_, path, diff_id, layer.index.chunks().size(), access);
  if (table.ok()) return table;
  // After an unclean stop none is there.
  if (table.error().code() != Code::kNotFound) LogWarning("{}; writing it anew", table.error().message());
  VARVE_RETURN_IF_ERROR(WriteLocators(layer));
  // A collection may have moved what was looked up, and have put another table right.
  VARVE_ASSIGN_OR_RETURN(const auto durable, DurablePacks(database_));
  VARVE_RETURN_IF_ERROR(MendLocators(diff_id, durable));
  return LocatorTable::Open(fs_, path, diff_id, layer.index.chunks().size(), access);
}

Status IndexFiles::WriteLocators(const MappedLayer& layer) {
  constexpr std::size_t kBatch = 1024;
  std::vector<std::uint64_t> words;
  const auto chunks = layer.index.chunks();
  for (std::size_t first = 0; first < chunks.size(); first += kBatch) {
    std::vector<std::string_view> keys;
    for (const fb::Chunk& chunk : chunks.subspan(first, std::min(kBatch, chunks.size() - first))) {
      keys.emplace_back(reinterpret_cast<const char*>(chunk.sha256().bytes()->Data()), 32);
    }
    VARVE_ASSIGN_OR_RETURN(const auto found, database_.MultiGet(Column::kChunk, keys));
    for (const auto& value : found) {
      store::Placement placement;
      const bool here = value && placement.ParseFromString(*value);
      words.push_back(here ? ToLocator(LocationOf(placement)).Pack() : 0);
    }
  }
  const Digest diff_id = layer.index.diff_id();
  return WriteFile(paths_.locators(diff_id.hex()), LocatorTable::Encode(diff_id, words));
}

Status IndexFiles::Sweep(Tables tables, Moment moment, const std::function<bool(const Digest&)>& wanted) {
  VARVE_ASSIGN_OR_RETURN(const auto names, fs_.List(paths_.index()));
  for (const std::string& name : names) {
    if (name.ends_with(".new") && moment == Moment::kServing) continue;
    const auto dot = name.find('.');
    const std::string suffix = dot == std::string::npos ? "" : name.substr(dot);
    const auto digest = Digest::FromHexText(name.substr(0, dot));
    if (digest.ok() && moment == Moment::kServing && wanted(*digest)) continue;
    bool known = false;
    if (digest.ok() && (suffix == ".layer" || (suffix == ".locators" && tables == Tables::kKeep))) {
      VARVE_ASSIGN_OR_RETURN(const auto record, database_.Get(Column::kLayer, KeyOf(*digest)));
      known = record.has_value();
    } else if (digest.ok() && suffix == ".image") {
      VARVE_ASSIGN_OR_RETURN(const auto record, database_.Get(Column::kImage, KeyOf(*digest)));
      known = record.has_value();
    }
    if (!known) VARVE_RETURN_IF_ERROR(fs_.Remove(paths_.index() + "/" + name));
  }
  return Ok();
}

Status IndexFiles::MendLocators(const std::map<PackId, std::uint64_t>& durable) {
  return database_.Scan(Column::kLayer, [&](std::string_view key, std::string_view) -> Status {
    VARVE_ASSIGN_OR_RETURN(const Digest diff_id, Digest::FromBytes(AsBytes(key)));
    return MendLocators(diff_id, durable);
  });
}

Status IndexFiles::MendLocators(const Digest& diff_id, const std::map<PackId, std::uint64_t>& durable) {
  const auto layer = MapLayer(diff_id);
  if (!layer.ok()) return Ok();  // made anew when it is opened, and verify looks at it
  const auto chunks = layer->index.chunks();
  auto table =
      LocatorTable::Open(fs_, paths_.locators(diff_id.hex()), diff_id, chunks.size(), LocatorTable::Access::kReadWrite);
  if (!table.ok()) return Ok();  // as above
  for (std::uint32_t ordinal = 0; ordinal < table->size(); ++ordinal) {
    const Locator word = table->Get(ordinal);
    const auto pack = durable.find(PackId{word.pack});
    const std::uint64_t end = std::uint64_t{word.offset_bytes} + word.length_bytes;
    if (word.pack == 0 || (pack != durable.end() && end <= pack->second)) continue;
    VARVE_RETURN_IF_ERROR(SetWord(database_, *table, ordinal, DigestOf(chunks[ordinal].sha256())));
  }
  return Ok();
}

Result<Bytes> IndexFiles::ReadPart(const store::Parts& parts, int number) const {
  const store::Placement& placement = parts.parts(number);
  VARVE_ASSIGN_OR_RETURN(const PackReader pack, PackReader::Open(fs_, paths_.packs(), PackId{placement.pack()}));
  VARVE_ASSIGN_OR_RETURN(const PackReader::Frame frame,
                         pack.ReadFrame(placement.offset_bytes(), placement.frame_bytes()));
  const std::string where = fmt::format("pack {:06} at {}", placement.pack(), placement.offset_bytes());
  VARVE_ASSIGN_OR_RETURN(Bytes payload, VerifyFrame(frame.header, frame.bytes).In(where));
  ByteSpan rest = payload;
  VARVE_ASSIGN_OR_RETURN(const RecordHeader header, DecodeRecordHeader(rest).In(where));
  if (header.part != static_cast<std::uint32_t>(number))
    return Error(Code::kDataLoss, where + ": another part of the record belongs here");
  return Bytes(rest.begin(), rest.end());
}

Result<Bytes> IndexFiles::ReadParts(const store::Parts& parts) const {
  Bytes bytes;
  bytes.reserve(parts.total_bytes());
  for (int number = 0; number < parts.parts_size(); ++number) {
    VARVE_ASSIGN_OR_RETURN(const Bytes part, ReadPart(parts, number));
    bytes.insert(bytes.end(), part.begin(), part.end());
  }
  if (bytes.size() != parts.total_bytes()) return Error(Code::kDataLoss, "a record is not as long as it should be");
  return bytes;
}

}  // namespace varve
