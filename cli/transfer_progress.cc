#include "cli/transfer_progress.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "cached/base/bytes.h"
#include "cached/oci/reference.h"
#include "cli/documents.h"
#include "cli/listing/print.h"

namespace varve {
namespace {

constexpr std::size_t kBarWidth = 40;

std::string Bar(std::uint64_t done, std::uint64_t total) {
  const std::size_t filled =
      total == 0 ? kBarWidth : static_cast<std::size_t>(std::min(done, total) * kBarWidth / total);
  return "[" + std::string(filled, '=') + ">" + std::string(kBarWidth - filled, ' ') + "]  " + HumanSize(done) + "/" +
         HumanSize(total);
}

}  // namespace

std::string TransferProgress::Words(const v1::PullEvent::Layer& layer) const {
  // In the order of Direction.
  const auto words = [&](const char* pull, const char* push, const char* copy) {
    return direction_ == Direction::kPull ? pull : direction_ == Direction::kPush ? push : copy;
  };
  switch (layer.state()) {
    case v1::PullEvent::Layer::WAITING:
      return words("Waiting", "Preparing", "Waiting");
    case v1::PullEvent::Layer::DOWNLOADING:
      return words("Downloading", "Downloading", "Copying");
    case v1::PullEvent::Layer::EXISTS:
      return words("Already exists", "Layer already exists", "Already exists");
    case v1::PullEvent::Layer::DONE:
      return words("Pull complete", "Pushed", "Copied");
    case v1::PullEvent::Layer::PUSHING:
      return words("Pushing", "Pushing", "Copying");
    case v1::PullEvent::Layer::MOUNTED:
      return "Mounted from " + layer.from();
    default:
      return "";
  }
}

TransferProgress::Style TransferProgress::StyleOfOutput() {
  const char* terminal = std::getenv("TERM");  // NOLINT(concurrency-mt-unsafe): nothing sets variables
  const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  return ::isatty(STDOUT_FILENO) == 1 && !dumb ? Style::kTerminal : Style::kPlain;
}

void TransferProgress::Show(const v1::PullEvent& event) {
  if (event.has_done()) done_ = event.done();
  for (const v1::PullEvent::Layer& layer : event.layers()) {
    const auto [found, fresh] = layers_.try_emplace(layer.digest());
    if (fresh) order_.push_back(layer.digest());
    const bool changed = fresh || found->second.state() != layer.state();
    found->second = layer;
    if (style_ == Style::kJson) fmt::print("{}\n", PullLayerJson(layer));
    if (style_ == Style::kPlain && changed && layer.state() != v1::PullEvent::Layer::WAITING) {
      fmt::print("{}: {}\n", ShortId(layer.digest()), Words(layer));
    }
  }
  if (style_ == Style::kTerminal && !event.layers().empty()) Redraw();
  std::fflush(stdout);
}

void TransferProgress::Redraw() {
  if (drawn_lines_ > 0) fmt::print("\x1b[{}A", drawn_lines_);
  for (const std::string& digest : order_) {
    const v1::PullEvent::Layer& layer = layers_[digest];
    const bool moving =
        layer.state() == v1::PullEvent::Layer::DOWNLOADING || layer.state() == v1::PullEvent::Layer::PUSHING;
    fmt::print("\x1b[2K{}: {} {}\n", ShortId(digest), Words(layer),
               moving ? Bar(layer.done_bytes(), layer.total_bytes()) : "");
  }
  drawn_lines_ = order_.size();
}

void TransferProgress::Finish() const {
  if (style_ == Style::kJson) {
    fmt::print("{}\n", PullDoneJson(done_));
    return;
  }
  const auto reference = Reference::Parse(done_.reference());
  const std::string name = reference.ok() ? reference->Familiar() : done_.config_digest();
  if (style_ == Style::kQuiet) {
    fmt::print("{}\n", done_.reference().empty() ? done_.config_digest() : done_.reference());
    return;
  }
  fmt::print("Digest: {}\nStatus: {} {}\n", done_.manifest_digest(),
             done_.up_to_date() ? "Image is up to date for" : "Downloaded newer image for", name);
}

void WarnOfChanges(const v1::PushEvent::Done& done) {
  for (const std::string& note : done.notes()) fmt::print(stderr, "Warning: {}\n", Harmless(note));
  if (done.changed()) fmt::print(stderr, "Warning: so the manifest has another digest than here\n");
}

}  // namespace varve
