#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "eval/measurement.h"
#include "space/architecture.h"

namespace hone {

// How much is spent on a suggestion.
//   cost       closed form; nothing is trained
//   inherited  the student is a part of the supernet; quantized, exported and
//              measured as it is
//   short      a student is trained for some steps, quantized without further
//              training, exported and measured
//   trained    the same for all of the spec's steps, and trained on as it is
//              rounded where the spec says so
enum class Fidelity { kCost, kInherited, kShort, kTrained };
std::string_view Name(Fidelity fidelity);
Fidelity ParseFidelity(std::string_view name);
// Whether trials may be on the front: the others are estimates of what a full
// one would give.
bool IsFull(Fidelity fidelity);

// One architecture to evaluate. `seed` labels every random stream of its
// training: StreamSeed(seed, 0, purpose).
struct Candidate {
  std::int64_t number = 0;  // of the trial, for messages
  Architecture architecture;
  std::uint64_t seed = 0;
  Fidelity fidelity = Fidelity::kTrained;
  // A larger architecture, trained from the same seed, that this one is cut out
  // of ([compression]); without it the network is trained from the start.
  std::optional<Architecture> parent = std::nullopt;
  // The one of its blocks that is gone ("encoder.0"); empty: where there are
  // fewer, those that matter most stay.
  std::string dropped = "";
  // The architecture of a file that was made before, which is made again as it
  // is; without it the evaluator may change precisions, where its options say
  // so (eval/faster_layers.h).
  std::optional<Architecture> exported = std::nullopt;
};

// Tells people what an evaluator does; called from any thread, one at a time.
// `done` of `total` units of the running phase of the batch.
using ProgressCallback =
    std::function<void(const std::string& phase, double done, double total)>;

// Turns architectures into numbers. A whole batch at a time, so that students
// can train side by side and exported files can be timed in turn.
class Evaluator {
 public:
  virtual ~Evaluator() = default;
  // One outcome for each candidate, in order. The outcome of a candidate does
  // not depend on the rest of the batch or on the number of workers, except
  // for measured latency.
  // Throws Error for what ends the run (no disk, bad data, cancelled).
  virtual std::vector<Outcome> Evaluate(
      const std::vector<Candidate>& batch) = 0;
  // By how much rounding the trained weights of each block (encoder, then
  // decoder) to each of the precisions would raise the loss, whatever the
  // candidate's own precision: a row for each block. Empty where it is not
  // known.
  virtual std::vector<std::vector<double>> PrecisionErrors(
      const Candidate&, const std::vector<Precision>&) {
    return {};
  }
};

}  // namespace hone
