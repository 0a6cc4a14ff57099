#include "search/make_algorithm.h"

#include <functional>
#include <map>

#include "search/control_search.h"
#include "search/ladder.h"
#include "search/nsga2.h"
#include "search/predictor_search.h"
#include "search/regularized_evolution.h"
#include "space/base/error.h"

namespace hone {
namespace {

using Factory = std::function<std::unique_ptr<SearchAlgorithm>(
    const AlgorithmContext&, const StudyOptions&)>;

const std::map<std::string, Factory>& Factories() {
  static const std::map<std::string, Factory> factories{
      {"random", [](const AlgorithmContext& context,
                    const StudyOptions&) { return MakeRandomSearch(context); }},
      {"uniform-scaling",
       [](const AlgorithmContext& context, const StudyOptions&) {
         return MakeUniformScaling(context);
       }},
      {"successive-halving",
       [](const AlgorithmContext& context, const StudyOptions& options) {
         if (options.rungs.empty()) {
           throw Error(ErrorCode::kUsage,
                       "search.algorithm \"successive-halving\" needs "
                       "search.rungs, such as [\"inherited\", \"short\"]");
         }
         return MakeRandomSearch(context);
       }},
      {"nsga2",
       [](const AlgorithmContext& context, const StudyOptions& options) {
         return MakeNsga2(context, {options.population, options.crossover_rate,
                                    options.mutation_rate, options.fresh_share,
                                    options.mixed_seeds});
       }},
      {"predictor",
       [](const AlgorithmContext& context, const StudyOptions& options) {
         return MakePredictorSearch(
             context, {options.population, options.crossover_rate,
                       options.mutation_rate, options.fresh_share});
       }},
      {"regularized-evolution",
       [](const AlgorithmContext& context, const StudyOptions& options) {
         return MakeRegularizedEvolution(
             context,
             {options.population, options.tournament, options.mutation_rate});
       }},
  };
  return factories;
}

LadderOptions LadderOf(const AlgorithmContext& context,
                       const StudyOptions& options) {
  LadderOptions ladder{{},
                       options.reduction,
                       options.other_precisions,
                       options.rung_precision,
                       options.algorithm};
  for (const std::string& rung : options.rungs) {
    ladder.rungs.push_back(ParseFidelity(rung));
  }
  ladder.rungs.push_back(context.fidelity);
  return ladder;
}

}  // namespace

const std::vector<std::string>& SearchAlgorithmNames() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto& [name, factory] : Factories()) all.push_back(name);
    return all;
  }();
  return names;
}

std::unique_ptr<SearchAlgorithm> MakeSearchAlgorithm(
    const AlgorithmContext& context, const StudyOptions& options) {
  const auto found = Factories().find(options.algorithm);
  if (found != Factories().end()) {
    if (options.rungs.empty()) return found->second(context, options);
    return MakeLadder(
        [&](const AlgorithmContext& lowest) {
          return found->second(lowest, options);
        },
        context, LadderOf(context, options));
  }
  throw Error(ErrorCode::kUsage,
              "unknown search algorithm '" + options.algorithm + "'" +
                  DidYouMean(options.algorithm, SearchAlgorithmNames()));
}

}  // namespace hone
