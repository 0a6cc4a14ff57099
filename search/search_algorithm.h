#pragma once

#include <functional>
#include <memory>
#include <optional>
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
  // architecture proposed before at the same fidelity. Fewer than `count` when
  // no more is known before those are observed; none when the space has no
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

// An architecture and how the algorithm came by it.
struct Draft {
  Architecture architecture;
  std::string origin;
};

// Keeps proposals distinct: draws until an architecture is new and allowed, and
// where draws keep repeating, takes a random one of those that are left.
class DistinctProposals {
 public:
  // `allowed` narrows the space further.
  using Allowed = std::function<bool(const Architecture&)>;
  explicit DistinctProposals(
      const SearchSpace& space,
      Allowed allowed = [](const Architecture&) { return true; })
      : space_(space), allowed_(std::move(allowed)) {}

  // The proposals number `first` ... `first + count - 1`, each drawn from its
  // own random stream. Fewer when none are left (known only in spaces of at
  // most 100,000 architectures, or when 200 draws in turn were nothing new).
  using Draw = std::function<Draft(std::int64_t number, Rng&)>;
  std::vector<Proposal> Suggest(const AlgorithmContext& context,
                                std::int64_t first, int count,
                                const Draw& draw);

 private:
  std::optional<Draft> Next(std::int64_t number, const Draw& draw, Rng& rng);

  const SearchSpace& space_;
  Allowed allowed_;
  std::set<std::string> proposed_;  // architecture hashes
};

}  // namespace hone
