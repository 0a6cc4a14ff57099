#include "search/ladder.h"

#include <algorithm>
#include <deque>
#include <set>
#include <utility>

#include "search/individual.h"
#include "space/base/error.h"
#include "space/block_layers.h"

namespace hone {
namespace {

// Students that are trained in full at a time.
constexpr std::size_t kTogether = 2;

class Ladder : public SearchAlgorithm {
 public:
  // `lowest`: what the algorithm was told.
  Ladder(std::unique_ptr<SearchSpace> lower_space,
         std::unique_ptr<SearchAlgorithm> inner, const AlgorithmContext& lowest,
         const AlgorithmContext& context, const LadderOptions& options)
      : lower_space_(std::move(lower_space)),
        inner_(std::move(inner)),
        lowest_(lowest),
        context_(context),
        options_(options),
        rungs_(options.rungs.size()) {
    if (!options_.other_precisions) return;
    for (const std::string& word : context_.space->options().precision) {
      precisions_.push_back(ParsePrecision(word));
    }
  }

  std::string Name() const override { return options_.name; }

  std::vector<Proposal> Suggest(std::int64_t first, int count) override {
    std::vector<Proposal> proposals;
    const auto wanted = static_cast<std::size_t>(count);
    ProposeOtherPrecisions(wanted, proposals);
    Promote(/*everyone=*/false, wanted, proposals);
    if (proposals.size() < wanted) {
      for (Proposal& next :
           inner_->Suggest(first + static_cast<std::int64_t>(proposals.size()),
                           static_cast<int>(wanted - proposals.size()))) {
        proposals.push_back(std::move(next));
      }
    }
    Promote(/*everyone=*/true, wanted, proposals);
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
      const bool full = index + 1 == rungs_.size();
      for (Individual& one :
           IndividualsOf({trial}, full ? context_ : lowest_)) {
        if (full) FindOtherPrecisions(one.architecture);
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
    std::set<Architecture> promoted_students;  // without precisions
  };

  void FindOtherPrecisions(const Architecture& architecture) {
    std::set<Architecture>& full = rungs_[rungs_.size() - 2].promoted;
    for (const Precision precision : precisions_) {
      Architecture other = WithPrecision(architecture, precision);
      if (!context_.space->ConstraintViolation(other).empty()) continue;
      if (full.insert(other).second) others_.push_back(std::move(other));
    }
  }

  void ProposeOtherPrecisions(std::size_t wanted,
                              std::vector<Proposal>& proposals) {
    while (proposals.size() < wanted && !others_.empty()) {
      proposals.push_back(
          {{std::move(others_.front()), options_.rungs.back()}, "precision"});
      others_.pop_front();
    }
  }

  // The best that may go on, those of the highest rung first.
  void Promote(bool everyone, std::size_t wanted,
               std::vector<Proposal>& proposals) {
    for (std::size_t i = rungs_.size() - 1; i-- > 0;) {
      if (proposals.size() == wanted) return;
      Rung& rung = rungs_[i];
      std::vector<Architecture> chosen = Chosen(rung, everyone);
      const std::size_t students = StudentsFirst(rung, chosen);
      const bool to_full = i + 2 == rungs_.size();
      const bool lone = std::min(students, wanted - proposals.size()) <
                        std::min(kTogether, wanted);
      if (to_full && !everyone && lone) DropUntrained(rung, chosen);
      for (const Architecture& one : chosen) {
        if (proposals.size() == wanted) return;
        rung.promoted.insert(one);
        rung.promoted_students.insert(WithoutPrecision(one));
        proposals.push_back({{one, options_.rungs[i + 1]}, "promoted"});
      }
    }
  }

  // The best that have not gone on, until there are as many students as the
  // rung's share and one too many comes: precisions of one cost little.
  std::vector<Architecture> Chosen(const Rung& rung, bool everyone) const {
    const auto all = rung.finished.size();
    const auto most = everyone
                          ? all
                          : static_cast<std::size_t>(static_cast<double>(all) /
                                                     options_.reduction);
    std::vector<Architecture> chosen;
    std::set<Architecture> students;
    for (const Individual& one : rung.finished) {
      if (one.violation > 0) break;
      students.insert(WithoutPrecision(one.architecture));
      if (students.size() > most) break;
      if (!rung.promoted.contains(one.architecture)) {
        chosen.push_back(one.architecture);
      }
    }
    return chosen;
  }

  // Puts the best of each student that is not trained yet before the rest, and
  // returns how many they are.
  static std::size_t StudentsFirst(const Rung& rung,
                                   std::vector<Architecture>& chosen) {
    std::set<Architecture> known = rung.promoted_students;
    const auto rest = std::stable_partition(
        chosen.begin(), chosen.end(), [&](const auto& one) {
          return known.insert(WithoutPrecision(one)).second;
        });
    return static_cast<std::size_t>(rest - chosen.begin());
  }

  // For they would be trained with nothing beside them.
  static void DropUntrained(const Rung& rung,
                            std::vector<Architecture>& chosen) {
    std::erase_if(chosen, [&](const Architecture& one) {
      return !rung.promoted_students.contains(WithoutPrecision(one));
    });
  }

  std::unique_ptr<SearchSpace> lower_space_;  // inner_ refers to it
  std::unique_ptr<SearchAlgorithm> inner_;
  AlgorithmContext lowest_;
  AlgorithmContext context_;
  LadderOptions options_;
  std::vector<Rung> rungs_;
  std::vector<Precision> precisions_;
  std::deque<Architecture> others_;  // are proposed next
};

}  // namespace

std::unique_ptr<SearchAlgorithm> MakeLadder(
    const std::function<
        std::unique_ptr<SearchAlgorithm>(const AlgorithmContext&)>& make,
    const AlgorithmContext& context, const LadderOptions& options) {
  HONE_CHECK(options.rungs.size() >= 2);
  SearchSpaceOptions lower = context.space->options();
  if (!options.rung_precision.empty()) {
    HONE_CHECK(std::count(lower.precision.begin(), lower.precision.end(),
                          options.rung_precision) == 1);
    lower.precision = {options.rung_precision};
  }
  auto space = std::make_unique<SearchSpace>(lower, context.space->task());
  AlgorithmContext lowest = context;
  lowest.fidelity = options.rungs.front();
  lowest.space = space.get();
  std::erase_if(lowest.constraints, [](const Constraint& constraint) {
    return IsQuality(constraint.metric);
  });
  auto inner = make(lowest);
  return std::make_unique<Ladder>(std::move(space), std::move(inner), lowest,
                                  context, options);
}

}  // namespace hone
