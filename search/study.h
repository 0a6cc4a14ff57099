#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "eval/evaluator.h"
#include "search/search_algorithm.h"
#include "search/study_options.h"
#include "search/trial_store.h"

namespace hone {

// Runs a search: the loop, and the only writer of its store. What it does is a
// function of the algorithm, the evaluator and the study's seed: a study that
// was killed, however often, goes on as if it had not been.
class Study {
 public:
  // So many trials do not all fail by chance.
  static constexpr std::int64_t kHopelessTrials = 16;

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
  // Finished batches are stored together once this much time has gone by since
  // the last were: a slow one at once, many quick ones in one transaction. So a
  // kill loses the running batch and at most this much more.
  void set_store_interval(std::chrono::milliseconds interval) {
    store_interval_ = interval;
  }

  // Up to options.trials trials, or fewer when the space has no more. Batches
  // begin at multiples of options.batch whatever the number of trials, so a
  // raised number continues the same study. Stored trials are replayed through
  // the algorithm and must be what it suggests again, else Error{kIntegrity}.
  // When kHopelessTrials and more have all failed: Error{kUsage}.
  void Run();

 private:
  std::vector<Trial> RunBatch(std::int64_t first,
                              const std::vector<Proposal>& proposals,
                              const std::vector<Trial>& stored,
                              std::uint64_t seed);
  void RunBatches();
  // Told of each batch in order, stored or not.
  void CheckHope(const std::vector<Trial>& batch);
  void StoreFinished();

  SearchAlgorithm& algorithm_;
  Evaluator& evaluator_;
  TrialStore& store_;
  StudyOptions options_;
  OnTrial on_trial_;
  const std::atomic<bool>* cancelled_ = nullptr;
  std::chrono::milliseconds store_interval_{250};
  std::chrono::steady_clock::time_point last_stored_;
  std::vector<Trial> finished_;  // not stored yet
  bool hopeful_ = false;         // a trial was completed
};

// The present time in UTC, "2026-01-31T12:00:00Z".
std::string UtcNow();

}  // namespace hone
