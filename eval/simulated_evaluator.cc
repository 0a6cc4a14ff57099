#include "eval/simulated_evaluator.h"

#include <algorithm>
#include <cmath>

#include "space/base/rng.h"
#include "space/block_layers.h"

namespace hone {
namespace {

// Multiply-adds in a millisecond.
double Rate(const Precision& precision, Compute compute) {
  if (precision.IsFloat()) return compute == Compute::kBf16 ? 4e7 : 2e7;
  if (precision.int8_activations) return 6e7;
  return precision.weight_bits == 4 ? 3e7 : 2.5e7;
}

double PrecisionPenalty(const Precision& precision) {
  if (precision.IsFloat()) return 0;
  const double activations = precision.int8_activations ? 0.003 : 0;
  return activations +
         0.192 * std::exp2(-static_cast<double>(precision.weight_bits));
}

// The mean over the layers.
double PrecisionPenalty(const BlockSpec& block) {
  const auto layers = static_cast<double>(LinearRolesOf(block).size());
  double penalty = PrecisionPenalty(block.precision);
  for (const auto& [role, precision] : block.linears) {
    penalty +=
        (PrecisionPenalty(precision) - PrecisionPenalty(block.precision)) /
        layers;
  }
  return penalty;
}

// What layers of other precisions than the block's take beyond what they would
// in that.
double OtherPrecisionsMs(const StemSpec& stem, const BlockSpec& block,
                         double rows) {
  double milliseconds = 0;
  for (const auto& [role, precision] : block.linears) {
    if (Name(role).starts_with("cross.")) continue;
    const auto [in, out] = LinearSizeOf(stem, block, role);
    const std::int64_t weights =
        IsFactored(block.rank, in, out) ? block.rank * (in + out) : in * out;
    milliseconds += rows * static_cast<double>(weights) *
                    (1 / Rate(precision, stem.compute) -
                     1 / Rate(block.precision, stem.compute));
  }
  return milliseconds;
}

// What an encoder block adds; cross-attention is left out.
Cost BlockCost(const StemSpec& stem, BlockSpec block, TaskShape task,
               std::int64_t batch, std::int64_t tokens) {
  block.cross.reset();
  block.linears.clear();
  task.topology = Topology::kEncoder;
  const Cost one = CostOf({stem, {block}}, task, batch, tokens);
  const Cost two = CostOf({stem, {block, block}}, task, batch, tokens);
  Cost cost;
  cost.parameters = two.parameters - one.parameters;
  cost.multiply_adds = two.multiply_adds - one.multiply_adds;
  return cost;
}

// Of each block; its parameters do not depend on batch and tokens.
std::vector<Cost> BlockCosts(const Architecture& architecture,
                             const TaskShape& task, std::int64_t batch,
                             std::int64_t tokens) {
  std::vector<Cost> costs;
  for (const BlockSpec& block : AllBlocks(architecture)) {
    costs.push_back(BlockCost(architecture.stem, block, task, batch, tokens));
  }
  return costs;
}

double SimulatedAccuracy(const Architecture& architecture,
                         const std::vector<Cost>& costs) {
  double parameters = 0;
  double penalty = architecture.stem.compute == Compute::kBf16 ? 0.001 : 0;
  const std::vector<BlockSpec> blocks = AllBlocks(architecture);
  for (const Cost& cost : costs) {
    parameters += static_cast<double>(cost.parameters);
  }
  for (const BlockSpec& block : blocks) {
    const double local = block.attention.index() == 0 ? 0 : 0.003;
    const double many_heads =
        0.002 * std::log2(static_cast<double>(Heads(block.attention)));
    penalty += (PrecisionPenalty(block) + local - many_heads) /
               static_cast<double>(blocks.size());
  }
  const double width = static_cast<double>(architecture.stem.d_model);
  Rng scatter(0, 0, "simulated " + ArchitectureHash(architecture));
  return 0.82 - 0.25 * std::exp(-std::pow(parameters / 2e4, 0.4)) -
         0.6 / width - penalty + 0.002 * scatter.Normal();
}

// What an estimate of the accuracy lacks.
double EstimateLoss(const Architecture& architecture, Fidelity fidelity) {
  if (IsFull(fidelity)) return 0;
  const double mean = fidelity == Fidelity::kInherited ? 0.03 : 0.01;
  Rng scatter(
      0, 0, std::string(Name(fidelity)) + " " + ArchitectureHash(architecture));
  return mean + 0.2 * mean * scatter.Normal();
}

// `all` is the cost of the whole network.
double LatencyMs(const Architecture& architecture,
                 const std::vector<Cost>& costs, const Cost& all, double rows) {
  const Compute compute = architecture.stem.compute;
  double in_blocks = 0;
  double milliseconds = 0.05;
  const std::vector<BlockSpec> blocks = AllBlocks(architecture);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const auto multiply_adds = static_cast<double>(costs[i].multiply_adds);
    in_blocks += multiply_adds;
    milliseconds += 0.03 + multiply_adds / Rate(blocks[i].precision, compute);
    milliseconds += OtherPrecisionsMs(architecture.stem, blocks[i], rows);
  }
  return milliseconds +
         std::max(static_cast<double>(all.multiply_adds) - in_blocks, 0.0) /
             Rate(Precision::kF32, compute);
}

class SimulatedEvaluator : public Evaluator {
 public:
  SimulatedEvaluator(const TaskShape& task, const MeasurementOptions& options)
      : task_(task), options_(options) {}

  std::vector<Outcome> Evaluate(const std::vector<Candidate>& batch) override {
    std::vector<Outcome> outcomes;
    for (const Candidate& candidate : batch) {
      Measurement measured = Measure(candidate.architecture);
      measured.metrics.at("accuracy").value -=
          EstimateLoss(candidate.architecture, candidate.fidelity);
      outcomes.push_back(std::move(measured));
    }
    return outcomes;
  }

 private:
  Measurement Measure(const Architecture& architecture) const {
    const Cost cost =
        CostOf(architecture, task_, options_.batch, options_.tokens);
    const std::vector<Cost> blocks =
        BlockCosts(architecture, task_, options_.batch, options_.tokens);
    Measurement measurement;
    auto& metrics = measurement.metrics;
    metrics["accuracy"] = {
        SimulatedAccuracy(architecture, blocks), "1", {}, {}};
    metrics["latency_ms"] = {
        LatencyMs(architecture, blocks, cost,
                  static_cast<double>(options_.batch * options_.tokens)),
        "ms",
        {},
        {}};
    metrics["parameters"] = {static_cast<double>(cost.parameters), "1", {}, {}};
    metrics["multiply_adds"] = {
        static_cast<double>(cost.multiply_adds), "1", {}, {}};
    metrics["weight_bytes"] = {
        static_cast<double>(cost.weight_bytes), "B", {}, {}};
    measurement.environment["engine"] = "simulated";
    return measurement;
  }

  TaskShape task_;
  MeasurementOptions options_;
};

}  // namespace

double SimulatedLatencyMs(const Architecture& architecture,
                          const TaskShape& task, std::int64_t batch,
                          std::int64_t tokens) {
  return LatencyMs(architecture, BlockCosts(architecture, task, batch, tokens),
                   CostOf(architecture, task, batch, tokens),
                   static_cast<double>(batch * tokens));
}

std::unique_ptr<Evaluator> MakeSimulatedEvaluator(
    const TaskShape& task, const MeasurementOptions& options) {
  return std::make_unique<SimulatedEvaluator>(task, options);
}

}  // namespace hone
