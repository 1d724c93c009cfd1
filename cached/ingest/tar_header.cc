// One header block, 512 bytes:
//
//   offset  size  field                      offset  size  field
//        0   100  name                          257     6  magic: "ustar\0" (POSIX), "ustar " (GNU), else v7
//      100     8  mode                          263     2  version
//      108     8  uid                           265    32  user name       ignored: numbers decide
//      116     8  gid                           297    32  group name      ignored
//      124    12  size                          329     8  device major    not in v7
//      136    12  mtime                         337     8  device minor    not in v7
//      148     8  checksum                      345   155  prefix          POSIX only: path = prefix "/" name
//      156     1  type                          386    97  GNU sparse map  old GNU only: 4 segments, "goes on", real
//      size 157   100  link target                   508     4  "tar\0"         star: then the prefix has only 131
//      bytes
//
// The dialects differ in what lies behind offset 257. GNU keeps times and a sparse map where POSIX has the prefix, so
// the magic must decide before a prefix is read: "ustar " followed by a prefix would move every file of a GNU
// incremental archive into a directory named by its ctime.
//
// Numbers are octal text, which ends at 8 GiB and uid 2,097,151. GNU and star put larger and negative ones in base 256:
// a set top bit, then a big-endian two's complement number of the other bits. POSIX puts them into a PAX header
// (pax.cc) instead.
//
// The checksum is the sum of all bytes with blanks in its own place. Some old tars summed signed chars; both sums are
// accepted.
//
// Where readers differ, this one does as Go's archive/tar does, because docker, podman and containerd read layers with
// that. Source: POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar 1.34 manual, appendix "Standard"; libarchive
// tar(5).

#include "cached/ingest/tar_header.h"

#include <algorithm>
#include <charconv>

namespace varve {
namespace {

struct Field {
  std::size_t offset;
  std::size_t size;

  ByteSpan Of(ByteSpan block) const { return block.subspan(offset, size); }
};

constexpr Field kName{0, 100};
constexpr Field kMode{100, 8};
constexpr Field kUid{108, 8};
constexpr Field kGid{116, 8};
constexpr Field kSize{124, 12};
constexpr Field kMtime{136, 12};
constexpr Field kChecksum{148, 8};
constexpr Field kType{156, 1};
constexpr Field kLinkTarget{157, 100};
constexpr Field kMagic{257, 6};
constexpr Field kDeviceMajor{329, 8};
constexpr Field kDeviceMinor{337, 8};
constexpr Field kPrefix{345, 155};
constexpr Field kStarPrefix{345, 131};
constexpr Field kStarMagic{508, 4};

constexpr std::string_view kPosixMagic("ustar\0", 6);
constexpr std::string_view kGnuMagic("ustar ", 6);
constexpr std::string_view kStarTrailer("tar\0", 4);

Status VerifyChecksum(ByteSpan block) {
  std::int64_t unsigned_sum = 0;
  std::int64_t signed_sum = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    const bool own = i >= kChecksum.offset && i < kChecksum.offset + kChecksum.size;
    const std::uint8_t byte = own ? ' ' : std::to_integer<std::uint8_t>(block[i]);
    unsigned_sum += byte;
    signed_sum += static_cast<std::int8_t>(byte);
  }
  const auto stored = ParseTarNumber(kChecksum.Of(block));
  if (!stored.ok() || (*stored != unsigned_sum && *stored != signed_sum)) {
    return Error(Code::kDataLoss, "the header checksum is wrong");
  }
  return Ok();
}

Result<std::int64_t> ParseBase256(ByteSpan field) {
  const bool negative = (field[0] & std::byte{0x40}) != std::byte{0};
  std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
  for (std::size_t i = 0; i < field.size(); ++i) {
    auto byte = std::to_integer<std::uint8_t>(field[i]);
    if (i == 0) byte = static_cast<std::uint8_t>(negative ? byte | 0x80 : byte & 0x7f);
    // Whatever is shifted out must be sign.
    if (value >> 55 != (negative ? 0x1ff : 0)) return Error(Code::kInvalidArgument, "a number needs more than 64 bits");
    value = value << 8 | byte;
  }
  return static_cast<std::int64_t>(value);
}

std::string PathOf(ByteSpan block) {
  std::string name = TarText(kName.Of(block));
  if (AsText(kMagic.Of(block)) != kPosixMagic) return name;
  const bool star = AsText(kStarMagic.Of(block)) == kStarTrailer;
  const std::string prefix = TarText((star ? kStarPrefix : kPrefix).Of(block));
  return prefix.empty() ? name : prefix + "/" + name;
}

}  // namespace

Result<std::int64_t> ParseTarNumber(ByteSpan field) {
  if (!field.empty() && (field[0] & std::byte{0x80}) != std::byte{0}) return ParseBase256(field);
  constexpr std::string_view kBlank(" \0", 2);
  std::string_view text = AsText(field);
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return std::int64_t{0};
  text = text.substr(begin, text.find_last_not_of(kBlank) + 1 - begin);
  text = text.substr(0, text.find('\0'));
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 8);
  // 21 octal digits, more than any field holds, fit into 63 bits.
  if (error != std::errc() || end != text.data() + text.size() || value > INT64_MAX) {
    return Error(Code::kInvalidArgument, "a numeric field is no octal number");
  }
  return static_cast<std::int64_t>(value);
}

Result<TarHeader> ParseTarHeader(ByteSpan block) {
  VARVE_CHECK(block.size() == kTarBlockBytes);
  VARVE_RETURN_IF_ERROR(VerifyChecksum(block));
  TarHeader header;
  std::copy(block.begin(), block.end(), header.block.begin());
  header.type = AsText(kType.Of(block))[0];
  header.path = PathOf(block);
  header.link_target = TarText(kLinkTarget.Of(block));
  VARVE_ASSIGN_OR_RETURN(header.mode, ParseTarNumber(kMode.Of(block)).In("mode"));
  VARVE_ASSIGN_OR_RETURN(header.uid, ParseTarNumber(kUid.Of(block)).In("uid"));
  VARVE_ASSIGN_OR_RETURN(header.gid, ParseTarNumber(kGid.Of(block)).In("gid"));
  VARVE_ASSIGN_OR_RETURN(header.mtime_seconds, ParseTarNumber(kMtime.Of(block)).In("mtime"));
  VARVE_ASSIGN_OR_RETURN(const std::int64_t size, ParseTarNumber(kSize.Of(block)).In("size"));
  if (size < 0) return Error(Code::kInvalidArgument, "a negative size");
  header.size_bytes = static_cast<std::uint64_t>(size);
  const std::string_view magic = AsText(kMagic.Of(block));
  if (header.type == 'S' && magic != kGnuMagic)
    return Error(Code::kInvalidArgument, "a GNU sparse file without GNU magic");
  if ((header.type == '3' || header.type == '4') && (magic == kPosixMagic || magic == kGnuMagic)) {
    VARVE_ASSIGN_OR_RETURN(header.device_major, ParseTarNumber(kDeviceMajor.Of(block)).In("device major"));
    VARVE_ASSIGN_OR_RETURN(header.device_minor, ParseTarNumber(kDeviceMinor.Of(block)).In("device minor"));
  }
  return header;
}

std::string TarText(ByteSpan field) {
  const std::string_view text = AsText(field);
  return std::string(text.substr(0, text.find('\0')));
}

bool IsZeroBlock(ByteSpan block) {
  return std::all_of(block.begin(), block.end(), [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace varve
