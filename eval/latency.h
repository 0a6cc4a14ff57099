#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "eval/engine/engine.h"
#include "space/base/fields.h"
#include "space/cost.h"

namespace hone {

// The [measurement] table. docs/measurement.md describes the protocol.
struct MeasurementOptions {
  std::string engine = "openvino";
  std::int64_t threads = 1;
  std::int64_t batch = 1;
  std::int64_t tokens = 16;
  std::int64_t new_tokens = 16;
  std::int64_t translations = 500;
  std::int64_t beam = 1;
  double length_penalty = 1;
  std::string bleu_tokenizer = "13a";
  std::int64_t rounds = 15;
  double round_milliseconds = 20;
  double parity_tolerance = 0.02;

  template <typename Self, typename Visitor>
  static void Fields(Self& self, Visitor&& visit) {
    visit(
        "engine", self.engine,
        OneOf{{"openvino", "onnxruntime", "libtorch", "auto", "simulated"}},
        "who runs exported files: openvino; onnxruntime; libtorch: the "
        "reference, encoders only; auto: for each model the faster of the "
        "first two; or simulated: a deterministic latency from the cost model");
    visit("threads", self.threads, InRange{1, 1024}, "threads of the engine");
    visit("batch", self.batch, InRange{1, 65536}, "sequences in one inference");
    visit("tokens", self.tokens, InRange{1, 4096},
          "tokens in each sequence: what a classifier reads, a decoder's "
          "prompt, the source of a translation");
    visit("new_tokens", self.new_tokens, InRange{1, 4096},
          "tokens that a decoder writes behind it");
    visit("translations", self.translations, InRange{1, 1e6},
          "examples of the dev split that are translated for bleu, evenly "
          "spaced; all, where it has fewer");
    visit("beam", self.beam, InRange{1, 64},
          "translations side by side in the search for the best; 1: greedy");
    visit(
        "length_penalty", self.length_penalty, InRange{0, 10},
        "alpha of the beam search: how much longer translations are favoured");
    visit("bleu_tokenizer", self.bleu_tokenizer, OneOf{{"13a", "none"}},
          "13a: that of mteval-v13a; none: for texts in tokens already");
    visit("rounds", self.rounds, InRange{3, 10000},
          "times that every model of a batch is timed, in turn");
    visit("round_milliseconds", self.round_milliseconds, InRange{0.1, 10000},
          "time spent on one model in one round; at least three inferences");
    visit(
        "parity_tolerance", self.parity_tolerance, InRange{0, 100},
        "largest difference between exported and reference logits, as a share "
        "of the logits' spread, before a trial fails");
  }
};

// Latencies of one model in milliseconds.
struct Latency {
  double median_ms = 0;  // median of the rounds' medians
  double low_ms = 0;     // bootstrap 95 % interval of that median
  double high_ms = 0;
  double p95_ms = 0;              // over all inferences of all rounds
  std::vector<double> rounds_ms;  // each round's median
};

// Runs one inference and returns how long it took, in milliseconds.
using TimedRun = std::function<double()>;

// The protocol of docs/measurement.md on anything that can be timed. Each run
// is warmed up by itself: windows of `round_milliseconds` until the medians of
// two in a row differ by at most 2 %, at most 25 windows. Then `rounds` rounds,
// each of which gives every run its `round_milliseconds` (at least three
// inferences) in turn: A B C A B C ... `seed` labels the bootstrap's streams.
std::vector<Latency> TimeInTurn(const std::vector<TimedRun>& runs,
                                const MeasurementOptions& options,
                                std::uint64_t seed);

// One inference of an encoder on a batch of uniform random numbers from `seed`,
// by the model's clock: where that is the steady one, the time of handing over
// input and output is part of it.
// Requires: a model that takes options.batch x options.tokens.
TimedRun ClassifyRun(EngineModel& model, const TaskShape& task,
                     const MeasurementOptions& options, std::uint64_t seed);

// What each of many runs of one decoder took, in milliseconds.
struct DecodeTimes {
  std::vector<double> prefill_ms;    // reading the prompt, or the source
  std::vector<double> per_token_ms;  // of the tokens after the first
};
// Reading options.tokens random tokens and writing options.new_tokens behind
// them, one by one, options.batch side by side. Which tokens are written does
// not matter to the time, so they are random too. Adds to `times`, which must
// outlive the run.
TimedRun DecodeRun(StepModel& model, const TaskShape& task,
                   const MeasurementOptions& options, std::uint64_t seed,
                   DecodeTimes& times);

struct Interval {
  double low = 0;
  double high = 0;
};
// Bootstrap 95 % interval of the median: the 2.5 and 97.5 percentiles of the
// medians of 2,000 resamples (Efron 1979). Requires: values not empty.
Interval BootstrapMedian(const std::vector<double>& values, std::uint64_t seed);
double Median(std::vector<double> values);
// Linear between order statistics (Hyndman and Fan 1996, type 7).
// Requires: values not empty, 0 <= q <= 1.
double Quantile(std::vector<double> values, double q);

}  // namespace hone
