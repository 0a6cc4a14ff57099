#include "experiments/attention_plan.h"

#include <algorithm>

#include "eval/machine_lock.h"
#include "experiments/report.h"

namespace hone {
namespace {

// Tokens of a training step that is timed: enough for its rate.
constexpr std::int64_t kStepTokens = 4096;
constexpr std::int64_t kRounds = 5;
// Less than this is noise.
constexpr double kSlower = 1.05;
constexpr char kFull[] = "full";

bool HasChoice(const std::vector<std::string>& words) {
  return std::any_of(words.begin(), words.end(),
                     [](const auto& word) { return word != kFull; });
}

double ExportedRatio(const AttentionPlan& plan, const AttentionTime& time) {
  return time.exported.median_ms / plan.full.exported.median_ms;
}

double TrainingRatio(const AttentionPlan& plan, const AttentionTime& time) {
  return time.training.median_ms / plan.full.training.median_ms;
}

class Planner {
 public:
  Planner(const SearchSpec& spec, const Workbench& workbench)
      : spec_(spec),
        workbench_(workbench),
        engine_(MakeEngine(spec.measurement.engine)) {}

  AttentionPlan Side(Topology topology, std::vector<std::string> words,
                     std::int64_t max_tokens, std::int64_t training_tokens,
                     std::int64_t tokens) const {
    AttentionPlan plan;
    const SearchSpaceOptions& space = spec_.space;
    plan.timing.topology = topology;
    plan.timing.d_model =
        *std::max_element(space.d_model.begin(), space.d_model.end());
    plan.timing.heads = 1;
    for (const std::int64_t heads : space.heads) {
      if (plan.timing.d_model % heads == 0) {
        plan.timing.heads = std::max(plan.timing.heads, heads);
      }
    }
    plan.timing.max_tokens = max_tokens;
    plan.timing.training_tokens = training_tokens;
    plan.timing.training_batch = std::clamp<std::int64_t>(
        kStepTokens / training_tokens, 1, spec_.training.batch_size);
    plan.tokens = tokens;
    MeasurementOptions measurement = workbench_.measurement();
    measurement.tokens = tokens;
    measurement.rounds = kRounds;
    std::erase(words, kFull);
    words.insert(words.begin(), kFull);
    std::vector<AttentionTime> times =
        TimeAttention(*engine_, words, plan.timing, measurement);
    plan.full = times.front();
    plan.others.assign(times.begin() + 1, times.end());
    return plan;
  }

 private:
  const SearchSpec& spec_;
  const Workbench& workbench_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace

std::vector<AttentionPlan> PlanAttention(const SearchSpec& spec,
                                         const Workbench& workbench) {
  if (TrainsNothing(spec) || spec.measurement.engine == "simulated") {
    return {};
  }
  const TaskShape& task = workbench.task();
  const MeasurementOptions& measurement = workbench.measurement();
  const auto& encoder_words = spec.space.attention;
  const auto& decoder_words = spec.space.decoder_attention.empty()
                                  ? spec.space.attention
                                  : spec.space.decoder_attention;
  const bool encodes =
      task.topology != Topology::kDecoder && HasChoice(encoder_words);
  const bool decodes =
      task.topology != Topology::kEncoder && HasChoice(decoder_words);
  std::vector<AttentionPlan> plans;
  if (!encodes && !decodes) return plans;
  const Planner planner(spec, workbench);
  const MeasuringPermit permit(MachineLockFolder());
  if (encodes) {
    plans.push_back(planner.Side(Topology::kEncoder, encoder_words,
                                 task.max_tokens, measurement.tokens,
                                 measurement.tokens));
  }
  if (decodes) {
    const bool alone = task.topology == Topology::kDecoder;
    const std::int64_t longest =
        alone ? task.max_tokens : task.max_target_tokens;
    plans.push_back(planner.Side(Topology::kDecoder, decoder_words, longest,
                                 longest, alone ? measurement.tokens : 1));
  }
  return plans;
}

Table ToTable(const AttentionPlan& plan) {
  Table table{{{std::string("attention, ") + Name(plan.timing.topology)},
               {"exported_ms", true},
               {"of full", true},
               {"training_ms", true},
               {"of full", true},
               {"slower than full"}},
              {}};
  const auto add = [&](const AttentionTime& time) {
    const double exported = ExportedRatio(plan, time);
    const double training = TrainingRatio(plan, time);
    std::string slower = exported >= kSlower ? "exported" : "";
    if (training >= kSlower) {
      slower += (slower.empty() ? "" : " and ") + std::string("in training");
    }
    table.AddRow({time.attention, NumberText(time.exported.median_ms),
                  NumberText(exported), NumberText(time.training.median_ms),
                  NumberText(training), slower});
  };
  add(plan.full);
  for (const AttentionTime& time : plan.others) add(time);
  return table;
}

Json ToJson(const AttentionPlan& plan) {
  Json others = Json::array();
  for (const AttentionTime& time : plan.others) {
    others.push_back({{"attention", time.attention},
                      {"exported_ms", time.exported.median_ms},
                      {"training_ms", time.training.median_ms},
                      {"exported_over_full", ExportedRatio(plan, time)},
                      {"training_over_full", TrainingRatio(plan, time)}});
  }
  return {{"side", Name(plan.timing.topology)},
          {"d_model", plan.timing.d_model},
          {"heads", plan.timing.heads},
          {"tokens", plan.tokens},
          {"training_tokens", plan.timing.training_tokens},
          {"full_exported_ms", plan.full.exported.median_ms},
          {"full_training_ms", plan.full.training.median_ms},
          {"others", others}};
}

}  // namespace hone
