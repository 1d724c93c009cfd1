// What is left of a tar when its files' contents are chunks.
//
// The problem. A layer is named by the SHA-256 of its tar (its diff ID), so giving the layer back means giving back
// each byte: not an equivalent tar but this one, with its writer's dialect, order, padding, number formats and whatever
// stands behind the end. Keeping the tar beside the chunks would store everything twice. Describing it field by field
// ("GNU, octal uid, sorted …") works until the first tar that some tool wrote another way.
//
// The choice. A recipe is the tar with each run of chunks replaced by their ordinals in the layer's chunk table, and
// everything else verbatim. It knows nothing of tar: TarReader reports every byte either as literal or as content, and
// a replay copies them back in order. A layer with one file of 100,000 bytes, two chunks of it:
//
//   literal  512  ("hello", mode, owner, …)
//   chunks   2 from 0
//   literal  1376 (352 of padding, two end blocks)
//   end      SHA-256 and size of the tar
//
// Runs, not single chunks, because a stream's chunks mostly get consecutive ordinals; the first is stored as a distance
// from where the last run ended, which is 0 then, and zstd makes next to nothing of it. Literals are headers, 512 bytes
// with few that differ from the last: they are left raw for the frame's codec too.
//
// Blocks. Layers with millions of entries have recipes of gigabytes, so a writer emits blocks of at most 480 KiB and
// forgets them. Each carries a checksum (XXH3, against accidents) and the SHA-256 of the block before it, so that a
// block that is missing, twice there, or from another recipe is found before anything of it is used. The SHA-256 of the
// tar, known at its end only, stands at the end.
//
// Rejected: containers/storage's tar-split, which does the same as JSON with base64, gzipped: literals grow by a third
// in front of the compressor, and a file is named by its path, which has to be resolved, instead of by its content.
//
// Byte by byte: docs/format/tar-recipe.md.

#include "cached/ingest/tar_recipe.h"

#include <fmt/core.h>

#include <algorithm>

#include "cached/content/sha256.h"

namespace varve {
namespace {

constexpr std::string_view kMagic = "VTR";
constexpr std::size_t kBlockHeadBytes = kMagic.size() + 1 + sizeof(Digest);
constexpr std::size_t kChecksumBytes = 8;

enum class Op : std::uint8_t { kLiteral = 1, kChunks = 2, kEnd = 3 };

constexpr std::size_t kVarintBytesMax = 10;
constexpr std::size_t kLiteralHeadBytesMax = 1 + kVarintBytesMax;
constexpr std::size_t kChunksBytesMax = 1 + 2 * kVarintBytesMax;
constexpr std::size_t kEndBytes = 1 + 8 + sizeof(Digest);

// Where the operations of a block must end, but for the end operation, for which there is always room.
constexpr std::size_t kOpsEnd = kTarRecipeBlockBytesMax - kChecksumBytes - kEndBytes;

class Replayer {
 public:
  Replayer(std::uint64_t max_tar_bytes, const TarReplay& replay) : max_tar_bytes_(max_tar_bytes), replay_(replay) {}

  Status Block(ByteSpan block) {
    VARVE_ASSIGN_OR_RETURN(ByteReader ops, OpenBlock(block));
    while (ops.remaining() > 0) {
      if (ended_) return Error(Code::kDataLoss, "something behind the end");
      VARVE_RETURN_IF_ERROR(Operation(ops));
    }
    previous_ = Sha256Of(block);
    return Ok();
  }

  Status Finish(const Digest& diff_id) {
    if (!ended_) return Error(Code::kDataLoss, "incomplete: the end is missing");
    const Digest digest = sha256_.Finish();
    if (tar_bytes_ != end_size_bytes_ || digest != end_digest_) {
      return Error(Code::kDataLoss,
                   fmt::format("gave a tar of {} bytes, {}, where {} bytes, {}, were written down", tar_bytes_,
                               digest.ToString(), end_size_bytes_, end_digest_.ToString()));
    }
    if (digest != diff_id) return Error(Code::kDataLoss, fmt::format("is the recipe of {}", digest.ToString()));
    return Ok();
  }

 private:
  // The operations of `block`, once everything around them is verified.
  Result<ByteReader> OpenBlock(ByteSpan block) {
    if (block.size() > kTarRecipeBlockBytesMax || block.size() < kBlockHeadBytes + kChecksumBytes) {
      return Error(Code::kDataLoss, fmt::format("a block of {} bytes", block.size()));
    }
    const ByteSpan body = block.first(block.size() - kChecksumBytes);
    if (LoadLittle<std::uint64_t>(block.data() + body.size()) != Xxh3Of(body)) {
      return Error(Code::kDataLoss, "the checksum of a block is wrong");
    }
    if (AsText(body.first(kMagic.size())) != kMagic) return Error(Code::kDataLoss, "a block is none of a tar recipe");
    if (const auto version = std::to_integer<std::uint8_t>(body[kMagic.size()]); version != kTarRecipeVersion) {
      return Error(Code::kUnimplemented, fmt::format("version {}, where {} is known", version, kTarRecipeVersion));
    }
    if (!std::ranges::equal(body.subspan(kMagic.size() + 1, sizeof(Digest)), previous_.span())) {
      return Error(Code::kDataLoss, "a block does not follow the one before it");
    }
    return ByteReader(body.subspan(kBlockHeadBytes));
  }

