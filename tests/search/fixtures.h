#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "eval/simulated_evaluator.h"
#include "search/make_algorithm.h"
#include "search/study.h"
#include "search/trial_store.h"
#include "space/base/error.h"
#include "tests/space/shapes.h"

namespace hone {

inline const TaskShape kTestTask = ClassifierShape(1000, 10, 32);

inline SearchSpace TestSpace() {
  SearchSpaceOptions options;
  options.d_model = {32, 64, 128};
  options.layers = {1, 2, 3};
  options.heads = {2, 4};
  options.feed_forward = {64, 128, 256};
  options.attention = {"full", "local:4"};
  return SearchSpace(options, kTestTask);
}

// Eight architectures in all.
inline SearchSpace TinySpace() {
  SearchSpaceOptions options;
  options.d_model = {32};
  options.layers = {1};
  options.heads = {2, 4};
  options.feed_forward = {64, 128};
  options.precision = {"f32", "w8a8"};
  return SearchSpace(options, kTestTask);
}

inline const std::vector<Objective> kTestObjectives = {
    {"accuracy", Direction::kMaximize}, {"latency_ms", Direction::kMinimize}};

inline AlgorithmContext TestContext(const SearchSpace& space,
                                    std::uint64_t seed) {
  AlgorithmContext context;
  context.space = &space;
  context.study_seed = seed;
  context.fidelity = Fidelity::kCost;
  context.objectives = kTestObjectives;
  return context;
}

inline StudyInfo TestInfo(std::uint64_t seed) {
  StudyInfo info;
  info.name = "test";
  info.spec = {{"search", {{"trials", 10}}}};
  info.spec_hash = "hash of the spec";
  info.seed = seed;
  info.objectives = kTestObjectives;
  info.program_version = "0";
  return info;
}

inline std::unique_ptr<SearchAlgorithm> TestAlgorithm(
    const std::string& name, const AlgorithmContext& context) {
  StudyOptions options;
  options.algorithm = name;
  options.population = 8;
  if (name == "successive-halving") options.rungs = {"inherited", "short"};
  return MakeSearchAlgorithm(context, options);
}

// The simulated evaluator, which fails each fifth architecture by its hash and
// counts how often each was asked for.
class TestEvaluator : public Evaluator {
 public:
  std::vector<Outcome> Evaluate(const std::vector<Candidate>& batch) override {
    std::vector<Outcome> outcomes = inner_->Evaluate(batch);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      ++calls_[ArchitectureHash(batch[i].architecture)];
      if (ArchitectureHash(batch[i].architecture)[0] < '3') {
        outcomes[i] = Failure{"diverged", "as the test wants"};
      }
    }
    return outcomes;
  }
  const std::map<std::string, int>& calls() const { return calls_; }

 private:
  std::unique_ptr<Evaluator> inner_ = MakeSimulatedEvaluator(kTestTask, {});
  std::map<std::string, int> calls_;
};

// Runs a study in `store` up to `trials`, made from nothing but names. Each
// batch is stored at once, unless an interval is given.
inline void RunTestStudy(TrialStore& store, const std::string& algorithm,
                         std::int64_t trials, std::int64_t batch = 8,
                         std::uint64_t seed = 5,
                         std::chrono::milliseconds interval = {}) {
  const SearchSpace space = TestSpace();
  const auto search = TestAlgorithm(algorithm, TestContext(space, seed));
  TestEvaluator evaluator;
  if (!store.LoadStudy()) store.CreateStudy(TestInfo(seed));
  StudyOptions options;
  options.trials = trials;
  options.batch = batch;
  Study study(*search, evaluator, store, options);
  study.set_store_interval(interval);
  study.Run();
}

// Minimised (accuracy, latency) of all trials of a study.
inline std::vector<std::vector<double>> PointsOf(const std::string& algorithm,
                                                 std::uint64_t seed,
                                                 std::int64_t trials) {
  const auto store = MakeMemoryTrialStore();
  RunTestStudy(*store, algorithm, trials, 8, seed);
  std::vector<std::vector<double>> points;
  for (const Trial& trial : store->LoadTrials()) {
    const auto values = MinimizedValues(trial, kTestObjectives);
    if (!values.empty()) points.push_back(values);
  }
  return points;
}

inline std::string DigestOf(const TrialStore& store) {
  return StudyDigest(store.LoadStudy()->spec_hash, store.LoadTrials());
}

}  // namespace hone
