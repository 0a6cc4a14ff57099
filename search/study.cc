#include "search/study.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <utility>

#include "space/base/error.h"

namespace hone {

Study::Study(SearchAlgorithm& algorithm, Evaluator& evaluator,
             TrialStore& store, const StudyOptions& options)
    : algorithm_(algorithm),
      evaluator_(evaluator),
      store_(store),
      options_(options) {}

void Study::Run() {
  last_stored_ = std::chrono::steady_clock::now();
  try {
    RunBatches();
  } catch (...) {
    StoreFinished();
    throw;
  }
  StoreFinished();
}

void Study::StoreFinished() {
  if (!finished_.empty()) store_.Append(std::exchange(finished_, {}));
  last_stored_ = std::chrono::steady_clock::now();
}

void Study::RunBatches() {
  const std::optional<StudyInfo> info = store_.LoadStudy();
  HONE_CHECK(info.has_value());
  const std::vector<Trial> stored = store_.LoadTrials();
  const auto batch = static_cast<int>(options_.batch);
  for (std::int64_t first = 0; first < options_.trials;) {
    if (cancelled_ && *cancelled_) {
      throw Error(ErrorCode::kCancelled, "interrupted");
    }
    const std::vector<Proposal> proposals = algorithm_.Suggest(first, batch);
    if (proposals.empty()) return;
    const std::vector<Trial> trials =
        RunBatch(first, proposals, stored, info->seed);
    CheckHope(trials);
    if (trials.size() < proposals.size()) return;
    algorithm_.Observe(trials);
    first += static_cast<std::int64_t>(trials.size());
  }
}

void Study::CheckHope(const std::vector<Trial>& batch) {
  for (const Trial& trial : batch) {
    if (trial.state() == TrialState::kComplete) hopeful_ = true;
  }
  if (hopeful_ || batch.empty()) return;
  const std::int64_t failed = batch.back().number + 1;
  if (failed < kHopelessTrials) return;
  const Failure& failure = std::get<Failure>(batch.back().outcome);
  throw Error(ErrorCode::kUsage,
              "all of the first " + std::to_string(failed) +
                  " trials failed, so the search ends here; the last one (" +
                  failure.code + "): " + failure.reason);
}

std::vector<Trial> Study::RunBatch(std::int64_t first,
                                   const std::vector<Proposal>& proposals,
                                   const std::vector<Trial>& stored,
                                   std::uint64_t seed) {
  const auto wanted = std::min(
      proposals.size(), static_cast<std::size_t>(options_.trials - first));
  std::vector<Trial> trials;
  std::vector<Candidate> candidates;
  for (std::size_t i = 0; i < wanted; ++i) {
    const auto number = first + static_cast<std::int64_t>(i);
    const Proposal& proposal = proposals[i];
    const Architecture& architecture = proposal.suggestion.architecture;
    if (static_cast<std::size_t>(number) < stored.size()) {
      const Trial& trial = stored[static_cast<std::size_t>(number)];
      if (trial.number != number || trial.architecture != architecture ||
          trial.fidelity != proposal.suggestion.fidelity) {
        throw Error(ErrorCode::kIntegrity,
                    "trial " + std::to_string(number) +
                        " is not what the algorithm suggests again; the study "
                        "was made by another version of the program, or its "
                        "file was changed");
      }
      trials.push_back(trial);
      if (on_trial_) on_trial_(trial, true);
    } else {
      candidates.push_back({number, architecture,
                            TrainingSeed(seed, architecture),
                            proposal.suggestion.fidelity});
    }
  }
  if (candidates.empty()) return trials;
  std::vector<Outcome> outcomes = evaluator_.Evaluate(candidates);
  HONE_CHECK_EQ(outcomes.size(), candidates.size());
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& candidate = candidates[i];
    trials.push_back(
        {candidate.number, candidate.architecture, candidate.seed,
         candidate.fidelity,
         proposals[static_cast<std::size_t>(candidate.number - first)].origin,
         std::move(outcomes[i]), UtcNow()});
    finished_.push_back(trials.back());
    if (on_trial_) on_trial_(trials.back(), false);
  }
  if (std::chrono::steady_clock::now() - last_stored_ >= store_interval_) {
    StoreFinished();
  }
  return trials;
}

std::string UtcNow() {
  const std::time_t now =
      std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace hone
