#include "experiments/study_report.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <sstream>

#include "experiments/plot.h"
#include "experiments/progress.h"
#include "experiments/report.h"
#include "experiments/rungs_report.h"
#include "search/front_scale.h"
#include "space/base/error.h"

namespace hone {
namespace {

using Step = StudyReport::Step;

// Of what UtcNow() wrote.
std::int64_t UtcSeconds(const std::string& text) {
  std::tm parts{};
  const char* end = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (!end || *end != '\0') {
    throw Error(ErrorCode::kIntegrity,
                "'" + text + "' is no time such as 2026-01-31T12:00:00Z");
  }
  return timegm(&parts);
}

std::vector<Step> StepsOf(const StudyInfo& study,
                          const std::vector<Trial>& trials,
                          const FrontScale& scale) {
  std::vector<const Trial*> counted;
  std::vector<Point> points;
  for (const Trial& trial : trials) {
    Point point = FeasibleValues(trial, study.objectives, study.constraints);
    if (point.empty()) continue;
    counted.push_back(&trial);
    points.push_back(std::move(point));
  }
  const std::int64_t start = UtcSeconds(trials.front().finished_at);
  std::vector<Step> steps;
  double reached = 0;
  const std::vector<double> curve = scale.HypervolumeCurve(points);
  for (std::size_t i = 0; i < curve.size(); ++i) {
    if (curve[i] <= reached) continue;
    reached = curve[i];
    steps.push_back({counted[i]->number,
                     UtcSeconds(counted[i]->finished_at) - start, reached});
  }
  return steps;
}

std::size_t Failed(const StudyReport& report) {
  std::size_t failed = 0;
  for (const auto& [code, count] : report.failures) failed += count;
  return failed;
}

double Final(const StudyReport& report) {
  return report.steps.empty() ? 0 : report.steps.back().hypervolume;
}

// The hypervolume at trials in even steps, from the first that has one on.
std::string HypervolumePlot(const StudyReport& report) {
  constexpr std::int64_t kPoints = 120;
  TextPlot::Layer layer{{}, '*'};
  const std::int64_t first = report.steps.front().trial;
  const auto last = static_cast<std::int64_t>(report.trials.size()) - 1;
  std::size_t next = 0;
  for (std::int64_t i = 0; i < kPoints; ++i) {
    const std::int64_t trial = first + i * (last - first) / (kPoints - 1);
    while (next < report.steps.size() && report.steps[next].trial <= trial) {
      ++next;
    }
    layer.points.push_back(
        {static_cast<double>(trial), report.steps[next - 1].hypervolume});
  }
  return ToText({"hypervolume of the trials so far", "trial", {layer}});
}

// When parts of the final hypervolume were reached.
Table PartTable(const StudyReport& report) {
  Table table{{{"hypervolume", true},
               {"of the final", true},
               {"at trial", true},
               {"after"}},
              {}};
  for (const double part : {0.5, 0.9, 0.95, 0.99, 1.0}) {
    const auto step = std::find_if(
        report.steps.begin(), report.steps.end(), [&](const Step& one) {
          return one.hypervolume >= part * Final(report);
        });
    if (step == report.steps.end()) continue;
    table.AddRow({NumberText(step->hypervolume), PercentText(part),
                  std::to_string(step->trial),
                  DurationText(static_cast<double>(step->seconds))});
  }
  return table;
}

}  // namespace

StudyReport ReportStudy(const StudyInfo& study,
                        const std::vector<Trial>& trials,
                        const std::vector<Trial>& front,
                        StudyFindings findings) {
  StudyReport report{study,
                     trials,
                     InFrontOrder(front, study.objectives),
                     {},
                     {},
                     {},
                     std::move(findings)};
  for (const Trial& trial : trials) {
    if (const auto* failure = std::get_if<Failure>(&trial.outcome)) {
      ++report.failures[failure->code];
    }
  }
  if (front.empty()) return report;
  std::vector<Point> points;
  for (const Trial& trial : front) {
    points.push_back(MinimizedValues(trial, study.objectives));
  }
  const FrontScale scale(points);
  report.reference = scale.reference();
  report.steps = StepsOf(study, trials, scale);
  return report;
}

std::string FindingsText(const StudyFindings& findings) {
  std::string gain = GainText(findings.controls);
  for (const std::string& note : findings.notes) gain += note + "\n";
  const std::string latency = FinalistText(findings.finalists);
  return gain + (gain.empty() || latency.empty() ? "" : "\n") + latency;
}

Json FindingsToJson(const StudyFindings& findings) {
  return {{"controls", GainToJson(findings.controls)},
          {"notes", findings.notes},
          {"predicted_latency", FinalistToJson(findings.finalists)}};
}

std::string StudyPage(const StudyReport& report) {
  const StudyInfo& study = report.study;
  std::ostringstream out;
  out << "Study " << Printable(study.name) << ": " << report.trials.size()
      << " trials, " << Failed(report) << " failed, " << report.front.size()
      << " on the front\n";
  for (const auto& [code, count] : report.failures) {
    out << "  failed, " << Printable(code) << ": " << count << "\n";
  }
  out << RungsText(report.trials, study.objectives);
  if (report.front.empty()) return out.str();
  out << "\n"
      << ToText(SummaryTable(report.front, study.objectives, true)) << "\n"
      << FrontPlot(report.trials, report.front, study.objectives);
  if (!report.steps.empty()) out << "\n" << HypervolumePlot(report);
  const std::string findings = FindingsText(report.findings);
  out << "\n"
      << ToText(PartTable(report)) << "\nHypervolume: share of the box from "
      << "the front's best values to\n  "
      << ReferenceText(study.objectives, report.reference)
      << ",\n  a tenth of the range beyond its worst.\n"
      << (findings.empty() ? "" : "\n" + findings);
  return out.str();
}

Json ToJson(const StudyReport& report) {
  Json front = Json::array();
  for (const Trial& trial : report.front) front.push_back(trial.number);
  Json steps = Json::array();
  for (const Step& step : report.steps) {
    steps.push_back({{"trial", step.trial},
                     {"seconds", step.seconds},
                     {"value", step.hypervolume}});
  }
  return {{"study", report.study.name},
          {"trials", report.trials.size()},
          {"failures", report.failures},
          {"fidelities", FidelitiesToJson(report.trials)},
          {"rungs", RungsToJson(report.trials, report.study.objectives)},
          {"front", front},
          {"hypervolume",
           {{"reference",
             ReferenceToJson(report.study.objectives, report.reference)},
            {"final", Final(report)},
            {"steps", steps}}},
          {"findings", FindingsToJson(report.findings)}};
}

}  // namespace hone
