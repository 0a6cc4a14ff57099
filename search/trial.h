#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "eval/evaluator.h"
#include "eval/measurement.h"
#include "space/architecture.h"
#include "space/base/json.h"

namespace hone {

enum class TrialState { kComplete, kFailed };
std::string_view Name(TrialState state);

// What to try next, and how much to spend on it.
struct Suggestion {
  Architecture architecture;
  Fidelity fidelity = Fidelity::kTrained;
};

// One finished row of a study's log: immutable.
struct Trial {
  std::int64_t number = 0;
  Architecture architecture;
  std::uint64_t seed = 0;
  Fidelity fidelity = Fidelity::kTrained;
  std::string origin;  // how the algorithm came by it: "random", "crossover"
  Outcome outcome;
  std::string finished_at;  // UTC, ISO 8601; no part of the digest

  TrialState state() const {
    return std::holds_alternative<Measurement>(outcome) ? TrialState::kComplete
                                                        : TrialState::kFailed;
  }
  bool operator==(const Trial&) const = default;
};

// A double by its bits, as 16 hex digits: what a hash can rely on.
std::string BitsOf(double value);

// SHA-256 over everything in a trial that a repeat must reproduce: all but wall
// times, the environment and paths of artifacts. Doubles enter by their bits.
std::string TrialDigest(const Trial& trial);

// SHA-256 over the spec's hash and the digests of the trials in order.
std::string StudyDigest(const std::string& spec_hash,
                        const std::vector<Trial>& trials);

// The seed of an architecture's training in a study. It depends on what
// training sees, not on the trial's number, so that architectures which differ
// in precision alone share one student.
std::uint64_t TrainingSeed(std::uint64_t study_seed,
                           const Architecture& architecture);

// Everything of a trial, for programs.
Json ToJson(const Trial& trial);

}  // namespace hone
