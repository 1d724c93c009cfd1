#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "cached/base/fd.h"

namespace varve {

struct RawResponse {
  int status = 0;  // 0: the connection ended before a whole one
  std::map<std::string, std::string> fields;
  std::string body;  // what there is of it, if it was cut off
};

// A client that says just what it is told to, and fails its test where nothing comes for ten seconds.
class HttpClient {
 public:
  explicit HttpClient(const std::string& address);  // "127.0.0.1:5000"

  HttpClient& Send(std::string_view bytes);  // all, or until the server has closed
  // How many of `bytes` the kernel takes before it would have to wait for the server for 300 ms.
  std::size_t SendWhatIsTaken(std::string_view bytes);
  RawResponse Receive();      // to a request that is not HEAD
  RawResponse ReceiveHead();  // without a body
  bool ReceivesEnd();         // and nothing before it
  bool ReadableWithin(int timeout_ms);
  void ShutdownWrites();
  void Close() { fd_.Reset(); }
  int fd() const { return fd_.get(); }

  RawResponse Exchange(std::string_view request) { return Send(request).Receive(); }

 private:
  bool Fill();  // false at the end

  UniqueFd fd_;
  std::string received_;
};

std::string Get(std::string_view target);  // a request

}  // namespace varve
