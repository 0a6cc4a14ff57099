// Runs a search algorithm on a table: a study that measured every architecture
// of its space at one fidelity.
//
//   build/release/experiments/table_search STUDY --algorithm NAME
//       [--seeds N] [--trials N] [--batch N] [--precision WORD]
//
// STUDY is of a text classification. Prints JSON, for each seed 1 ... N the
// numbers of STUDY's trials in the order in which the algorithm proposes them.
// What it observes of each is what STUDY measured. Other options are those of
// the study's spec, so that an algorithm does here what it does in a search.

#include <iostream>
#include <map>

#include "eval/evaluator.h"
#include "experiments/arguments.h"
#include "experiments/bench/bench_main.h"
#include "experiments/search_spec.h"
#include "search/make_algorithm.h"
#include "search/sqlite_trial_store.h"
#include "search/study.h"
#include "space/base/error.h"

namespace hone {
namespace {

constexpr std::int64_t kClasses = 45;  // of the glosses; only the head's cost

// Looks up what a study measured.
class Table : public Evaluator {
 public:
  Table(const std::vector<Trial>& trials, Fidelity fidelity) {
    for (const Trial& trial : trials) {
      if (trial.fidelity == fidelity) {
        trials_.emplace(trial.architecture, &trial);
      }
    }
  }

  std::vector<Outcome> Evaluate(const std::vector<Candidate>& batch) override {
    std::vector<Outcome> outcomes;
    for (const Candidate& one : batch) {
      outcomes.push_back(Find(one.architecture).outcome);
    }
    return outcomes;
  }

  const Trial& Find(const Architecture& architecture) const {
    const auto found = trials_.find(architecture);
    if (found != trials_.end()) return *found->second;
    throw Error(ErrorCode::kNotFound,
                "the study did not measure all of its space");
  }

  std::size_t size() const { return trials_.size(); }

 private:
  std::map<Architecture, const Trial*> trials_;
};

// The table's numbers in the order of the proposals.
std::vector<std::int64_t> Run(const SearchSpec& spec, const StudyInfo& table_of,
                              const SearchSpace& space, Table& table,
                              Fidelity fidelity) {
  AlgorithmContext context;
  context.space = &space;
  context.study_seed = static_cast<std::uint64_t>(spec.study.seed);
  context.fidelity = fidelity;
  context.objectives = table_of.objectives;
  context.constraints = table_of.constraints;
  const auto algorithm = MakeSearchAlgorithm(context, spec.search);
  const auto store = MakeMemoryTrialStore();
  StudyInfo info = table_of;
  info.seed = context.study_seed;
  store->CreateStudy(info);
  Study(*algorithm, table, *store, spec.search).Run();
  std::vector<std::int64_t> numbers;
  for (const Trial& trial : store->LoadTrials()) {
    numbers.push_back(table.Find(trial.architecture).number);
  }
  return numbers;
}

int Main(const std::vector<std::string>& words) {
  const Arguments arguments =
      ParseArguments({"table_search",
                      "a search algorithm on a table",
                      "STUDY",
                      1,
                      1,
                      {{"algorithm", "NAME", "as search.algorithm"},
                       {"seeds", "N", "how many searches"},
                       {"trials", "N", "of each; all of the space by default"},
                       {"batch", "N", "as search.batch; 8 by default"},
                       {"precision", "WORD", "of all that is tried"}},
                      ""},
                     words);
  const SqliteTrialStore store(arguments.positionals[0],
                               SqliteTrialStore::Mode::kRead);
  const std::optional<StudyInfo> info = store.LoadStudy();
  if (!info) throw Error(ErrorCode::kNotFound, "no study in the file");
  SearchSpec spec = SpecFromJson(info->spec);
  const std::vector<Trial> trials = store.LoadTrials();
  const Fidelity fidelity = spec.search.rungs.empty()
                                ? ParseFidelity(spec.search.fidelity)
                                : ParseFidelity(spec.search.rungs.front());
  Table table(trials, fidelity);
  TaskShape shape;
  shape.vocabulary = spec.task.vocabulary_size;
  shape.classes = kClasses;
  shape.max_tokens = spec.task.max_tokens;
  if (arguments.Has("precision")) {
    spec.space.precision = {arguments.Text("precision", "")};
  }
  const SearchSpace space(spec.space, shape);
  spec.search.rungs.clear();
  spec.search.algorithm = arguments.Text("algorithm", spec.search.algorithm);
  spec.search.trials = arguments.Integer(
      "trials", static_cast<std::int64_t>(table.size()), 1, 10'000'000);
  spec.search.batch = arguments.Integer("batch", StudyOptions{}.batch, 1, 4096);
  Json runs = Json::array();
  for (std::int64_t seed = 1; seed <= arguments.Integer("seeds", 10, 1, 10000);
       ++seed) {
    spec.study.seed = seed;
    runs.push_back(Run(spec, *info, space, table, fidelity));
  }
  std::cout << runs.dump() << "\n";
  return 0;
}

}  // namespace
}  // namespace hone

int main(int argc, char** argv) {
  return hone::RunBenchmark("table_search", hone::Main, argc, argv);
}
