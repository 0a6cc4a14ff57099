#include "search/nsga2.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>

#include "search/individual.h"
#include "search/mixed_precision.h"
#include "space/block_layers.h"
#include "space/variation.h"

namespace hone {
namespace {

class Nsga2 : public SearchAlgorithm {
 public:
  Nsga2(const AlgorithmContext& context, const Nsga2Options& options)
      : context_(context), options_(options), distinct_(*context.space) {
    const SearchSpace& space = *context_.space;
    if (const auto largest = space.Largest()) waiting_.push_back(*largest);
    if (const auto smallest = space.Smallest()) waiting_.push_back(*smallest);
    if (options_.mixed_seeds > 0 && context_.precision_errors) ProposeUniform();
  }

  std::string Name() const override { return "nsga2"; }

  std::vector<Proposal> Suggest(std::int64_t first, int count) override {
    ProposeMixed();
    return distinct_.Suggest(
        context_, first, count,
        [&](std::int64_t number, Rng& rng) { return Draw(number, rng); });
  }

  void Observe(const std::vector<Trial>& trials) override {
    for (const Trial& trial : trials) {
      if (trial.state() != TrialState::kComplete) continue;
      const auto uniform = uniform_.find(trial.architecture);
      if (uniform != uniform_.end()) {
        uniform->second = MinimizedValues(trial, context_.objectives).back();
      }
    }
    for (Individual& one : IndividualsOf(trials, context_)) {
      population_.push_back(std::move(one));
    }
    SortByFitness(population_);
    const auto kept = static_cast<std::size_t>(options_.population);
    if (population_.size() > kept) {
      population_.erase(population_.begin() + static_cast<std::ptrdiff_t>(kept),
                        population_.end());
      RankIndividuals(population_);
    }
  }

 private:
  // The largest architecture at each precision, to learn what they cost.
  void ProposeUniform() {
    const SearchSpace& space = *context_.space;
    const auto largest = space.Largest();
    if (!largest) return;
    for (const std::string& word : space.options().precision) {
      precisions_.push_back(ParsePrecision(word));
      const Architecture one = WithPrecision(*largest, precisions_.back());
      if (!space.ConstraintViolation(one).empty()) continue;
      uniform_[one] = std::nullopt;
      waiting_.push_back(one);
    }
  }

  // Once, when all of those are measured.
  void ProposeMixed() {
    if (uniform_.size() < 2 || uniform_.size() < precisions_.size()) return;
    const Architecture largest = *context_.space->Largest();
    const std::size_t blocks = AllBlocks(largest).size();
    std::vector<double> costs;
    for (std::size_t i = 0; i < precisions_.size(); ++i) {
      const auto cost = uniform_.at(WithPrecision(largest, precisions_[i]));
      if (!cost) return;
      costs.push_back(*cost / static_cast<double>(blocks));
    }
    uniform_.clear();
    const auto errors = context_.precision_errors(largest, precisions_);
    if (errors.empty()) return;
    const std::vector<std::vector<double>> table(blocks, costs);
    for (const Assignment& mixed :
         MixedAssignments(BestAssignments(errors, table),
                          static_cast<std::size_t>(options_.mixed_seeds))) {
      waiting_.push_back(Assigned(largest, mixed.choices));
    }
  }

  // A choice for each block.
  Architecture Assigned(Architecture architecture,
                        const std::vector<std::size_t>& choices) const {
    std::size_t next = 0;
    for (auto* blocks : {&architecture.encoder, &architecture.decoder}) {
      for (BlockSpec& block : *blocks) {
        block.precision = precisions_[choices[next++]];
      }
    }
    return architecture;
  }

  Draft Draw(std::int64_t number, Rng& rng) {
    const SearchSpace& space = *context_.space;
    if (!waiting_.empty()) {
      const Architecture anchor = waiting_.front();
      waiting_.pop_front();
      return {anchor, "anchor"};
    }
    if (number < options_.population || population_.size() < 2 ||
        rng.Bernoulli(options_.fresh_share)) {
      return {space.Sample(rng), "random"};
    }
    const Architecture& mother = Tournament(rng).architecture;
    if (!rng.Bernoulli(options_.crossover_rate)) {
      return {Mutate(space, mother, options_.mutation_rate, rng), "mutation"};
    }
    const Architecture& father = Tournament(rng).architecture;
    Architecture child = Crossover(space, mother, father, rng);
    if (rng.Bernoulli(0.5)) {
      child = Mutate(space, child, options_.mutation_rate, rng);
    }
    return {std::move(child), "crossover"};
  }

  const Individual& Tournament(Rng& rng) const {
    const Individual& a = rng.Pick(population_);
    const Individual& b = rng.Pick(population_);
    return b.Fitness() < a.Fitness() ? b : a;
  }

  AlgorithmContext context_;
  Nsga2Options options_;
  DistinctProposals distinct_;
  std::vector<Individual> population_;
  std::deque<Architecture> waiting_;  // anchors that are proposed next
  std::vector<Precision> precisions_;
  // The largest at each precision, with its cost once that is known.
  std::map<Architecture, std::optional<double>> uniform_;
};

}  // namespace

std::unique_ptr<SearchAlgorithm> MakeNsga2(const AlgorithmContext& context,
                                           const Nsga2Options& options) {
  return std::make_unique<Nsga2>(context, options);
}

}  // namespace hone
