#include "experiments/latency_study.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "eval/latency.h"
#include "experiments/report.h"
#include "experiments/table.h"

namespace hone {
namespace {

// Networks that are timed together, and asked for together.
constexpr std::size_t kBatch = 8;
constexpr std::size_t kPool = 256;
// Stacks of one kind take two measurements.
constexpr std::int64_t kMeasurementsForEachKind = 5;
constexpr double kTwoSided95 = 1.959964;

class Runner {
 public:
  Runner(const SearchSpace& space, const LatencyTable& table,
         const LatencyStudyOptions& options,
         const std::function<void(double)>& on_batch)
      : space_(space), table_(table), options_(options), on_batch_(on_batch) {}

  LatencyStudy Run() {
    const std::vector<Architecture> held_out = DrawHeldOut();
    MeasureStacks();
    MeasureWhatIsAsked();
    const LatencyPredictor predictor(space_, study_.measured);
    study_.noise_share = predictor.noise_share();
    const std::vector<double> first = Ratios(held_out, 0);
    const std::vector<double> second = Ratios(held_out, 1);
    const std::vector<Belief> predicted = predictor.Predict(held_out);
    for (std::size_t i = 0; i < held_out.size(); ++i) {
      study_.held_out.push_back(
          {held_out[i], predicted[i], first[i], second[i]});
    }
    study_.reference_ms = Median(reference_ms_);
    Judge();
    return std::move(study_);
  }

 private:
  // Distinct, and no part of what is learned from.
  std::vector<Architecture> DrawHeldOut() {
    Rng rng(options_.seed, 0, "held-out latencies");
    return Draw(static_cast<std::size_t>(options_.held_out), rng);
  }

  // New members of the space; fewer where there are not as many.
  std::vector<Architecture> Draw(std::size_t count, Rng& rng) {
    std::vector<Architecture> drawn;
    for (std::size_t tries = 0; tries < 20 * count; ++tries) {
      if (drawn.size() == count) break;
      Architecture one = space_.Sample(rng);
      if (drawn_.insert(one).second) drawn.push_back(std::move(one));
    }
    return drawn;
  }

  std::vector<double> Ratios(const std::vector<Architecture>& networks,
                             int repeat) {
    std::vector<double> ratios;
    for (std::size_t first = 0; first < networks.size(); first += kBatch) {
      const auto begin = networks.begin() + static_cast<std::ptrdiff_t>(first);
      const auto end = begin + static_cast<std::ptrdiff_t>(
                                   std::min(kBatch, networks.size() - first));
      on_batch_(done_ / static_cast<double>(options_.measurements +
                                            2 * options_.held_out));
      for (const ProbedLatency& one : table_.Get({begin, end}, repeat)) {
        ratios.push_back(one.ratio);
        reference_ms_.push_back(one.milliseconds / one.ratio);
        ++done_;
      }
    }
    return ratios;
  }

  std::vector<double> Learn(const std::vector<Architecture>& networks) {
    const std::vector<double> ratios = Ratios(networks, 0);
    for (std::size_t i = 0; i < networks.size(); ++i) {
      study_.measured.push_back({networks[i], ratios[i]});
    }
    return ratios;
  }

  void MeasureStacks() {
    Rng rng(options_.seed, 0, "stacks of blocks");
    std::vector<BlockStacks> stacks;
    std::vector<Architecture> networks;
    const std::int64_t kinds = std::max<std::int64_t>(
        options_.measurements / kMeasurementsForEachKind, 1);
    for (std::int64_t i = 0; i < kinds; ++i) {
      const BlockStacks one = SampleStacks(space_, i, rng);
      if (!drawn_.insert(one.single).second) continue;
      stacks.push_back(one);
      networks.push_back(one.single);
      networks.push_back(one.doubled);
    }
    const std::vector<double> ratios = Learn(networks);
    for (std::size_t i = 0; i < stacks.size(); ++i) {
      study_.blocks.emplace_back(
          stacks[i], CostOfBlock(stacks[i], ratios[2 * i], ratios[2 * i + 1]));
    }
  }

  void MeasureWhatIsAsked() {
    Rng rng(options_.seed, 0, "pool of latencies");
    std::vector<Architecture> pool = Draw(kPool, rng);
    const auto wanted = static_cast<std::size_t>(options_.measurements);
    while (study_.measured.size() < wanted && !pool.empty()) {
      const LatencyPredictor predictor(space_, study_.measured);
      const std::vector<std::size_t> places = predictor.NextToMeasure(
          pool, std::min(kBatch, wanted - study_.measured.size()));
      std::vector<Architecture> asked;
      for (const std::size_t place : places) asked.push_back(pool[place]);
      std::erase_if(pool, [&](const Architecture& one) {
        return std::find(asked.begin(), asked.end(), one) != asked.end();
      });
      Learn(asked);
    }
  }

