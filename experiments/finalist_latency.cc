#include "experiments/finalist_latency.h"

#include <algorithm>
#include <set>

#include "experiments/report.h"

namespace hone {
namespace {

constexpr std::size_t kFewest = 10;
constexpr std::size_t kMost = 100;

// 0 where it was not measured.
double LatencyOf(const Trial& trial, const std::string& metric) {
  const auto* measurement = std::get_if<Measurement>(&trial.outcome);
  if (!measurement) return 0;
  const auto found = measurement->metrics.find(metric);
  return found == measurement->metrics.end() ? 0 : found->second.value;
}

// Of the trials that have the metric, one of each architecture.
std::vector<MeasuredLatency> Measured(const std::vector<Trial>& trials,
                                      const std::string& metric,
                                      std::set<Architecture> known) {
  std::vector<MeasuredLatency> measured;
  for (const Trial& trial : trials) {
    const double latency = LatencyOf(trial, metric);
    if (latency > 0 && known.insert(trial.architecture).second) {
      measured.push_back({trial.architecture, latency});
    }
  }
  return measured;
}

template <typename T>
std::vector<T> Spread(const std::vector<T>& all, std::size_t most) {
  if (all.size() <= most) return all;
  std::vector<T> some;
  for (std::size_t i = 0; i < most; ++i) {
    some.push_back(all[i * all.size() / most]);
  }
  return some;
}

}  // namespace

std::optional<FinalistLatency> PredictFinalists(
    const SearchSpace& space, const std::vector<Trial>& trials,
    const std::vector<Trial>& front) {
  for (const std::string metric : {"latency_ratio", "latency_ms"}) {
    const std::vector<MeasuredLatency> finalists = Measured(front, metric, {});
    std::set<Architecture> known;
    for (const Trial& trial : front) known.insert(trial.architecture);
    const std::vector<MeasuredLatency> others =
        Spread(Measured(trials, metric, std::move(known)), kMost);
    if (finalists.size() < 2 || others.size() < kFewest) continue;
    const LatencyPredictor predictor(space, others);
    std::vector<Architecture> architectures;
    std::vector<double> measured;
    for (const MeasuredLatency& one : finalists) {
      architectures.push_back(one.architecture);
      measured.push_back(one.latency);
    }
    std::vector<double> predicted;
    for (const Belief& belief : predictor.Predict(architectures)) {
      predicted.push_back(belief.mean);
    }
    return FinalistLatency{others.size(), finalists.size(),
                           predictor.noise_share(),
                           Compare(predicted, measured)};
  }
  return std::nullopt;
}

std::string FinalistText(const std::optional<FinalistLatency>& finalists) {
  if (!finalists) return "";
  return "Latencies on the front, as " +
         std::to_string(finalists->learned_from) +
         " other trials would have told them: " +
         PercentText(finalists->errors.mean_share) + " off,\n" +
         PercentText(finalists->errors.largest_share) +
         " at most; noise of measuring " + PercentText(finalists->noise_share) +
         ", Spearman " + NumberText(finalists->errors.rank_correlation) + "\n";
}

Json FinalistToJson(const std::optional<FinalistLatency>& finalists) {
  if (!finalists) return nullptr;
  return {{"learned_from", finalists->learned_from},
          {"finalists", finalists->finalists},
          {"noise_share", finalists->noise_share},
          {"mean_share", finalists->errors.mean_share},
          {"largest_share", finalists->errors.largest_share},
          {"rank_correlation", finalists->errors.rank_correlation}};
}

}  // namespace hone
