#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "space/base/fields.h"

namespace hone {

// The algorithms that MakeSearchAlgorithm knows.
const std::vector<std::string>& SearchAlgorithmNames();

// The [search] table.
struct StudyOptions {
  std::string algorithm = "nsga2";
  std::int64_t trials = 32;
  std::int64_t batch = 8;
  std::string fidelity = "trained";
  std::vector<std::string> rungs = {};
  double reduction = 3;
  bool other_precisions = true;
  std::string rung_precision = "";
  std::int64_t short_steps = 300;
  std::int64_t population = 16;
  std::int64_t tournament = 4;
  double crossover_rate = 0.5;
  double mutation_rate = 0.15;
  double fresh_share = 0.1;
  std::int64_t mixed_seeds = 4;

  template <typename Self, typename Visitor>
  static void Fields(Self& self, Visitor&& visit) {
    visit("algorithm", self.algorithm, OneOf{SearchAlgorithmNames()},
          "which architectures to try next; predictor: those from which models "
          "of the trials so far expect most; random and uniform-scaling (all "
          "blocks alike) are the controls");
    visit("trials", self.trials, InRange{1, 1e7},
          "how many; may be raised later to go on");
    visit("batch", self.batch, InRange{1, 4096},
          "trials that are suggested, trained and timed together");
    visit("fidelity", self.fidelity, OneOf{{"cost", "trained"}},
          "trained: really train, quantize, export and measure; cost: numbers "
          "from the cost model alone");
    visit("rungs", self.rungs, OneOf{{"inherited", "short"}},
          "cheaper fidelities below that, the cheapest first: every suggestion "
          "begins at the first, and the best of each go on to the next; "
          "inherited: weights of the supernet; short: short_steps of training");
    visit(
        "reduction", self.reduction, InRange{1.1, 1000},
        "one of so many goes on to the next rung, by domination and crowding");
    visit("other_precisions", self.other_precisions, AnyValue{},
          "with rungs: measure what reaches the full fidelity there at each "
          "other precision of the space too, all blocks alike; its training "
          "serves all");
    visit(
        "rung_precision", self.rung_precision, AnyValue{},
        "with other_precisions: the one precision of the space that networks "
        "have below the full fidelity, so that each is another student; \"\": "
        "any of them, block by block");
    visit("short_steps", self.short_steps, InRange{1, 1e8},
          "steps of training at the fidelity short");
    visit(
        "population", self.population, InRange{2, 10000},
        "nsga2 and predictor: how many of the best trials may be parents, and "
        "in nsga2 how many trials come first; regularized-evolution: how many "
        "of the last");
    visit("tournament", self.tournament, InRange{1, 10000},
          "regularized-evolution: how many of them compete to be a parent");
    visit("crossover_rate", self.crossover_rate, InRange{0, 1},
          "nsga2 and predictor: share of children with two parents");
    visit("mutation_rate", self.mutation_rate, InRange{0, 1},
          "probability that a gene of a child is redrawn");
    visit("fresh_share", self.fresh_share, InRange{0, 1},
          "nsga2 and predictor: share of suggestions that are random samples");
    visit("mixed_seeds", self.mixed_seeds, InRange{0, 1000},
          "nsga2: most suggestions that give the largest architecture's blocks "
          "precisions by how their rounding raises the loss, squared gradients "
          "times squared errors, and by what each costs in the last objective; "
          "they share one trained student");
  }
};

}  // namespace hone
