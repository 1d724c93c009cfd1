#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cached/http/handler.h"

namespace varve {

// Answers as a test says.
class ScriptedHandler final : public HttpHandler {
 public:
  using Answer = std::variant<HttpResponse, std::unique_ptr<HttpBodyTaker>>;
  using Script = std::function<Answer(const HttpRequest&)>;

  explicit ScriptedHandler(Script script, Place place = Place::kConnectionThread)
      : script_(std::move(script)), place_(place) {}

  Place PlaceOf(const HttpRequest& /*request*/) const override { return place_; }
  Answer Handle(const HttpRequest& request) override { return script_(request); }

 private:
  const Script script_;
  const Place place_;
};

inline HttpResponse TextResponse(std::string text, int status = 200) {
  return {.status = status, .body = std::move(text)};
}

// Something that happens once, for which tests wait.
class Signal {
 public:
  void Set() {
    const std::lock_guard lock(mutex_);
    set_ = true;
    condition_.notify_all();
  }
  bool Wait() {  // false: it did not happen within ten seconds
    std::unique_lock lock(mutex_);
    return condition_.wait_for(lock, std::chrono::seconds(10), [this] { return set_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool set_ = false;
};

// What happened to takers, which are gone when a test asks.
struct Taken {
  std::vector<std::size_t> pieces;  // their sizes
  std::string content;
  Signal first_piece, finished, destroyed;
};

// Notes what it takes, and answers 201 with the number of bytes. Takes no piece before `gate`, if there is one; answers
// `early` to the first, if there is one.
class NotingTaker final : public HttpBodyTaker {
 public:
  explicit NotingTaker(Taken& taken, Signal* gate = nullptr, std::optional<HttpResponse> early = std::nullopt)
      : taken_(taken), gate_(gate), early_(std::move(early)) {}
  ~NotingTaker() override { taken_.destroyed.Set(); }

  std::optional<HttpResponse> Take(ByteSpan piece) override {
    taken_.pieces.push_back(piece.size());
    taken_.content += AsText(piece);
    taken_.first_piece.Set();
    if (gate_ != nullptr) gate_->Wait();
    return early_;
  }
  HttpResponse Finish() override {
    taken_.finished.Set();
    return TextResponse(std::to_string(taken_.content.size()), 201);
  }

 private:
  Taken& taken_;
  Signal* const gate_;
  const std::optional<HttpResponse> early_;
};

}  // namespace varve
