#pragma once

#include <map>
#include <memory>
#include <string>

#include "cached/base/fd.h"
#include "cli/archive/image_files.h"

namespace varve {

inline constexpr std::size_t kArchiveMembersMax = 100'000;
inline constexpr std::size_t kMemberNameBytesMax = 4096;  // of what it links to, too

// The members of a tar, by their names without "./" in front. Symlinks and hard links lead to other members only. Of
// several members with one name the last counts. Reading one that stands before the one read last starts over, which
// costs a pass over the headers in front of it: nothing of a member that is passed is read.
class TarMembers final : public ImageFiles {
 public:
  // `tar` is seekable and open at its beginning; `what` is for messages. kInvalidArgument if it is no tar,
  // kResourceExhausted beyond a limit above.
  static Result<std::unique_ptr<TarMembers>> Open(UniqueFd tar, std::string what);
  ~TarMembers() override;

  const std::string& what() const override { return what_; }
  Result<std::optional<std::uint64_t>> SizeOf(const std::string& name) override;
  Status Read(const std::string& name, const Sink& sink) override;

 private:
  struct Member {
    std::size_t number = 0;  // in the tar, from 0
    std::uint64_t size_bytes = 0;
    std::optional<std::string> link;  // the name of the member that it leads to, empty if that is out of the archive
  };
  class Reader;

  TarMembers(UniqueFd tar, std::string what);
  Status List();
  const Member* Find(const std::string& name) const;
  Status GoTo(const Member& member);

  const UniqueFd tar_;
  const std::string what_;
  std::map<std::string, Member> members_;
  std::unique_ptr<Reader> reader_;
};

}  // namespace varve
