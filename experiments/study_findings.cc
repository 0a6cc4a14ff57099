#include "experiments/study_findings.h"

#include "experiments/nominal_shape.h"
#include "experiments/search_spec.h"
#include "experiments/study_files.h"

namespace hone {

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
    if (!std::filesystem::exists(control)) continue;
    StudyView view = ReadStudy(control);
    if (view.front.empty()) continue;
    findings.controls.push_back(
        CompareStudies(compared, Compared(control, std::move(view))));
  }
  const SearchSpec spec = SpecFromJson(study.info.spec);
  TaskOptions task = spec.task;
  task.vocabulary = TaskOptions{}.vocabulary;  // whose size needs no file
  findings.finalists = PredictFinalists(
      SearchSpace(spec.space, NominalShape(task)), study.trials, study.front);
  return findings;
}

}  // namespace hone
