#include <algorithm>

#include "experiments/build_study.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/output.h"
#include "experiments/model_folder.h"
#include "experiments/progress.h"
#include "experiments/report.h"
#include "experiments/study_files.h"
#include "experiments/study_view.h"
#include "space/base/error.h"

namespace hone {
namespace {

constexpr char kTable[] = "quantization.";

// The study's [quantization] with what the command line changes of it.
QuantizationOptions WithOverrides(const QuantizationOptions& stored,
                                  const std::vector<std::string>& overrides) {
  std::vector<std::string> assignments;
  const Json fields = FieldsToJson(stored);
  for (const auto& [key, value] : fields.items()) {
    assignments.push_back(kTable + key + "=" + value.dump());
  }
  for (const std::string& assignment : overrides) {
    if (!assignment.starts_with(kTable)) {
      throw Error(ErrorCode::kUsage,
                  "--set " + assignment +
                      ": a trained model is compressed, so only keys of "
                      "[quantization] may change; 'hone train' trains anew");
    }
    assignments.push_back(assignment);
  }
  return ParseSearchSpec("", "--set", assignments).quantization;
}

Architecture WithPrecision(Architecture architecture,
                           const Precision& precision) {
  for (auto* blocks : {&architecture.encoder, &architecture.decoder}) {
    for (BlockSpec& block : *blocks) block.precision = precision;
  }
  return architecture;
}

// The trial itself, then the same student at each precision. All are measured
// in one batch, their latencies in turn.
struct Variant {
  std::string name;
  Trial trial;
};

std::vector<Variant> VariantsOf(const Trial& stored,
                                const std::vector<std::string>& words) {
  std::vector<Variant> variants{
      {"trial " + std::to_string(stored.number), stored}};
  for (const std::string& word : words) {
    Variant variant{word, stored};
    variant.trial.architecture =
        WithPrecision(stored.architecture, ParsePrecision(word));
    variant.trial.origin = "compressed";
    variants.push_back(std::move(variant));
  }
  return variants;
}

void Measure(std::vector<Variant>& variants, Workbench& workbench) {
  std::vector<Candidate> batch;
  for (const Variant& variant : variants) {
    batch.push_back({static_cast<std::int64_t>(batch.size()),
                     variant.trial.architecture, variant.trial.seed,
                     variant.trial.fidelity});
  }
  std::vector<Outcome> outcomes = workbench.evaluator().Evaluate(batch);
  for (std::size_t i = 0; i < variants.size(); ++i) {
    variants[i].trial.outcome = std::move(outcomes[i]);
  }
}

Table ComparisonTable(const std::vector<Variant>& variants,
                      const StudyInfo& study) {
  std::vector<std::string> metrics;
  for (const Objective& objective : study.objectives) {
    metrics.push_back(objective.metric);
  }
  for (const char* metric : {"latency_ms", "file_bytes", "peak_memory_bytes"}) {
    if (std::find(metrics.begin(), metrics.end(), metric) == metrics.end()) {
      metrics.emplace_back(metric);
    }
  }
  Table table{{{"model"}}, {}};
  for (const std::string& metric : metrics) {
    table.columns.push_back({metric, true});
  }
  for (const Variant& variant : variants) {
    std::vector<std::string> row{variant.name};
    const auto* measured = std::get_if<Measurement>(&variant.trial.outcome);
    for (const std::string& metric : metrics) {
      const bool known = measured && measured->metrics.contains(metric);
      row.push_back(known ? NumberText(measured->metrics.at(metric).value)
                          : "-");
    }
    table.AddRow(std::move(row));
  }
  return table;
}

void Print(const std::vector<Variant>& variants, const StudyInfo& study,
           const Arguments& arguments, const CommandContext& context) {
  if (arguments.Has("json")) {
    Json json = Json::array();
    for (const Variant& variant : variants) {
      Json one = TrialToJson(variant.trial);
      one["model"] = variant.name;
      json.push_back(std::move(one));
    }
    PrintJson(json, context);
    return;
  }
  context.out << ToText(ComparisonTable(variants, study));
  for (const Variant& variant : variants) {
    if (const auto* failure = std::get_if<Failure>(&variant.trial.outcome)) {
      context.out << variant.name << " failed: " << failure->reason << "\n";
    }
  }
}

int RunCompress(const Arguments& arguments, const CommandContext& context) {
  const std::filesystem::path path = arguments.positionals[0];
  const std::int64_t number = arguments.PositionalInteger(1, "N");
  const std::vector<std::string> words = arguments.All("precision");
  if (words.empty()) {
    throw Error(ErrorCode::kUsage,
                "hone compress: needs --precision WORD, once or more; words: " +
                    std::string(kPrecisionWords));
  }
  if (arguments.Has("out") && words.size() != 1) {
    throw Error(ErrorCode::kUsage,
                "hone compress: --out writes one model; give one --precision");
  }
  const StudyView study = ReadStudy(path);
  const Trial& stored = TrialNumbered(study, number);
  std::vector<Variant> variants = VariantsOf(stored, words);
  SearchSpec spec = SpecFromJson(study.info.spec);
  spec.quantization = WithOverrides(spec.quantization, arguments.All("set"));
  spec.measurement.engine = EngineOf(spec.measurement, stored.outcome);
  ProgressReporter progress(context.err, context.err_is_terminal);
  Workbench workbench(
      spec, ArtifactsPath(path), 1,
      [&](const std::string& phase, double done, double total) {
        progress.OnPhase(phase, done, total);
      },
      &context.cancelled);
  Measure(variants, workbench);
  progress.Clear();
  const Trial& last = variants.back().trial;
  if (arguments.Has("out") && last.state() == TrialState::kComplete) {
    WriteModelFolder(arguments.Text("out", ""), last, ArtifactsPath(path),
                     CardOf(last, spec, workbench), workbench.Vocabulary(),
                     context.err);
  }
  Print(variants, study.info, arguments, context);
  const bool complete =
      std::all_of(variants.begin(), variants.end(), [](const Variant& one) {
        return one.trial.state() == TrialState::kComplete;
      });
  return complete ? kExitDone : kExitSomeFailed;
}

}  // namespace

Command CompressCommand() {
  return {{"compress",
           "round a trial's trained model anew and compare",
           "STUDY N",
           2,
           2,
           {{"precision", "WORD", "of all blocks; may be given again"},
            {"set", "quantization.KEY=VALUE", "override a field of the spec"},
            {"out", "DIR", "write the exported model there"},
            {"json", "", "print JSON"}},
           "hone compress studies/gloss.db 12 --precision w4 --precision w2"},
          RunCompress};
}

}  // namespace hone
