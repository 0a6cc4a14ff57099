#pragma once

#include <memory>
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

}  // namespace hone
