#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "search/objective.h"
#include "search/trial.h"
#include "space/search_space.h"

namespace hone {

// A suggestion and how the algorithm came by it.
struct Proposal {
  Suggestion suggestion;
  std::string origin;
};

// Proposes architectures. Its state is a pure function of the calls made so
// far, so a study is resumed by making them again. Suggestion k draws from the
// random stream labelled k of the study's seed.
class SearchAlgorithm {
 public:
  virtual ~SearchAlgorithm() = default;
  virtual std::string Name() const = 0;
  // The proposals number `first` ... `first + count - 1`. None repeats an
  // architecture proposed before. Fewer than `count` when the space has no
  // more.
  virtual std::vector<Proposal> Suggest(std::int64_t first, int count) = 0;
  // The finished trials of the last Suggest, in order, failed ones included.
  virtual void Observe(const std::vector<Trial>& trials) = 0;
};

// What every algorithm needs to know of its study.
struct AlgorithmContext {
  const SearchSpace* space = nullptr;  // must outlive the algorithm
  std::uint64_t study_seed = 0;
  Fidelity fidelity = Fidelity::kTrained;
  std::vector<Objective> objectives;
  std::vector<Constraint> constraints;
  // Evaluator::PrecisionErrors of an architecture; may be empty.
  std::function<std::vector<std::vector<double>>(
      const Architecture& architecture,
      const std::vector<Precision>& precisions)>
      precision_errors;
};

// Keeps proposals distinct: draws until an architecture is new, and where draws
// keep repeating, takes a random one of those that are left.
class DistinctProposals {
 public:
  explicit DistinctProposals(const SearchSpace& space) : space_(space) {}
  // `draw` returns a candidate and its origin. Empty when none is left (known
  // only in spaces of at most 100,000 architectures).
  using Draw = std::function<std::pair<Architecture, std::string>(Rng&)>;
  std::vector<std::pair<Architecture, std::string>> Next(const Draw& draw,
                                                         Rng& rng);

 private:
  const SearchSpace& space_;
  std::set<std::string> proposed_;  // architecture hashes
};

}  // namespace hone