  void Judge() {
    if (study_.held_out.size() < 2) return;
    std::vector<double> predicted, first, second, mean;
    double covered = 0;
    for (const HeldOutLatency& one : study_.held_out) {
      predicted.push_back(one.predicted.mean);
      first.push_back(one.first);
      second.push_back(one.second);
      mean.push_back(one.Mean());
      const double deviation = std::hypot(
          one.predicted.deviation, study_.noise_share * one.predicted.mean);
      covered +=
          std::abs(one.predicted.mean - one.first) <= kTwoSided95 * deviation;
    }
    study_.errors = Compare(predicted, mean);
    study_.repeat_errors = Compare(second, first);
    study_.covered = covered / static_cast<double>(predicted.size());
  }

  const SearchSpace& space_;
  const LatencyTable& table_;
  const LatencyStudyOptions& options_;
  const std::function<void(double)>& on_batch_;
  std::set<Architecture> drawn_;
  std::vector<double> reference_ms_;
  double done_ = 0;
  LatencyStudy study_;
};

std::string Percent(double share) { return NumberText(100 * share) + " %"; }

Architecture OneBlock(const BlockStacks& stacks) {
  Architecture one = stacks.single;
  (stacks.decoder ? one.decoder : one.encoder).resize(1);
  return one;
}

Json ToJson(const LatencyErrors& errors) {
  return {{"mean_share", errors.mean_share},
          {"largest_share", errors.largest_share},
          {"rank_correlation", errors.rank_correlation}};
}

}  // namespace

LatencyStudy RunLatencyStudy(const SearchSpace& space,
                             const LatencyTable& table,
                             const LatencyStudyOptions& options,
                             const std::function<void(double done)>& on_batch) {
  return Runner(space, table, options, on_batch).Run();
}

std::string LatencyStudyPage(const LatencyStudy& study) {
  Table page{{{"latency"}, {""}}, {}};
  page.AddRow({"reference", NumberText(study.reference_ms) + " ms"});
  page.AddRow({"learned from", std::to_string(study.measured.size()) +
                                   " networks, " +
                                   std::to_string(2 * study.blocks.size()) +
                                   " of them stacks of one block kind"});
  if (study.held_out.size() > 1) {
    page.AddRow({"held out", std::to_string(study.held_out.size()) +
                                 " networks, each measured twice"});
    page.AddRow({"mean error",
                 Percent(study.errors.mean_share) + ", at most " +
                     Percent(study.errors.largest_share) +
                     "; a second measurement of the same network: " +
                     Percent(study.repeat_errors.mean_share) + ", at most " +
                     Percent(study.repeat_errors.largest_share)});
    page.AddRow({"rank correlation",
                 NumberText(study.errors.rank_correlation) +
                     " (Spearman); of a second measurement: " +
                     NumberText(study.repeat_errors.rank_correlation)});
    page.AddRow({"95 % intervals", "hold " + Percent(study.covered) +
                                       " of the held-out networks"});
  }
  Table blocks{{{"block ms", true}, {"around ms", true}, {"kind"}}, {}};
  for (const auto& [stacks, cost] : study.blocks) {
    blocks.AddRow({NumberText(cost.block * study.reference_ms),
                   NumberText(cost.around * study.reference_ms),
                   ShortText(OneBlock(stacks))});
  }
  return ToText(page) + "\n" + ToText(blocks);
}

Json ToJson(const LatencyStudy& study) {
  Json blocks = Json::array();
  for (const auto& [stacks, cost] : study.blocks) {
    blocks.push_back({{"architecture", ToJson(OneBlock(stacks))},
                      {"block_ratio", cost.block},
                      {"around_ratio", cost.around}});
  }
  Json measured = Json::array();
  for (const MeasuredLatency& one : study.measured) {
    measured.push_back(
        {{"architecture", ToJson(one.architecture)}, {"ratio", one.latency}});
  }
  Json held_out = Json::array();
  for (const HeldOutLatency& one : study.held_out) {
    held_out.push_back({{"architecture", ToJson(one.architecture)},
                        {"predicted_ratio", one.predicted.mean},
                        {"predicted_deviation", one.predicted.deviation},
                        {"first_ratio", one.first},
                        {"second_ratio", one.second}});
  }
  const bool judged = study.held_out.size() > 1;
  return {{"reference_ms", study.reference_ms},
          {"noise_share", study.noise_share},
          {"blocks", blocks},
          {"measured", measured},
          {"held_out", held_out},
          {"errors", judged ? ToJson(study.errors) : Json()},
          {"repeat_errors", judged ? ToJson(study.repeat_errors) : Json()},
          {"covered", judged ? Json(study.covered) : Json()}};
}

}  // namespace hone
