#include <algorithm>
#include <sstream>

#include "experiments/attention_plan.h"
#include "experiments/build_study.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/output.h"
#include "experiments/progress.h"
#include "experiments/report.h"
#include "experiments/study_files.h"
#include "train/distill/bert.h"
#include "train/supernet.h"

namespace hone {
namespace {

// Fitted on an AVX-512 machine, f32, one thread, 2 to 3 blocks: 10 ms a step at
// d 64, 24 ms at d 128, 37 ms at d 192.
constexpr double kTrainingRate = 45e9;  // multiply-adds a second
constexpr double kStepOverheadSeconds = 0.005;
// One forward pass and a backward pass of twice its cost.
constexpr double kPassesPerStep = 3;
constexpr int kSamples = 64;
// Loading, scoring the dev split and exporting, for each trial.
constexpr double kOverheadSeconds = 5;

// What a run would cost, from the cost model and the rates above.
struct Estimate {
  double mean_parameters = 0;
  double teacher_seconds = 0;
  double supernet_seconds = 0;
  double trials_seconds = 0;
  double disk_bytes = 0;
};

double StepsSeconds(double multiply_adds, std::int64_t steps) {
  return static_cast<double>(steps) *
         (kStepOverheadSeconds +
          multiply_adds * kPassesPerStep / kTrainingRate);
}

// Of a sequence in training: a text as long as those that are timed, an image
// or a sound at its own length, a language model's whole window.
std::int64_t TrainingTokens(const Workbench& workbench) {
  return workbench.task().topology == Topology::kDecoder
             ? workbench.task().max_tokens
             : workbench.measurement().tokens;
}

// The share of all trials that each rung gets, the full fidelity last. What is
// left is full trials at other precisions, which train nothing.
std::vector<double> RungShares(const SearchSpec& spec) {
  const StudyOptions& search = spec.search;
  std::vector<double> shares(search.rungs.size() + 1);
  double sum = 0;
  double share = 1;
  for (double& one : shares) {
    one = share;
    sum += share;
    share /= search.reduction;
  }
  if (!search.rungs.empty() && search.other_precisions) {
    sum += shares.back() * static_cast<double>(spec.space.precision.size() - 1);
  }
  for (double& one : shares) one /= sum;
  return shares;
}

// Steps of training of a trial, the mean over the rungs.
double MeanSteps(const SearchSpec& spec) {
  const std::vector<double> shares = RungShares(spec);
  double steps = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const Fidelity fidelity = i < spec.search.rungs.size()
                                  ? ParseFidelity(spec.search.rungs[i])
                                  : Fidelity::kTrained;
    if (fidelity == Fidelity::kInherited) continue;
    steps += shares[i] * static_cast<double>(fidelity == Fidelity::kShort
                                                 ? spec.search.short_steps
                                                 : spec.training.steps);
  }
  return steps;
}

// The largest student, and then every step the largest, the smallest and some
// of mean size, in shards side by side.
double SupernetSeconds(const SearchSpec& spec, const Workbench& workbench,
                       double mean_multiply_adds, int workers) {
  if (!UsesSupernet(spec)) return 0;
  const auto cost = [&](const Architecture& architecture) {
    return static_cast<double>(CostOf(architecture, workbench.task(),
                                      spec.training.batch_size,
                                      TrainingTokens(workbench))
                                   .multiply_adds);
  };
  const std::int64_t steps = spec.supernet_training.steps;
  const auto random = static_cast<double>(spec.supernet.random_subnets);
  const double largest = cost(LargestOf(workbench.space()));
  const double sandwich =
      StepsSeconds(largest, steps) +
      StepsSeconds(cost(SmallestOf(workbench.space())), steps) +
      random * StepsSeconds(mean_multiply_adds, steps);
  return StepsSeconds(largest, spec.training.steps) +
         sandwich / static_cast<double>(
                        std::min<std::int64_t>(workers, spec.supernet.shards));
}

// The architecture of the teacher, whoever says it.
Architecture TeacherOf(const SearchSpec& spec, const Workbench& workbench) {
  return IsBertFolder(spec.teacher)
             ? ReadBertCheckpoint(spec.teacher.checkpoint).bert.architecture
             : TeacherArchitecture(spec.teacher, workbench.task().topology);
}

// Of one training step; of a BERT, of all examples with [CLS] and [SEP].
Cost TeacherCost(const SearchSpec& spec, const Workbench& workbench) {
  const bool bert = IsBertFolder(spec.teacher);
  TaskShape task = workbench.task();
  if (bert) task.max_tokens += 2;
  return CostOf(
      TeacherOf(spec, workbench), task,
      bert ? workbench.TrainingExamples() : spec.teacher_training.batch_size,
      TrainingTokens(workbench) + (bert ? 2 : 0));
}

Estimate EstimateRun(const SearchSpec& spec, const Workbench& workbench,
                     int workers) {
  Estimate estimate;
  Rng rng(static_cast<std::uint64_t>(spec.study.seed), 0, "plan");
  double multiply_adds = 0;
  double bytes = 0;
  for (int i = 0; i < kSamples; ++i) {
    const Cost cost =
        CostOf(workbench.space().Sample(rng), workbench.task(),
               spec.training.batch_size, TrainingTokens(workbench));
    estimate.mean_parameters += static_cast<double>(cost.parameters) / kSamples;
    multiply_adds += static_cast<double>(cost.multiply_adds) / kSamples;
    // The student in f32, and its quantized form twice (weights, model).
    bytes += static_cast<double>(4 * cost.parameters + 2 * cost.weight_bytes) /
             kSamples;
  }
  if (TrainsNothing(spec)) return estimate;
  const Cost teacher = TeacherCost(spec, workbench);
  if (IsBertFolder(spec.teacher)) {
    estimate.teacher_seconds =
        static_cast<double>(teacher.multiply_adds) / kTrainingRate;
  } else if (spec.teacher.Files().empty() && spec.distillation.UsesTeacher()) {
    estimate.teacher_seconds =
        StepsSeconds(static_cast<double>(teacher.multiply_adds),
                     spec.teacher_training.steps);
  }
  estimate.supernet_seconds =
      SupernetSeconds(spec, workbench, multiply_adds, workers);
  const auto trials = static_cast<double>(spec.search.trials);
  const std::string& engine = spec.measurement.engine;
  const double timing = (engine == "simulated" ? 0
                         : engine == "auto"    ? 2
                                               : 1) *
                        static_cast<double>(spec.measurement.rounds) *
                        spec.measurement.round_milliseconds / 1000;
  estimate.trials_seconds =
      trials *
      ((MeanSteps(spec) * StepsSeconds(multiply_adds, 1) + kOverheadSeconds) /
           workers +
       timing);
  estimate.disk_bytes =
      trials * bytes + 4 * static_cast<double>(teacher.parameters);
  return estimate;
}

std::string Joined(const std::vector<std::string>& texts) {
  std::string joined;
  for (const std::string& text : texts) {
    joined += (joined.empty() ? "" : "; ") + text;
  }
  return joined.empty() ? "none" : joined;
}

std::string BytesText(double bytes) {
  return bytes < 1e6 ? NumberText(bytes / 1e3) + " kB"
                     : NumberText(bytes / 1e6) + " MB";
}

// What the attention kinds cost at the spec's lengths.
void PrintAttention(const AttentionPlan& plan, std::ostream& out) {
  out << "\nOne block, d " << plan.timing.d_model << ", " << plan.timing.heads
      << " heads: exported, " << plan.tokens << " tokens; in training, "
      << plan.timing.training_batch << " x " << plan.timing.training_tokens
      << ".\n"
      << ToText(ToTable(plan));
}

std::string TeacherText(const SearchSpec& spec, const Workbench& workbench,
                        const Estimate& estimate) {
  if (!spec.distillation.UsesTeacher()) {
    return "none: students learn from the labels alone";
  }
  return ShortText(TeacherOf(spec, workbench)) + ", " +
         (spec.teacher.Files().empty()
              ? std::to_string(spec.teacher_training.steps) + " steps, " +
                    DurationText(estimate.teacher_seconds)
              : "from " + Joined(spec.teacher.Files()) +
                    (IsBertFolder(spec.teacher)
                         ? ", " + DurationText(estimate.teacher_seconds)
                         : ""));
}

// "inherited > short > trained, 1 in 3 goes on".
std::string LadderText(const StudyOptions& search) {
  std::string text;
  for (const std::string& rung : search.rungs) text += rung + " > ";
  text += search.fidelity;
  return search.rungs.empty()
             ? text
             : text + ", 1 in " + NumberText(search.reduction) + " goes on";
}

Table PlanTable(const SearchSpec& spec, const Workbench& workbench,
                const Estimate& estimate, int workers) {
  Table table{{{"plan"}, {""}}, {}};
  const bool trains = !TrainsNothing(spec);
  table.AddRow({"study", DefaultStudyPath(spec).string()});
  table.AddRow({"trials", std::to_string(spec.search.trials) + " by " +
                              spec.search.algorithm + ", fidelity " +
                              LadderText(spec.search)});
  table.AddRow({"space", NumberText(workbench.space().Size()) +
                             " architectures, before constraints"});
  table.AddRow({"space constraints", Joined(spec.space.constraints)});
  table.AddRow(
      {"mean parameters", NumberText(std::floor(estimate.mean_parameters))});
  table.AddRow({"objectives", Joined(spec.study.objectives)});
  table.AddRow({"study constraints", Joined(spec.study.constraints)});
  if (trains) {
    table.AddRow({"teacher", TeacherText(spec, workbench, estimate)});
    table.AddRow({"each student",
                  std::to_string(spec.training.steps) + " steps of " +
                      std::to_string(spec.training.batch_size) + " sequences"});
    if (UsesSupernet(spec)) {
      table.AddRow({"supernet", std::to_string(spec.supernet_training.steps) +
                                    " steps, " +
                                    DurationText(estimate.supernet_seconds)});
    }
    table.AddRow({"time", DurationText(estimate.teacher_seconds +
                                       estimate.supernet_seconds +
                                       estimate.trials_seconds) +
                              " with " + std::to_string(workers) +
                              " workers, at 45e9 multiply-adds a second; "
                              "within a factor of 3"});
    table.AddRow({"disk", BytesText(estimate.disk_bytes) + " of files"});
  } else {
    table.AddRow({"time", "seconds: nothing is trained"});
    table.AddRow({"disk", "the study file alone"});
  }
  table.AddRow({"spec hash", SpecHash(spec)});
  return table;
}

int RunPlan(const Arguments& arguments, const CommandContext& context) {
  const SearchSpec spec =
      ReadSearchSpec(arguments.positionals[0], arguments.All("set"));
  const int workers =
      static_cast<int>(arguments.Integer("workers", DefaultWorkers(), 1, 1024));
  WarnOfSaturation(spec);
  const Workbench workbench(spec, ArtifactsPath(DefaultStudyPath(spec)),
                            workers, {}, &context.cancelled);
  const Estimate estimate = EstimateRun(spec, workbench, workers);
  const std::vector<AttentionPlan> attention = PlanAttention(spec, workbench);
  if (arguments.Has("json")) {
    Json kinds = Json::array();
    for (const AttentionPlan& plan : attention) kinds.push_back(ToJson(plan));
    PrintJson({{"spec", SpecToJson(spec)},
               {"spec_hash", SpecHash(spec)},
               {"space_size", workbench.space().Size()},
               {"mean_parameters", estimate.mean_parameters},
               {"teacher_seconds", estimate.teacher_seconds},
               {"supernet_seconds", estimate.supernet_seconds},
               {"trials_seconds", estimate.trials_seconds},
               {"disk_bytes", estimate.disk_bytes},
               {"attention", kinds}},
              context);
    return kExitDone;
  }
  context.out << ToText(PlanTable(spec, workbench, estimate, workers));
  for (const AttentionPlan& plan : attention) PrintAttention(plan, context.out);
  if (arguments.Has("spec")) {
    context.out << "\n" << SpecToJson(spec).dump(2) << "\n";
  }
  return kExitDone;
}

}  // namespace

Command PlanCommand() {
  return {{"plan",
           "what a search would do and cost here; writes nothing",
           "SPEC",
           1,
           1,
           {{"set", "TABLE.KEY=VALUE", "override a field of the spec"},
            {"workers", "N", "trials side by side"},
            {"spec", "", "print every field of the resolved spec as well"},
            {"json", "", "print JSON, with the resolved spec"}},
           "hone plan experiments/specs/gloss.toml"},
          RunPlan};
}

}  // namespace hone
