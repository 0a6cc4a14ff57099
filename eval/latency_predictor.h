#pragma once

#include <cstddef>
#include <vector>

#include "space/base/rng.h"
#include "space/gaussian_process.h"
#include "space/search_space.h"

namespace hone {

// A latency in any unit, such as the ratio to the reference model.
struct MeasuredLatency {
  Architecture architecture;
  double latency = 0;
};

// What architectures of a space cost in an engine, learned from those that were
// measured: a Gaussian process over Features() (space/features.h), whose linear
// part is an additive model, what is around the blocks plus what each block
// adds, and whose smooth part is the residual of whole networks. Noise is taken
// to be a share of the latency. Immutable.
class LatencyPredictor {
 public:
  // Requires: at least one, all above 0. The space must outlive the predictor.
  LatencyPredictor(const SearchSpace& space,
                   const std::vector<MeasuredLatency>& measured);

  // Deviations are of the latency itself, without the noise of measuring.
  std::vector<Belief> Predict(
      const std::vector<Architecture>& architectures) const;
  // The `count` (or all) of the pool to measure next, as places in it: the one
  // whose deviation is the largest share of its latency, then the same as if
  // that had been measured to be what is predicted, and so on.
  std::vector<std::size_t> NextToMeasure(const std::vector<Architecture>& pool,
                                         std::size_t count) const;
  // The deviation of a measurement of a known latency, as a share of it.
  double noise_share() const { return process_.noise() / mean_; }

 private:
  GaussianProcess::Inputs FeaturesOf(
      const std::vector<Architecture>& architectures) const;

  const SearchSpace& space_;
  double mean_ = 0;  // of the latencies
  GaussianProcess process_;
};

// Networks of N and of 2N blocks of one kind: what a block of a kind costs
// among its like, measured.
struct BlockStacks {
  Architecture single;   // N copies
  Architecture doubled;  // 2N
  bool decoder = false;  // where the copies stand
};
// Of a random block of the space, in a random network's stem (and other side);
// N is the largest depth of the space. Sides alternate with `number` where a
// network has both.
BlockStacks SampleStacks(const SearchSpace& space, std::int64_t number,
                         Rng& rng);
// From the latencies T(N) and T(2N).
struct BlockCost {
  double block = 0;   // (T(2N) - T(N)) / N
  double around = 0;  // 2 T(N) - T(2N): everything else
};
BlockCost CostOfBlock(const BlockStacks& stacks, double single, double doubled);

// How far one list of latencies is from another.
struct LatencyErrors {
  double mean_share = 0;        // mean of |a - b| / b
  double largest_share = 0;     // largest of those
  double rank_correlation = 0;  // Spearman's; equal values share their rank
};
// Requires: as many, at least two, b above 0.
LatencyErrors Compare(const std::vector<double>& a,
                      const std::vector<double>& b);

}  // namespace hone
