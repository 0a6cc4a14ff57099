#include "search/nsga2.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "search/pareto.h"
#include "space/variation.h"

namespace hone {
namespace {

struct Individual {
  Architecture architecture;
  Point point;
  double violation = 0;
  int rank = 0;
  double crowding = 0;

  // Smaller is fitter.
  auto Fitness() const { return std::tuple(violation, rank, -crowding); }
};

// Ranks feasible individuals by domination; infeasible ones differ by violation
// alone. Crowding is measured within a rank.
void Rank(std::vector<Individual>& individuals) {
  std::vector<std::size_t> feasible;
  std::vector<Point> points;
  for (std::size_t i = 0; i < individuals.size(); ++i) {
    individuals[i].rank = 0;
    individuals[i].crowding = 0;
    if (individuals[i].violation > 0) continue;
    feasible.push_back(i);
    points.push_back(individuals[i].point);
  }
  const std::vector<int> ranks = NonDominatedRanks(points);
  const int last =
      ranks.empty() ? -1 : *std::max_element(ranks.begin(), ranks.end());
  for (int rank = 0; rank <= last; ++rank) {
    std::vector<std::size_t> members;
    std::vector<Point> front;
    for (std::size_t i = 0; i < feasible.size(); ++i) {
      if (ranks[i] != rank) continue;
      members.push_back(feasible[i]);
      front.push_back(points[i]);
    }
    const std::vector<double> crowding = CrowdingDistances(front);
    for (std::size_t i = 0; i < members.size(); ++i) {
      individuals[members[i]].rank = rank;
      individuals[members[i]].crowding = crowding[i];
    }
  }
}

class Nsga2 : public SearchAlgorithm {
 public:
  Nsga2(const AlgorithmContext& context, const Nsga2Options& options)
      : context_(context), options_(options), distinct_(*context.space) {}

  std::string Name() const override { return "nsga2"; }

  std::vector<Proposal> Suggest(std::int64_t first, int count) override {
    std::vector<Proposal> proposals;
    for (std::int64_t number = first; number < first + count; ++number) {
      Rng rng(context_.study_seed, number, "suggest");
      for (auto& [architecture, origin] : distinct_.Next(
               [&](Rng& stream) { return Draw(number, stream); }, rng)) {
        proposals.push_back(
            {{std::move(architecture), context_.fidelity}, origin});
      }
    }
    return proposals;
  }

  void Observe(const std::vector<Trial>& trials) override {
    for (const Trial& trial : trials) {
      if (trial.state() != TrialState::kComplete) continue;
      population_.push_back({trial.architecture,
                             MinimizedValues(trial, context_.objectives),
                             Violation(trial, context_.constraints)});
    }
    Rank(population_);
    std::stable_sort(population_.begin(), population_.end(),
                     [](const Individual& a, const Individual& b) {
                       return a.Fitness() < b.Fitness();
                     });
    const auto kept = static_cast<std::size_t>(options_.population);
    if (population_.size() > kept) {
      population_.erase(population_.begin() + static_cast<std::ptrdiff_t>(kept),
                        population_.end());
      Rank(population_);
    }
  }

 private:
  std::pair<Architecture, std::string> Draw(std::int64_t number, Rng& rng) {
    const SearchSpace& space = *context_.space;
    if (const auto anchor = Anchor(number)) return {*anchor, "anchor"};
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

  // The largest and the smallest architecture, each once.
  std::optional<Architecture> Anchor(std::int64_t number) {
    if (number > 1 || anchored_ > number) return std::nullopt;
    anchored_ = number + 1;
    return number == 0 ? context_.space->Largest() : context_.space->Smallest();
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
  std::int64_t anchored_ = 0;  // suggestions that tried their anchor
};

}  // namespace

std::unique_ptr<SearchAlgorithm> MakeNsga2(const AlgorithmContext& context,
                                           const Nsga2Options& options) {
  return std::make_unique<Nsga2>(context, options);
}

}  // namespace hone
