#include "experiments/study_view.h"

#include <algorithm>
#include <set>

#include "experiments/metric_names.h"
#include "experiments/study_files.h"
#include "search/pareto.h"
#include "search/sqlite_trial_store.h"
#include "space/base/error.h"
#include "space/base/hash.h"

namespace hone {
namespace {

using Store = SqliteTrialStore;

std::vector<Trial> Pick(const std::vector<Trial>& trials,
                        const std::vector<std::int64_t>& numbers) {
  std::vector<Trial> picked;
  for (const std::int64_t number : numbers) {
    picked.push_back(trials.at(static_cast<std::size_t>(number)));
  }
  return picked;
}

// The front of some trials alone: view pareto_front knows only that of all.
std::vector<Trial> FrontOf(const std::vector<Trial>& trials,
                           const StudyInfo& info) {
  std::vector<Point> points;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < trials.size(); ++i) {
    Point point = FeasibleValues(trials[i], info.objectives, info.constraints);
    if (point.empty()) continue;
    points.push_back(std::move(point));
    places.push_back(i);
  }
  std::vector<Trial> front;
  for (const std::size_t index : ParetoFront(points)) {
    front.push_back(trials[places[index]]);
  }
  return front;
}

StudyInfo InfoOf(const Store& store, const std::filesystem::path& path) {
  std::optional<StudyInfo> info = store.LoadStudy();
  if (!info) {
    throw Error(ErrorCode::kNotFound,
                path.string() + ": no study was begun in it");
  }
  return *std::move(info);
}

void CheckMetrics(const TrialFilter& filter) {
  const std::vector<std::string>& known = MetricNames();
  for (const std::string& name : filter.Metrics()) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      throw Error(ErrorCode::kUsage, "--where: unknown metric '" + name + "'" +
                                         DidYouMean(name, known));
    }
  }
}

}  // namespace

StudyView ReadStudy(const std::filesystem::path& path) {
  const Store store(path, Store::Mode::kRead);
  StudyView view{InfoOf(store, path), store.LoadTrials(), {}};
  view.front = Pick(view.trials, store.FrontNumbers());
  return view;
}

StudyView ReadStudy(const std::filesystem::path& path,
                    const std::string& filter) {
  if (filter.empty()) return ReadStudy(path);
  const TrialFilter parsed = TrialFilter::Parse(filter);
  CheckMetrics(parsed);
  const Store store(path, Store::Mode::kRead);
  StudyView view{
      InfoOf(store, path), store.LoadTrials(store.NumbersWhere(parsed)), {}};
  view.front = FrontOf(view.trials, view.info);
  return view;
}

StudyView ReadFront(const std::filesystem::path& path) {
  const Store store(path, Store::Mode::kRead);
  return {InfoOf(store, path), {}, store.LoadTrials(store.FrontNumbers())};
}

std::vector<std::string> FindDefects(const std::filesystem::path& path) {
  std::vector<std::string> defects = CheckStudyFile(path);
  if (!defects.empty()) return defects;
  const std::filesystem::path root = ArtifactsPath(path);
  std::set<std::string> checked;  // trials share teachers and students
  for (const Trial& trial : ReadStudy(path).trials) {
    const auto* measured = std::get_if<Measurement>(&trial.outcome);
    if (!measured) continue;
    for (const Artifact& artifact : measured->artifacts) {
      if (artifact.path.empty()) continue;  // not kept
      if (!checked.insert(artifact.path + artifact.sha256).second) continue;
      const std::filesystem::path file = root / artifact.path;
      const std::string trial_name = "trial " + std::to_string(trial.number);
      if (!std::filesystem::exists(file)) {
        defects.push_back(trial_name + ": " + file.string() + " is missing");
      } else if (Sha256File(file) != artifact.sha256) {
        defects.push_back(trial_name + ": " + file.string() +
                          " does not match its hash");
      }
    }
  }
  return defects;
}

const Trial& TrialNumbered(const StudyView& study, std::int64_t number) {
  const auto count = static_cast<std::int64_t>(study.trials.size());
  if (number < 0 || number >= count) {
    throw Error(
        ErrorCode::kNotFound,
        "no trial " + std::to_string(number) + "; " +
            (count == 0 ? "the study has none yet"
                        : "there are 0 to " + std::to_string(count - 1)));
  }
  return study.trials[static_cast<std::size_t>(number)];
}

}  // namespace hone
