#include <algorithm>

#include "experiments/commands/commands.h"
#include "experiments/commands/output.h"
#include "experiments/metric_names.h"
#include "experiments/report.h"
#include "experiments/study_view.h"
#include "space/base/error.h"

namespace hone {
namespace {

constexpr std::int64_t kNoLimit = std::int64_t{1} << 53;

struct SortKey {
  std::string metric;
  bool descending = false;
};

// "latency_ms", or "accuracy:desc" for the largest first.
SortKey ParseSortKey(const std::string& text, std::vector<std::string> known) {
  SortKey key{text, false};
  if (text.ends_with(":desc")) {
    key = {text.substr(0, text.size() - 5), true};
  } else if (text.ends_with(":asc")) {
    key.metric = text.substr(0, text.size() - 4);
  }
  known.push_back("number");
  if (std::find(known.begin(), known.end(), key.metric) == known.end()) {
    throw Error(ErrorCode::kUsage, "--sort: unknown metric '" + key.metric +
                                       "'" + DidYouMean(key.metric, known));
  }
  return key;
}

// Trials without the metric come last, whatever the direction.
void SortTrials(const SortKey& key, std::vector<Trial>& trials) {
  const auto value = [&](const Trial& trial) -> std::optional<double> {
    if (key.metric == "number") return static_cast<double>(trial.number);
    const auto* measurement = std::get_if<Measurement>(&trial.outcome);
    if (!measurement) return std::nullopt;
    const auto found = measurement->metrics.find(key.metric);
    if (found == measurement->metrics.end()) return std::nullopt;
    return found->second.value;
  };
  std::stable_sort(trials.begin(), trials.end(),
                   [&](const Trial& a, const Trial& b) {
                     const auto x = value(a);
                     const auto y = value(b);
                     if (!x || !y) return x.has_value() && !y.has_value();
                     return key.descending ? *x > *y : *x < *y;
                   });
}

int PrintTrials(const std::vector<Trial>& trials, const StudyInfo& study,
                bool with_intervals, const Arguments& arguments,
                const CommandContext& context) {
  switch (FormatOf(arguments)) {
    case Format::kJson:
      PrintJson(TrialsToJson(trials), context);
      break;
    case Format::kCsv:
      context.out << ToCsv(FullTable(trials));
      break;
    case Format::kText:
      if (!trials.empty()) {
        context.out << ToText(
            SummaryTable(trials, study.objectives, with_intervals));
      }
  }
  if (!trials.empty()) return kExitDone;
  context.err << "hone: no trial found\n";
  return kExitNothingFound;
}

int RunTrials(const Arguments& arguments, const CommandContext& context) {
  StudyView study =
      ReadStudy(arguments.positionals[0], arguments.Text("where", ""));
  if (arguments.Has("sort")) {
    SortTrials(ParseSortKey(arguments.Text("sort", ""), MetricNames()),
               study.trials);
  }
  const auto limit = static_cast<std::size_t>(
      arguments.Integer("limit", kNoLimit, 1, kNoLimit));
  if (study.trials.size() > limit) {
    study.trials.erase(
        study.trials.begin() + static_cast<std::ptrdiff_t>(limit),
        study.trials.end());
  }
  return PrintTrials(study.trials, study.info, false, arguments, context);
}

int RunPareto(const Arguments& arguments, const CommandContext& context) {
  const std::string filter = arguments.Text("where", "");
  const StudyView study = filter.empty()
                              ? ReadFront(arguments.positionals[0])
                              : ReadStudy(arguments.positionals[0], filter);
  return PrintTrials(InFrontOrder(study.front, study.info.objectives),
                     study.info, true, arguments, context);
}

OptionSpec WhereOption() {
  return {"where", "FILTER",
          "only trials such as \"latency_ms < 1 and accuracy > 0.75\""};
}

std::vector<OptionSpec> With(std::vector<OptionSpec> options) {
  for (OptionSpec& option : FormatOptions()) {
    options.push_back(std::move(option));
  }
  return options;
}

}  // namespace

Command TrialsCommand() {
  return {{"trials", "the table of trials", "STUDY", 1, 1,
           With({WhereOption(),
                 {"sort", "METRIC",
                  "smallest first; METRIC:desc for the largest first"},
                 {"limit", "N", "the first N alone"}}),
           "hone trials studies/gloss.db --where \"latency_ms < 1\" "
           "--sort accuracy:desc"},
          RunTrials};
}

Command ParetoCommand() {
  return {{"pareto", "the best trade-offs, with intervals", "STUDY", 1, 1,
           With({WhereOption()}), "hone pareto studies/gloss.db"},
          RunPareto};
}

}  // namespace hone
