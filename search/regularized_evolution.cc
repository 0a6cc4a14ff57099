#include "search/regularized_evolution.h"

#include <algorithm>
#include <deque>

#include "search/individual.h"
#include "space/variation.h"

namespace hone {
namespace {

class RegularizedEvolution : public SearchAlgorithm {
 public:
  RegularizedEvolution(const AlgorithmContext& context,
                       const RegularizedEvolutionOptions& options)
      : context_(context), options_(options), distinct_(*context.space) {}

  std::string Name() const override { return "regularized-evolution"; }

  std::vector<Proposal> Suggest(std::int64_t first, int count) override {
    return distinct_.Suggest(
        context_, first, count,
        [&](std::int64_t number, Rng& rng) { return Draw(number, rng); });
  }

  void Observe(const std::vector<Trial>& trials) override {
    for (Individual& one : IndividualsOf(trials, context_)) {
      population_.push_back(std::move(one));
    }
    while (static_cast<std::int64_t>(population_.size()) >
           options_.population) {
      population_.pop_front();
    }
  }

 private:
  Draft Draw(std::int64_t number, Rng& rng) const {
    const SearchSpace& space = *context_.space;
    if (number < options_.population || population_.empty()) {
      return {space.Sample(rng), "random"};
    }
    return {Mutate(space, Tournament(rng), options_.mutation_rate, rng),
            "mutation"};
  }

  Architecture Tournament(Rng& rng) const {
    std::vector<std::size_t> places(population_.size());
    for (std::size_t i = 0; i < places.size(); ++i) places[i] = i;
    rng.Shuffle(places);
    places.resize(
        std::min(places.size(), static_cast<std::size_t>(options_.tournament)));
    std::vector<Individual> rivals;
    for (const std::size_t place : places) rivals.push_back(population_[place]);
    RankIndividuals(rivals);
    return std::min_element(rivals.begin(), rivals.end(),
                            [](const Individual& a, const Individual& b) {
                              return a.Fitness() < b.Fitness();
                            })
        ->architecture;
  }

  AlgorithmContext context_;
  RegularizedEvolutionOptions options_;
  DistinctProposals distinct_;
  std::deque<Individual> population_;  // the oldest first
};

}  // namespace

std::unique_ptr<SearchAlgorithm> MakeRegularizedEvolution(
    const AlgorithmContext& context,
    const RegularizedEvolutionOptions& options) {
  return std::make_unique<RegularizedEvolution>(context, options);
}

}  // namespace hone
