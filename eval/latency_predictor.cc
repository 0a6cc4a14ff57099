#include "eval/latency_predictor.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "space/base/error.h"
#include "space/features.h"

namespace hone {
namespace {

std::vector<double> LatenciesOf(const std::vector<MeasuredLatency>& measured) {
  std::vector<double> latencies;
  for (const MeasuredLatency& one : measured) latencies.push_back(one.latency);
  return latencies;
}

double Mean(const std::vector<double>& values) {
  HONE_CHECK(!values.empty());
  return std::accumulate(values.begin(), values.end(), 0.0) /
         static_cast<double>(values.size());
}

std::vector<double> SharesSquared(std::vector<double> values, double of) {
  for (double& value : values) value = value / of * (value / of);
  return values;
}

// Ranks from 0 on; of equal values their mean.
std::vector<double> RanksOf(const std::vector<double>& values) {
  std::vector<double> ranks;
  for (const double value : values) {
    double rank = -0.5;
    for (const double other : values) {
      rank += other < value ? 1 : other == value ? 0.5 : 0;
    }
    ranks.push_back(rank);
  }
  return ranks;
}

double Correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const double mean_a = Mean(a), mean_b = Mean(b);
  double both = 0, squares_a = 0, squares_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    both += (a[i] - mean_a) * (b[i] - mean_b);
    squares_a += (a[i] - mean_a) * (a[i] - mean_a);
    squares_b += (b[i] - mean_b) * (b[i] - mean_b);
  }
  const double scale = std::sqrt(squares_a * squares_b);
  return scale > 0 ? both / scale : 0;
}

GaussianProcess::Inputs FeaturesOfMeasured(
    const SearchSpace& space, const std::vector<MeasuredLatency>& measured) {
  GaussianProcess::Inputs features;
  for (const MeasuredLatency& one : measured) {
    features.push_back(Features(space, one.architecture));
  }
  return features;
}

}  // namespace

LatencyPredictor::LatencyPredictor(const SearchSpace& space,
                                   const std::vector<MeasuredLatency>& measured)
    : space_(space),
      mean_(Mean(LatenciesOf(measured))),
      process_(FeaturesOfMeasured(space, measured), LatenciesOf(measured),
               SharesSquared(LatenciesOf(measured), mean_)) {}

GaussianProcess::Inputs LatencyPredictor::FeaturesOf(
    const std::vector<Architecture>& architectures) const {
  GaussianProcess::Inputs features;
  for (const Architecture& one : architectures) {
    features.push_back(Features(space_, one));
  }
  return features;
}

std::vector<Belief> LatencyPredictor::Predict(
    const std::vector<Architecture>& architectures) const {
  return process_.Predict(FeaturesOf(architectures));
}

std::vector<std::size_t> LatencyPredictor::NextToMeasure(
    const std::vector<Architecture>& pool, std::size_t count) const {
  const GaussianProcess::Inputs features = FeaturesOf(pool);
  GaussianProcess process = process_;
  std::vector<std::size_t> chosen;
  while (chosen.size() < std::min(count, pool.size())) {
    const std::vector<Belief> beliefs = process.Predict(features);
    const auto doubt = [&](std::size_t i) {
      return beliefs[i].deviation / std::max(beliefs[i].mean, 1e-3 * mean_);
    };
    std::size_t best = pool.size();
    for (std::size_t i = 0; i < pool.size(); ++i) {
      if (std::find(chosen.begin(), chosen.end(), i) != chosen.end()) continue;
      if (best == pool.size() || doubt(i) > doubt(best)) best = i;
    }
    const double mean = beliefs[best].mean;
    process.Add(features[best], mean, std::pow(mean / mean_, 2));
    chosen.push_back(best);
  }
  return chosen;
}

BlockStacks SampleStacks(const SearchSpace& space, std::int64_t number,
                         Rng& rng) {
  BlockStacks stacks;
  stacks.single = space.Sample(rng);
  const bool encodes = !stacks.single.encoder.empty();
  const bool decodes = !stacks.single.decoder.empty();
  stacks.decoder = decodes && (!encodes || number % 2 == 1);
  const auto& depths =
      stacks.decoder ? space.DecoderLayers() : space.EncoderLayers();
  const auto copies =
      static_cast<std::size_t>(*std::max_element(depths.begin(), depths.end()));
  const auto side = [&](Architecture& network) -> std::vector<BlockSpec>& {
    return stacks.decoder ? network.decoder : network.encoder;
  };
  const BlockSpec block = side(stacks.single).front();
  side(stacks.single).assign(copies, block);
  stacks.doubled = stacks.single;
  side(stacks.doubled).assign(2 * copies, block);
  return stacks;
}

BlockCost CostOfBlock(const BlockStacks& stacks, double single,
                      double doubled) {
  const auto copies =
      static_cast<double>(stacks.decoder ? stacks.single.decoder.size()
                                         : stacks.single.encoder.size());
  return {(doubled - single) / copies, 2 * single - doubled};
}

LatencyErrors Compare(const std::vector<double>& a,
                      const std::vector<double>& b) {
  HONE_CHECK_EQ(a.size(), b.size());
  HONE_CHECK_LE(2u, a.size());
  LatencyErrors errors;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double share = std::abs(a[i] - b[i]) / b[i];
    errors.mean_share += share / static_cast<double>(a.size());
    errors.largest_share = std::max(errors.largest_share, share);
  }
  errors.rank_correlation = Correlation(RanksOf(a), RanksOf(b));
  return errors;
}

}  // namespace hone
