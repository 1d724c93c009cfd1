#pragma once

#include <algorithm>
#include <array>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "cached/registry/http_transport.h"

namespace varve {

// One answer of ScriptedTransport: a response, and an error in place of the rest of its body (of all of it, where the
// status is 0). Of a streamed request body it takes at most so many bytes.
// Initialised throughout, since g++ 12 warns of designated initialisers that leave out a member which is not.
struct ScriptedAnswer {
  int status = 200;
  std::map<std::string, std::string> headers = {};  // NOLINT(readability-redundant-member-init)
  std::string body = {};                            // NOLINT(readability-redundant-member-init)
  std::optional<Error> broken_off = {};             // NOLINT(readability-redundant-member-init)
  std::size_t takes_bytes = SIZE_MAX;
};

// A network that gives prepared answers in order and keeps what was asked.
class ScriptedTransport final : public HttpTransport {
 public:
  explicit ScriptedTransport(std::deque<ScriptedAnswer> answers) : answers_(std::move(answers)) {}

  Result<HttpAnswer> Send(const HttpCall& request, const ConnectionOptions&, const BodySink& sink,
                          const CancelToken& cancel) override {
    VARVE_RETURN_IF_ERROR(cancel.Check());
    requests_.push_back(request);
    if (answers_.empty()) return Error(Code::kInternal, "the script has no answer to " + request.url);
    const ScriptedAnswer answer = std::move(answers_.front());
    answers_.pop_front();
    if (request.body_source) {
      HttpCall& kept = requests_.back();
      kept.body_source = {};
      while (kept.body.size() < answer.takes_bytes) {
        std::array<std::byte, kPieceBytes> piece;
        const std::size_t room = std::min(piece.size(), answer.takes_bytes - kept.body.size());
        VARVE_ASSIGN_OR_RETURN(const std::size_t size, request.body_source(std::span(piece).first(room)));
        if (size == 0) break;
        kept.body += AsText(ByteSpan(piece).first(size));
      }
    }
    const HttpAnswer head{answer.status, answer.headers};
    for (std::size_t at = 0; at < answer.body.size(); at += kPieceBytes) {
      VARVE_RETURN_IF_ERROR(sink(head, AsBytes(std::string_view(answer.body).substr(at, kPieceBytes))));
    }
    if (answer.broken_off) return *answer.broken_off;
    return head;
  }

  const std::vector<HttpCall>& requests() const { return requests_; }
  bool finished() const { return answers_.empty(); }

 private:
  static constexpr std::size_t kPieceBytes = 3;
  std::deque<ScriptedAnswer> answers_;
  std::vector<HttpCall> requests_;
};

}  // namespace varve
