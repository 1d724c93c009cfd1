#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "cached/client/daemon_client.h"

namespace varve {

// Shows a pull, push or copy as docker does: a line a layer that is rewritten in place on a terminal, a plain line for
// each step otherwise, nothing when quiet; for machines a JSON object a line, of each event as it comes. NO_COLOR has
// nothing to switch off: there are no colours.
class TransferProgress {
 public:
  enum class Style { kQuiet, kPlain, kTerminal, kJson };
  // kTerminal if standard output is one and TERM is not "dumb", else kPlain.
  static Style StyleOfOutput();

  enum class Direction { kPull, kPush, kCopy };
  explicit TransferProgress(Style style, Direction direction = Direction::kPull)
      : style_(style), direction_(direction) {}
  void Show(const v1::PullEvent& event);
  // Of a pull: "Digest: …" and "Status: …"; with kQuiet the reference (the id of an image without one) alone.
  void Finish() const;
  const v1::PullEvent::Done& done() const { return done_; }

 private:
  void Redraw();
  std::string Words(const v1::PullEvent::Layer& layer) const;

  const Style style_;
  const Direction direction_;
  std::vector<std::string> order_;
  std::map<std::string, v1::PullEvent::Layer> layers_;
  std::size_t drawn_lines_ = 0;
  v1::PullEvent::Done done_;
};

// On standard error: why a manifest is another one at the registry than here.
void WarnOfChanges(const v1::PushEvent::Done& done);

}  // namespace varve