  Status Operation(ByteReader& ops) {
    VARVE_ASSIGN_OR_RETURN(const std::uint8_t op, ops.Fixed<std::uint8_t>());
    switch (static_cast<Op>(op)) {
      case Op::kLiteral: {
        VARVE_ASSIGN_OR_RETURN(const std::uint64_t size_bytes, ops.Varint());
        VARVE_ASSIGN_OR_RETURN(const ByteSpan literal, ops.Raw(size_bytes));
        return Give(literal);
      }
      case Op::kChunks:
        return Chunks(ops);
      case Op::kEnd: {
        VARVE_ASSIGN_OR_RETURN(end_size_bytes_, ops.Fixed<std::uint64_t>());
        VARVE_ASSIGN_OR_RETURN(const ByteSpan digest, ops.Raw(sizeof(Digest)));
        VARVE_ASSIGN_OR_RETURN(end_digest_, Digest::FromBytes(digest));
        ended_ = true;
        return Ok();
      }
    }
    return Error(Code::kDataLoss, fmt::format("unknown operation {}", op));
  }

  Status Chunks(ByteReader& ops) {
    VARVE_ASSIGN_OR_RETURN(const std::uint64_t distance, ops.Varint());
    VARVE_ASSIGN_OR_RETURN(const std::uint64_t count, ops.Varint());
    if (distance > UINT32_MAX || count > UINT32_MAX) return Error(Code::kDataLoss, "a chunk ordinal above 32 bits");
    next_ordinal_ += static_cast<std::uint32_t>(distance);
    for (std::uint64_t i = 0; i < count; ++i, ++next_ordinal_) {
      VARVE_ASSIGN_OR_RETURN(const ByteSpan chunk, replay_.chunk(next_ordinal_));
      if (chunk.empty()) return Error(Code::kDataLoss, fmt::format("chunk {} is empty", next_ordinal_));
      VARVE_RETURN_IF_ERROR(Give(chunk));
    }
    return Ok();
  }

  Status Give(ByteSpan piece) {
    if (piece.size() > max_tar_bytes_ - tar_bytes_) {
      return Error(Code::kResourceExhausted, fmt::format("gives more than the limit of {} bytes", max_tar_bytes_));
    }
    tar_bytes_ += piece.size();
    sha256_.Update(piece);
    return replay_.on_tar(piece);
  }

  const std::uint64_t max_tar_bytes_;
  const TarReplay& replay_;
  Digest previous_;
  Sha256 sha256_;
  std::uint64_t tar_bytes_ = 0;
  std::uint32_t next_ordinal_ = 0;
  bool ended_ = false;
  std::uint64_t end_size_bytes_ = 0;
  Digest end_digest_;
};

Status Replay(const Digest& diff_id, std::uint64_t max_tar_bytes, const TarReplay& replay) {
  Replayer replayer(max_tar_bytes, replay);
  while (true) {
    VARVE_ASSIGN_OR_RETURN(const std::optional<ByteSpan> block, replay.next_block());
    if (!block) return replayer.Finish(diff_id);
    VARVE_RETURN_IF_ERROR(replayer.Block(*block));
  }
}

}  // namespace

TarRecipeWriter::TarRecipeWriter(std::function<Status(ByteSpan block)> on_block) : on_block_(std::move(on_block)) {
  StartBlock();
}

Status TarRecipeWriter::Literal(ByteSpan bytes) {
  PutChunks();
  while (status_.ok() && !bytes.empty()) {
    const std::size_t room = kOpsEnd - std::min(kOpsEnd, block_.size() + kLiteralHeadBytesMax + literal_.size());
    if (room == 0) {
      PutLiteral();
      EmitBlock();
      continue;
    }
    const ByteSpan some = bytes.first(std::min(room, bytes.size()));
    literal_.insert(literal_.end(), some.begin(), some.end());
    bytes = bytes.subspan(some.size());
  }
  return status_;
}

Status TarRecipeWriter::Chunk(std::uint32_t ordinal) {
  PutLiteral();
  if (chunk_count_ > 0 && ordinal != first_ordinal_ + chunk_count_) PutChunks();
  if (chunk_count_++ == 0) first_ordinal_ = ordinal;
  return status_;
}

Status TarRecipeWriter::Finish(const Digest& diff_id, std::uint64_t tar_size_bytes) {
  PutLiteral();
  PutChunks();
  ByteWriter writer(block_);
  writer.Fixed(static_cast<std::uint8_t>(Op::kEnd));
  writer.Fixed(tar_size_bytes);
  writer.Raw(diff_id.span());
  EmitBlock();
  return status_;
}

void TarRecipeWriter::StartBlock() {
  block_.clear();
  ByteWriter writer(block_);
  writer.Raw(AsBytes(kMagic));
  writer.Fixed(kTarRecipeVersion);
  writer.Raw(previous_.span());
}

void TarRecipeWriter::EmitBlock() {
  ByteWriter(block_).Fixed(Xxh3Of(block_));
  if (status_.ok()) status_ = on_block_(block_);
  previous_ = Sha256Of(block_);
  StartBlock();
}

void TarRecipeWriter::PutLiteral() {
  if (literal_.empty()) return;
  ByteWriter writer(block_);
  writer.Fixed(static_cast<std::uint8_t>(Op::kLiteral));
  writer.Varint(literal_.size());
  writer.Raw(literal_);
  literal_.clear();
}

void TarRecipeWriter::PutChunks() {
  if (chunk_count_ == 0) return;
  if (block_.size() + kChunksBytesMax > kOpsEnd) EmitBlock();
  ByteWriter writer(block_);
  writer.Fixed(static_cast<std::uint8_t>(Op::kChunks));
  writer.Varint(first_ordinal_ - next_ordinal_);
  writer.Varint(chunk_count_);
  next_ordinal_ = first_ordinal_ + chunk_count_;
  chunk_count_ = 0;
}

Status ReplayTarRecipe(const Digest& diff_id, std::uint64_t max_tar_bytes, const TarReplay& replay) {
  return Replay(diff_id, max_tar_bytes, replay).In(fmt::format("tar recipe of {}", diff_id.ToString()));
}

}  // namespace varve
