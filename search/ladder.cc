#include "search/ladder.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "search/individual.h"
#include "space/base/error.h"

namespace hone {
namespace {

class Ladder : public SearchAlgorithm {
 public:
  Ladder(std::unique_ptr<SearchAlgorithm> inner,
         const AlgorithmContext& context, const LadderOptions& options)
      : inner_(std::move(inner)),
        context_(context),
        options_(options),
        rungs_(options.rungs.size()) {}

  std::string Name() const override { return options_.name; }

  std::vector<Proposal> Suggest(std::int64_t first, int count) override {
    std::vector<Proposal> proposals;
    while (static_cast<int>(proposals.size()) < count) {
      const auto number = first + static_cast<std::int64_t>(proposals.size());
      std::optional<Proposal> next = Promotion(/*everyone=*/false);
      if (!next) next = FromInner(number);
      if (!next) next = Promotion(/*everyone=*/true);
      if (!next) break;
      proposals.push_back(*std::move(next));
    }
    return proposals;
  }

  void Observe(const std::vector<Trial>& trials) override {
    std::vector<Trial> lowest;
    for (const Trial& trial : trials) {
      const auto rung = std::find(options_.rungs.begin(), options_.rungs.end(),
                                  trial.fidelity);
      HONE_CHECK(rung != options_.rungs.end());
      const auto index =
          static_cast<std::size_t>(rung - options_.rungs.begin());
      if (index == 0) lowest.push_back(trial);
      for (Individual& one : IndividualsOf({trial}, context_)) {
        rungs_[index].finished.push_back(std::move(one));
      }
    }
    inner_->Observe(lowest);
    for (Rung& rung : rungs_) SortByFitness(rung.finished);
  }

 private:
  struct Rung {
    std::vector<Individual> finished;  // the best first
    std::set<Architecture> promoted;
  };

  // The best that may go on, of the highest rung that has one.
  std::optional<Proposal> Promotion(bool everyone) {
    for (std::size_t i = rungs_.size() - 1; i-- > 0;) {
      Rung& rung = rungs_[i];
      const auto all = rung.finished.size();
      const auto best =
          everyone ? all
                   : static_cast<std::size_t>(static_cast<double>(all) /
                                              options_.reduction);
      for (std::size_t place = 0; place < best; ++place) {
        const Individual& one = rung.finished[place];
        if (one.violation > 0) break;
        if (!rung.promoted.insert(one.architecture).second) continue;
        return Proposal{{one.architecture, options_.rungs[i + 1]}, "promoted"};
      }
    }
    return std::nullopt;
  }

  std::optional<Proposal> FromInner(std::int64_t number) {
    std::vector<Proposal> proposals = inner_->Suggest(number, 1);
    if (proposals.empty()) return std::nullopt;
    return std::move(proposals.front());
  }

  std::unique_ptr<SearchAlgorithm> inner_;
  AlgorithmContext context_;
  LadderOptions options_;
  std::vector<Rung> rungs_;
};

}  // namespace

std::unique_ptr<SearchAlgorithm> MakeLadder(
    const std::function<
        std::unique_ptr<SearchAlgorithm>(const AlgorithmContext&)>& make,
    const AlgorithmContext& context, const LadderOptions& options) {
  HONE_CHECK(options.rungs.size() >= 2);
  AlgorithmContext lowest = context;
  lowest.fidelity = options.rungs.front();
  return std::make_unique<Ladder>(make(lowest), context, options);
}

}  // namespace hone
