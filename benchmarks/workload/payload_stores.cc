// Should chunk payloads be RocksDB values? Writes the chunks of a tree into packs with placements in RocksDB, as varve
// does, and into BlobDB, RocksDB's own store for large values, and reads them back in the order of the tree.
//   varve_payload_stores SCRATCH DIR...      run as root (drops the page cache), alone on the machine
// Both get the same compressed chunks in the same batches of kBatchBytes, each batch durable before the next. Written
// bytes are this process's own (/proc/self/io), disk bytes what the files take. Everything read is compared.

#include <fmt/core.h>
#include <rocksdb/db.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <unordered_set>
#include <vector>

#include "cached/content/chunker.h"
#include "cached/content/codec.h"
#include "cached/content/sha256.h"
#include "cached/pack/pack_reader.h"
#include "cached/pack/pack_writer.h"
#include "cached/store/database.h"
#include "cached/store/placement.h"

namespace varve {
namespace {

constexpr std::size_t kBatchBytes = 4 << 20;
constexpr std::uint64_t kFileBytesMax = 4ULL << 30;
constexpr int kZstdLevel = 3;

struct StoredChunk {
  Digest sha256;
  Codec codec;
  std::uint32_t raw_length;
  Bytes stored;
};
using Batch = std::span<const StoredChunk>;

std::uint64_t BytesWritten() {
  std::ifstream io("/proc/self/io");
  for (std::string key, value; io >> key >> value;) {
    if (key == "write_bytes:") return std::stoull(value);
  }
  return 0;
}

std::uint64_t BytesOnDisk(const std::string& directory) {
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    struct stat info{};
    if (::lstat(entry.path().c_str(), &info) == 0) bytes += static_cast<std::uint64_t>(info.st_blocks) * 512;
  }
  return bytes;
}

// One way to keep chunks. Aborts on an error: this is a measurement.
class PayloadStore {
 public:
  virtual ~PayloadStore() = default;
  virtual void Write(Batch batch) = 0;  // durable when it returns
  virtual Bytes Read(const StoredChunk& chunk) = 0;
  virtual void Finish() {}  // what a quiet moment would do
};

class Packs : public PayloadStore {
 public:
  explicit Packs(const std::string& directory)
      : directory_(directory),
        database_(std::move(*Database::Open(directory + "/db"))),
        writer_(*PackWriter::Create(Fs::Real(), directory, PackId{1})) {}

  void Write(Batch batch) override {
    Database::Batch placements;
    for (const StoredChunk& chunk : batch) {
      if (writer_.Full(chunk.raw_length)) {
        VARVE_CHECK(writer_.Sync().ok());
        writer_ = *PackWriter::Create(Fs::Real(), directory_, PackId{writer_.id().number + 1});
      }
      const PackLocation at =
          *writer_.Append(FrameKind::kChunk, chunk.codec, chunk.stored, chunk.raw_length, chunk.sha256);
      placements.Put(Column::kChunk, KeyOf(chunk.sha256), ToPlacement(at, chunk.raw_length, false).SerializeAsString());
    }
    VARVE_CHECK(writer_.Sync().ok() && database_->Write(placements).ok());
  }
  Bytes Read(const StoredChunk& chunk) override {
    const auto record = *database_->Get(Column::kChunk, KeyOf(chunk.sha256));
    store::Placement placement;
    VARVE_CHECK(record.has_value() && placement.ParseFromString(*record));
    const PackLocation at = LocationOf(placement);
    if (!reader_ || reader_->id() != at.pack) reader_ = *PackReader::Open(Fs::Real(), directory_, at.pack);
    const PackReader::Frame frame = *reader_->ReadFrame(at.offset_bytes, at.length_bytes);
    return *DecodePayload(frame.header, frame.bytes);
  }

 private:
  const std::string directory_;
  const std::unique_ptr<Database> database_;
  PackWriter writer_;
  std::optional<PackReader> reader_;
};

class BlobDb : public PayloadStore {
 public:
  explicit BlobDb(const std::string& directory) {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.allow_fallocate = false;
    options.enable_blob_files = true;
    options.compression = options.blob_compression_type = rocksdb::kNoCompression;  // the chunks are compressed
    rocksdb::DB* database = nullptr;
    VARVE_CHECK(rocksdb::DB::Open(options, directory, &database).ok());
    database_.reset(database);
  }

