#include "experiments/study_findings.h"

#include "experiments/nominal_shape.h"
#include "experiments/search_spec.h"
#include "experiments/study_files.h"
#include "space/base/error.h"

namespace hone {
namespace {

// A control is the same search by another algorithm.
std::string WhyNoControl(const StudyInfo& study, const StudyInfo& other) {
  for (const SpecDifference& one : SpecDifferences(study.spec, other.spec)) {
    if (one.field == "search.algorithm" || one.field == "study.name") continue;
    return "its " + one.field + " is " + one.second + ", not " + one.first;
  }
  return {};
}

void AddControl(const ComparedStudy& study, const std::filesystem::path& path,
                StudyFindings& findings) {
  const auto leave_out = [&](const std::string& why) {
    findings.notes.push_back(path.string() + " is no control of it: " + why);
  };
  try {
    StudyView view = ReadStudy(path);
    if (view.front.empty()) return leave_out("no trial is on its front");
    const std::string why = WhyNoControl(study.info, view.info);
    if (!why.empty()) return leave_out(why);
    if (view.trials.size() != study.trials.size()) {
      findings.notes.push_back(
          path.string() + " has " + std::to_string(view.trials.size()) +
          " trials, this study " + std::to_string(study.trials.size()));
    }
    findings.controls.push_back(
        CompareStudies(study, Compared(path, std::move(view))));
  } catch (const Error& error) {
    leave_out(error.what());
  }
}

}  // namespace

ComparedStudy Compared(const std::filesystem::path& path, StudyView study) {
  return {path.string(), std::move(study.info), std::move(study.trials),
          std::move(study.front)};
}

StudyFindings FindingsOf(const std::filesystem::path& path,
                         const StudyView& study) {
  StudyFindings findings;
  if (study.front.empty()) return findings;
  const ComparedStudy compared = Compared(path, study);
  for (const std::string& algorithm : ControlAlgorithms()) {
    const std::filesystem::path control = ControlPath(path, algorithm);
    if (std::filesystem::exists(control)) {
      AddControl(compared, control, findings);
    }
  }
  const SearchSpec spec = SpecFromJson(study.info.spec);
  TaskOptions task = spec.task;
  task.vocabulary = TaskOptions{}.vocabulary;  // whose size needs no file
  findings.finalists = PredictFinalists(
      SearchSpace(spec.space, NominalShape(task)), study.trials, study.front);
  return findings;
}

}  // namespace hone
