#include "experiments/study_view.h"

#include <algorithm>
#include <set>

#include "experiments/report.h"
#include "experiments/study_files.h"
#include "search/pareto.h"
#include "search/sqlite_trial_store.h"
#include "space/base/error.h"
#include "space/base/hash.h"

namespace hone {
namespace {

// A metric that no trial has is more likely misspelt than wanted.
void CheckMetrics(const TrialFilter& filter, const std::vector<Trial>& trials) {
  const std::vector<std::string> known = MetricsIn(trials);
  for (const std::string& metric : filter.Metrics()) {
    if (std::find(known.begin(), known.end(), metric) == known.end()) {
      throw Error(ErrorCode::kUsage, "--where: no trial has a metric '" +
                                         metric + "'" +
                                         DidYouMean(metric, known));
    }
  }
}

void Keep(const std::vector<std::int64_t>& numbers,
          std::vector<Trial>& trials) {
  const std::set<std::int64_t> kept(numbers.begin(), numbers.end());
  std::erase_if(
      trials, [&](const Trial& trial) { return !kept.contains(trial.number); });
}

std::vector<Trial> FrontOf(const std::vector<Trial>& trials,
                           const StudyInfo& info) {
  std::vector<Trial> feasible;
  std::vector<Point> points;
  for (const Trial& trial : trials) {
    Point values = MinimizedValues(trial, info.objectives);
    if (values.empty() || Violation(trial, info.constraints) > 0) continue;
    feasible.push_back(trial);
    points.push_back(std::move(values));
  }
  std::vector<Trial> front;
  for (const std::size_t i : ParetoFront(points)) front.push_back(feasible[i]);
  return front;
}

StudyView Load(const SqliteTrialStore& store,
               const std::filesystem::path& path) {
  const std::optional<StudyInfo> info = store.LoadStudy();
  if (!info) {
    throw Error(ErrorCode::kNotFound, path.string() + ": holds no study yet");
  }
  return {*info, store.LoadTrials(), {}};
}

}  // namespace

StudyView ReadStudy(const std::filesystem::path& path) {
  const SqliteTrialStore store(path, SqliteTrialStore::Mode::kRead);
  StudyView study = Load(store, path);
  study.front = study.trials;
  Keep(store.FrontNumbers(), study.front);
  return study;
}

StudyView ReadStudy(const std::filesystem::path& path,
                    const std::string& filter) {
  if (filter.empty()) return ReadStudy(path);
  const TrialFilter condition = TrialFilter::Parse(filter);
  const SqliteTrialStore store(path, SqliteTrialStore::Mode::kRead);
  StudyView study = Load(store, path);
  CheckMetrics(condition, study.trials);
  Keep(store.NumbersWhere(condition), study.trials);
  study.front = FrontOf(study.trials, study.info);
  return study;
}

std::vector<std::string> FindDefects(const std::filesystem::path& path) {
  std::vector<std::string> defects = CheckStudyFile(path);
  if (!defects.empty()) return defects;
  std::set<std::string> checked;
  for (const Trial& trial : ReadStudy(path).trials) {
    const auto* measurement = std::get_if<Measurement>(&trial.outcome);
    if (!measurement) continue;
    for (const Artifact& artifact : measurement->artifacts) {
      if (!checked.insert(artifact.path + artifact.sha256).second) continue;
      const std::filesystem::path file = ArtifactsPath(path) / artifact.path;
      const std::string of = " of trial " + std::to_string(trial.number);
      if (!std::filesystem::exists(file)) {
        defects.push_back(file.string() + of + " is missing");
      } else if (Sha256File(file) != artifact.sha256) {
        defects.push_back(file.string() + of + " does not match its hash");
      }
    }
  }
  return defects;
}

const Trial& TrialNumbered(const StudyView& study, std::int64_t number) {
  const auto found =
      std::find_if(study.trials.begin(), study.trials.end(),
                   [&](const Trial& trial) { return trial.number == number; });
  if (found == study.trials.end()) {
    throw Error(ErrorCode::kNotFound,
                "no trial " + std::to_string(number) + "; the study has " +
                    (study.trials.empty()
                         ? "none"
                         : "0 to " + std::to_string(study.trials.size() - 1)));
  }
  return *found;
}

}  // namespace hone
