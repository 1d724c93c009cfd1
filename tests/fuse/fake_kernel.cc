#include "tests/fuse/fake_kernel.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "cached/base/check.h"

namespace varve {
namespace {

constexpr std::size_t kMessageBytesMax = 256 << 10;

template <class T>
std::string_view Raw(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}
template <class T>
T Parse(std::string_view payload) {
  T value{};
  std::memcpy(&value, payload.data(), std::min(payload.size(), sizeof(value)));
  return value;
}

}  // namespace

FakeKernel::FakeKernel() {
  int ends[2];
  VARVE_CHECK(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
  end_.Reset(ends[0]);
  device_.Reset(ends[1]);
}

void FakeKernel::Send(std::uint32_t opcode, std::uint64_t unique, std::uint64_t node, std::string_view payload) {
  fuse_in_header header{};
  header.len = static_cast<std::uint32_t>(sizeof(header) + payload.size());
  header.opcode = opcode;
  header.unique = unique;
  header.nodeid = node;
  const std::string message = std::string(Raw(header)) + std::string(payload);
  VARVE_CHECK(::send(end_.get(), message.data(), message.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(message.size()));
}

std::pair<fuse_out_header, std::string> FakeKernel::Receive() {
  std::string message(kMessageBytesMax, '\0');
  const ssize_t size = ::recv(end_.get(), message.data(), message.size(), 0);
  VARVE_CHECK(size >= static_cast<ssize_t>(sizeof(fuse_out_header)));
  message.resize(static_cast<std::size_t>(size));
  const auto header = Parse<fuse_out_header>(message);
  VARVE_CHECK(header.len == message.size());
  if (header.unique == 0 && header.error == FUSE_NOTIFY_STORE) return Receive();
  return {header, message.substr(sizeof(header))};
}

FakeKernel::Reply FakeKernel::Call(std::uint32_t opcode, std::uint64_t node, std::string_view payload) {
  unique_ += 2;
  Send(opcode, unique_, node, payload);
  auto [header, reply] = Receive();
  VARVE_CHECK(header.unique == unique_);
  return {-header.error, std::move(reply)};
}

fuse_init_out FakeKernel::Init() {
  fuse_init_in init{};
  init.major = FUSE_KERNEL_VERSION;
  init.minor = FUSE_KERNEL_MINOR_VERSION;
  init.max_readahead = 1 << 20;
  init.flags = ~std::uint32_t{FUSE_INIT_EXT};
  return Parse<fuse_init_out>(Call(FUSE_INIT, 0, Raw(init)).payload);
}

void FakeKernel::Forget(std::uint64_t node, std::uint64_t lookups) {
  fuse_forget_in forget{};
  forget.nlookup = lookups;
  Send(FUSE_FORGET, unique_ += 2, node, Raw(forget));
}

void FakeKernel::BatchForget(const std::vector<fuse_forget_one>& nodes) {
  fuse_batch_forget_in batch{};
  batch.count = static_cast<std::uint32_t>(nodes.size());
  std::string payload(Raw(batch));
  for (const auto& node : nodes) payload += Raw(node);
  Send(FUSE_BATCH_FORGET, unique_ += 2, 0, payload);
}

std::string FakeKernel::ReceiveNotification(int code) {
  auto [header, payload] = Receive();
  VARVE_CHECK(header.unique == 0 && header.error == code);
  return payload;
}

FakeKernel::Found FakeKernel::LookUp(std::uint64_t parent, std::string_view name) {
  const Reply reply = Call(FUSE_LOOKUP, parent, std::string(name) + '\0');
  return {reply.error, Parse<fuse_entry_out>(reply.payload)};
}

fuse_entry_out FakeKernel::Walk(std::uint64_t node, std::initializer_list<std::string_view> names) {
  fuse_entry_out entry{};
  for (const std::string_view name : names) {
    const Found found = LookUp(node, name);
    VARVE_CHECK(found.error == 0 && found.entry.nodeid != 0);
    entry = found.entry;
    node = entry.nodeid;
  }
  return entry;
}

std::optional<fuse_attr> FakeKernel::GetAttributes(std::uint64_t node) {
  const Reply reply = Call(FUSE_GETATTR, node, Raw(fuse_getattr_in{}));
  if (reply.error != 0) return std::nullopt;
  return Parse<fuse_attr_out>(reply.payload).attr;
}

FakeKernel::Reply FakeKernel::Read(std::uint64_t node, std::uint64_t offset, std::uint32_t size) {
  fuse_read_in read{};
  read.offset = offset;
  read.size = size;
  return Call(FUSE_READ, node, Raw(read));
}

FakeKernel::Reply FakeKernel::GetXattr(std::uint64_t node, std::string_view name, std::uint32_t size) {
  fuse_getxattr_in get{};
  get.size = size;
  return Call(FUSE_GETXATTR, node, std::string(Raw(get)) + std::string(name) + '\0');
}

FakeKernel::Reply FakeKernel::ListXattr(std::uint64_t node, std::uint32_t size) {
  fuse_getxattr_in list{};
  list.size = size;
  return Call(FUSE_LISTXATTR, node, Raw(list));
}

std::vector<FakeKernel::Listed> FakeKernel::List(std::uint64_t directory, std::uint32_t size) {
  std::vector<Listed> listed;
  fuse_read_in read{};
  read.size = size;
  while (true) {
    const Reply reply = Call(FUSE_READDIRPLUS, directory, Raw(read));
    VARVE_CHECK(reply.error == 0);
    if (reply.payload.empty()) return listed;
    for (std::string_view rest = reply.payload; !rest.empty();) {
      const auto entry = Parse<fuse_direntplus>(rest);
      const std::string_view name = rest.substr(FUSE_NAME_OFFSET_DIRENTPLUS, entry.dirent.namelen);
      listed.push_back({std::string(name), entry.entry_out.nodeid, entry.entry_out.attr});
      read.offset = entry.dirent.off;
      rest.remove_prefix(FUSE_DIRENTPLUS_SIZE(&entry));
    }
  }
}

}  // namespace varve