  void Write(Batch batch) override {
    rocksdb::WriteBatch changes;
    for (const StoredChunk& chunk : batch) {
      VARVE_CHECK(changes.Put(Slice(chunk.sha256.span()), Slice(chunk.stored)).ok());
    }
    rocksdb::WriteOptions synced;
    synced.sync = true;
    VARVE_CHECK(database_->Write(synced, &changes).ok());
  }
  Bytes Read(const StoredChunk& chunk) override {
    rocksdb::PinnableSlice stored;
    VARVE_CHECK(database_->Get({}, database_->DefaultColumnFamily(), Slice(chunk.sha256.span()), &stored).ok());
    Bytes raw(chunk.raw_length);
    VARVE_CHECK(Decompress(chunk.codec, AsBytes({stored.data(), stored.size()}), raw).ok());
    return raw;
  }
  void Finish() override { VARVE_CHECK(database_->Flush({}).ok()); }

 private:
  static rocksdb::Slice Slice(ByteSpan bytes) { return {AsText(bytes).data(), bytes.size()}; }
  std::unique_ptr<rocksdb::DB> database_;
};

// Each distinct chunk of the trees once, in the order of their paths.
std::vector<StoredChunk> ChunksOf(std::span<char*> directories) {
  std::vector<std::string> files;
  for (const char* directory : directories) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
      if (entry.is_regular_file() && !entry.is_symlink()) files.push_back(entry.path());
    }
  }
  std::ranges::sort(files);
  const Chunker chunker = *Chunker::Create({});
  Compressor compressor(kZstdLevel);
  std::unordered_set<Digest> seen;
  std::vector<StoredChunk> chunks;
  for (const std::string& file : files) {
    const Bytes content = *ReadWholeFile(Fs::Real(), file, kFileBytesMax);
    for (ByteSpan rest = content; !rest.empty();) {
      const ByteSpan raw = rest.first(chunker.Cut(rest));
      rest = rest.subspan(raw.size());
      StoredChunk chunk{.sha256 = Sha256Of(raw),
                        .codec = Codec::kRaw,
                        .raw_length = static_cast<std::uint32_t>(raw.size()),
                        .stored = {}};
      if (!seen.insert(chunk.sha256).second) continue;
      chunk.codec = compressor.Compress(raw, chunk.stored);
      if (chunk.codec == Codec::kRaw) chunk.stored.assign(raw.begin(), raw.end());
      chunks.push_back(std::move(chunk));
    }
  }
  return chunks;
}

double SecondsOf(const std::function<void()>& action) {
  const auto start = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void DropCaches() {
  ::sync();
  std::ofstream("/proc/sys/vm/drop_caches") << "3";
}

void Measure(const char* name, const std::string& directory, std::span<const StoredChunk> chunks,
             const std::function<std::unique_ptr<PayloadStore>()>& open) {
  VARVE_CHECK(Fs::Real().MakeDirectories(directory).ok());
  const std::uint64_t before = BytesWritten();
  const std::unique_ptr<PayloadStore> store = open();
  const double writing = SecondsOf([&] {
    for (std::size_t begin = 0, end = 0; begin < chunks.size(); begin = end) {
      std::size_t bytes = 0;
      while (end < chunks.size() && bytes < kBatchBytes) bytes += chunks[end++].stored.size();
      store->Write(chunks.subspan(begin, end - begin));
    }
    store->Finish();
  });
  const std::uint64_t written = BytesWritten() - before;
  const auto read_all = [&] {
    for (const StoredChunk& chunk : chunks) VARVE_CHECK(store->Read(chunk).size() == chunk.raw_length);
  };
  DropCaches();
  const double cold = SecondsOf(read_all);
  const double warm = SecondsOf(read_all);
  for (const StoredChunk& chunk : chunks) VARVE_CHECK(Sha256Of(store->Read(chunk)) == chunk.sha256);
  const auto mb = [](std::uint64_t bytes) { return static_cast<double>(bytes) / 1e6; };
  fmt::print("{:8} {:>10.2f} {:>10.1f} {:>10.1f} {:>10.2f} {:>10.2f}\n", name, writing, mb(written),
             mb(BytesOnDisk(directory)), cold, warm);
}

void Run(const std::string& scratch, std::span<char*> directories) {
  const std::vector<StoredChunk> chunks = ChunksOf(directories);
  std::uint64_t stored = 0;
  for (const StoredChunk& chunk : chunks) stored += chunk.stored.size();
  fmt::print("{} chunks, {:.1f} MB compressed\n{:8} {:>10} {:>10} {:>10} {:>10} {:>10}\n", chunks.size(),
             static_cast<double>(stored) / 1e6, "", "write s", "written MB", "disk MB", "cold s", "warm s");
  Measure("packs", scratch + "/packs", chunks, [&] { return std::make_unique<Packs>(scratch + "/packs"); });
  Measure("BlobDB", scratch + "/blobdb", chunks, [&] { return std::make_unique<BlobDb>(scratch + "/blobdb"); });
}

}  // namespace
}  // namespace varve

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: varve_payload_stores SCRATCH DIR...\n");
    return 2;
  }
  varve::Run(argv[1], std::span(argv, static_cast<std::size_t>(argc)).subspan(2));
  return 0;
}
