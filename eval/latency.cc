#include "eval/latency.h"

#include <algorithm>
#include <cmath>

#include "space/base/error.h"
#include "space/base/rng.h"

namespace hone {
namespace {

constexpr int kResamples = 2000;
constexpr int kWarmUpWindows = 25;
constexpr double kStableShare = 0.02;
constexpr std::size_t kFewestInferences = 3;

std::vector<double> OneRound(const TimedRun& run, double round_milliseconds) {
  std::vector<double> times;
  double spent = 0;
  while (spent < round_milliseconds || times.size() < kFewestInferences) {
    times.push_back(run());
    spent += times.back();
  }
  return times;
}

std::vector<std::int64_t> RandomTokens(std::int64_t count,
                                       std::int64_t vocabulary,
                                       std::uint64_t seed) {
  HONE_CHECK_LE(1, vocabulary);
  Rng rng(seed, 0, "tokens");
  std::vector<std::int64_t> tokens;
  for (std::int64_t i = 0; i < count; ++i) {
    tokens.push_back(static_cast<std::int64_t>(
        rng.Below(static_cast<std::uint64_t>(vocabulary))));
  }
  return tokens;
}

void WarmUp(const TimedRun& run, double round_milliseconds) {
  double before = Median(OneRound(run, round_milliseconds));
  for (int window = 1; window < kWarmUpWindows; ++window) {
    const double now = Median(OneRound(run, round_milliseconds));
    if (std::abs(now - before) <= kStableShare * before) return;
    before = now;
  }
}

}  // namespace

double Quantile(std::vector<double> values, double q) {
  HONE_CHECK(!values.empty());
  HONE_CHECK(q >= 0 && q <= 1);
  std::sort(values.begin(), values.end());
  const double position = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  const double share = position - static_cast<double>(below);
  return values[below] + share * (values[above] - values[below]);
}

double Median(std::vector<double> values) {
  return Quantile(std::move(values), 0.5);
}

Interval BootstrapMedian(const std::vector<double>& values,
                         std::uint64_t seed) {
  HONE_CHECK(!values.empty());
  Rng rng(seed);
  std::vector<double> medians;
  std::vector<double> sample(values.size());
  for (int i = 0; i < kResamples; ++i) {
    for (double& one : sample) one = rng.Pick(values);
    medians.push_back(Median(sample));
  }
  return {Quantile(medians, 0.025), Quantile(medians, 0.975)};
}

std::vector<Latency> TimeInTurn(const std::vector<TimedRun>& runs,
                                const MeasurementOptions& options,
                                std::uint64_t seed) {
  for (const TimedRun& run : runs) WarmUp(run, options.round_milliseconds);
  std::vector<Latency> latencies(runs.size());
  std::vector<std::vector<double>> all(runs.size());
  for (std::int64_t round = 0; round < options.rounds; ++round) {
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const std::vector<double> times =
          OneRound(runs[i], options.round_milliseconds);
      latencies[i].rounds_ms.push_back(Median(times));
      all[i].insert(all[i].end(), times.begin(), times.end());
    }
  }
  for (std::size_t i = 0; i < runs.size(); ++i) {
    Latency& latency = latencies[i];
    const Interval interval = BootstrapMedian(
        latency.rounds_ms,
        StreamSeed(seed, static_cast<std::int64_t>(i), "bootstrap"));
    latency.median_ms = Median(latency.rounds_ms);
    latency.low_ms = interval.low;
    latency.high_ms = interval.high;
    latency.p95_ms = Quantile(std::move(all[i]), 0.95);
  }
  return latencies;
}

TimedRun ClassifyRun(EngineModel& model, const TaskShape& task,
                     const MeasurementOptions& options, std::uint64_t seed) {
  const std::int64_t numbers = options.batch * options.tokens;
  ModelInput input;
  if (task.features > 0) {
    Rng rng(seed, 0, "features");
    std::vector<float> features;
    for (std::int64_t i = 0; i < numbers * task.features; ++i) {
      features.push_back(static_cast<float>(rng.Normal()));
    }
    input = std::move(features);
  } else {
    input = RandomTokens(numbers, task.vocabulary, seed);
  }
  return [&model, input = std::move(input), &options] {
    const double start = model.ClockMs();
    model.Run(input, options.batch, options.tokens);
    return model.ClockMs() - start;
  };
}

TimedRun DecodeRun(StepModel& model, const TaskShape& task,
                   const MeasurementOptions& options, std::uint64_t seed,
                   DecodeTimes& times) {
  const auto rows = static_cast<std::size_t>(options.batch);
  const auto tokens =
      RandomTokens(options.batch * options.tokens, task.vocabulary, seed);
  std::vector<std::vector<std::int64_t>> sources(rows);
  // A translation reads its prompt as the source, and writes from one token on.
  const bool source = task.topology == Topology::kEncoderDecoder;
  for (std::size_t row = 0; source && row < rows; ++row) {
    const auto first =
        tokens.begin() + static_cast<std::ptrdiff_t>(row) * options.tokens;
    sources[row].assign(first, first + options.tokens);
  }
  const auto one = RandomTokens(options.batch, task.vocabulary, seed + 1);
  return [&model, tokens, sources, one, source, &options, &times] {
    const double start = model.ClockMs();
    const auto batch = model.Start(sources);
    if (source) {
      batch->Extend(one, 1);
    } else {
      batch->Extend(tokens, options.tokens);
    }
    const double read = model.ClockMs();
    for (std::int64_t i = 1; i < options.new_tokens; ++i) {
      batch->Extend(one, 1);
    }
    const double end = model.ClockMs();
    times.prefill_ms.push_back(read - start);
    if (options.new_tokens > 1) {
      times.per_token_ms.push_back((end - read) /
                                   static_cast<double>(options.new_tokens - 1));
    }
    return end - start;
  };
}

}  // namespace hone
