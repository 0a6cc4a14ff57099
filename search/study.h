#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "eval/evaluator.h"
#include "search/search_algorithm.h"
#include "search/trial_store.h"
#include "space/base/fields.h"

namespace hone {

// The [search] table.
struct StudyOptions {
  std::string algorithm = "nsga2";
  std::int64_t trials = 32;
  std::int64_t batch = 8;
  std::string fidelity = "trained";
  std::int64_t population = 16;
  double crossover_rate = 0.5;
  double mutation_rate = 0.15;
  double fresh_share = 0.1;
  std::int64_t mixed_seeds = 4;

  template <typename Self, typename Visitor>
  static void Fields(Self& self, Visitor&& visit) {
    visit("algorithm", self.algorithm, OneOf{{"random", "nsga2"}},
          "which architectures to try next");
    visit("trials", self.trials, InRange{1, 1e7},
          "how many; may be raised later to go on");
    visit("batch", self.batch, InRange{1, 4096},
          "trials that are suggested, trained and timed together");
    visit("fidelity", self.fidelity, OneOf{{"cost", "trained"}},
          "trained: really train, quantize, export and measure; cost: numbers "
          "from the cost model alone");
    visit("population", self.population, InRange{2, 10000},
          "nsga2: how many of the best trials may be parents");
    visit("crossover_rate", self.crossover_rate, InRange{0, 1},
          "nsga2: share of children with two parents");
    visit("mutation_rate", self.mutation_rate, InRange{0, 1},
          "nsga2: probability that a gene is redrawn");
    visit("fresh_share", self.fresh_share, InRange{0, 1},
          "nsga2: share of suggestions that are random samples");
    visit("mixed_seeds", self.mixed_seeds, InRange{0, 1000},
          "nsga2: most suggestions that give the largest architecture's blocks "
          "precisions by how their rounding raises the loss, squared gradients "
          "times squared errors, and by what each costs in the last objective; "
          "they share one trained student");
  }
};

// Runs a search: the loop, and the only writer of its store. What it does is a
// function of the algorithm, the evaluator and the study's seed: a study that
// was killed, however often, goes on as if it had not been.
class Study {
 public:
  // Told of every finished trial, in order; `stored` ones were there before.
  using OnTrial = std::function<void(const Trial& trial, bool stored)>;

  // All must outlive the study. The store holds its StudyInfo already.
  Study(SearchAlgorithm& algorithm, Evaluator& evaluator, TrialStore& store,
        const StudyOptions& options);
  void set_on_trial(OnTrial on_trial) { on_trial_ = std::move(on_trial); }
  // Checked between batches: Error{kCancelled} when true.
  void set_cancelled(const std::atomic<bool>* cancelled) {
    cancelled_ = cancelled;
  }

  // Up to options.trials trials, or fewer when the space has no more. Batches
  // begin at multiples of options.batch whatever the number of trials, so a
  // raised number continues the same study. Stored trials are replayed through
  // the algorithm and must be what it suggests again, else Error{kIntegrity}.
  void Run();

 private:
  std::vector<Trial> RunBatch(std::int64_t first,
                              const std::vector<Proposal>& proposals,
                              const std::vector<Trial>& stored,
                              std::uint64_t seed);

  SearchAlgorithm& algorithm_;
  Evaluator& evaluator_;
  TrialStore& store_;
  StudyOptions options_;
  OnTrial on_trial_;
  const std::atomic<bool>* cancelled_ = nullptr;
};

// The present time in UTC, "2026-01-31T12:00:00Z".
std::string UtcNow();

}  // namespace hone
