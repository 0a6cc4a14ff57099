#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "experiments/finalist_latency.h"
#include "experiments/gain_report.h"
#include "search/trial.h"
#include "search/trial_store.h"
#include "space/base/json.h"

namespace hone {

// What a study tells beside its own trials.
struct StudyFindings {
  std::vector<StudyComparison> controls;
  // What is to be known of controls, a sentence each: why one is left out.
  std::vector<std::string> notes = {};
  std::optional<FinalistLatency> finalists = std::nullopt;
};

// A study at a glance, and how its front grew.
struct StudyReport {
  // A trial that made the hypervolume of all until then larger.
  struct Step {
    std::int64_t trial = 0;
    // Since the first trial of the study finished, pauses included.
    std::int64_t seconds = 0;
    double hypervolume = 0;
  };
  StudyInfo study;
  std::vector<Trial> trials;
  std::vector<Trial> front;
  std::map<std::string, std::size_t> failures;  // by code
  // On the scale of the front at the end (search/front_scale.h): the trials
  // that could be on it.
  std::vector<Step> steps;
  std::vector<double> reference;  // in the objectives' units, minimised
  StudyFindings findings;
};

StudyReport ReportStudy(const StudyInfo& study,
                        const std::vector<Trial>& trials,
                        const std::vector<Trial>& front,
                        StudyFindings findings = {});

// For people and for programs: of those findings that there are.
std::string FindingsText(const StudyFindings& findings);
// {"controls", "notes", "predicted_latency"}
Json FindingsToJson(const StudyFindings& findings);

// For people: counts, front, both plots, and when what part was reached.
std::string StudyPage(const StudyReport& report);

// {"study", "trials", "failures": {"diverged": 1}, "fidelities": {"trained":
// 8}, "rungs", "front": [numbers], "hypervolume": {"reference": {"accuracy":
// 0.7, ...}, "final", "steps": [{"trial", "seconds", "value"}]}, "findings"}
Json ToJson(const StudyReport& report);

}  // namespace hone
