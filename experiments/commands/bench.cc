#include "eval/latency.h"
#include "eval/machine_lock.h"
#include "experiments/build_study.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/output.h"
#include "experiments/model_session.h"
#include "experiments/report.h"

namespace hone {
namespace {

constexpr std::uint64_t kInputSeed = 1;

Json ToJson(const Latency& latency, const MeasurementOptions& options,
            const ModelSession& session) {
  return {{"latency_ms", latency.median_ms},
          {"latency_ms_low", latency.low_ms},
          {"latency_ms_high", latency.high_ms},
          {"latency_p95_ms", latency.p95_ms},
          {"rounds_ms", latency.rounds_ms},
          {"threads", options.threads},
          {"batch", options.batch},
          {"length", options.tokens},
          {"engine", session.engine->Describe()},
          {"model_sha256", session.card.sha256.at(kModelFile)}};
}

int RunBench(const Arguments& arguments, const CommandContext& context) {
  const std::filesystem::path folder = arguments.positionals[0];
  const MeasurementOptions options =
      MeasurementFor(arguments, ReadModelFolder(folder));
  const ModelSession session = OpenModelFolder(
      folder, {options.threads, options.batch, options.tokens}, options.engine);
  const MeasuringPermit permit(MachineLockFolder());
  const TaskShape& shape = session.card.shape;
  const bool decodes = shape.topology != Topology::kEncoder;
  DecodeTimes times;
  const TimedRun run = decodes ? DecodeRun(session.network->decoder(), shape,
                                           options, kInputSeed, times)
                               : ClassifyRun(session.network->model(), shape,
                                             options, kInputSeed);
  const Latency latency = TimeInTurn({run}, options, kInputSeed).at(0);
  if (arguments.Has("json")) {
    Json json = ToJson(latency, options, session);
    if (decodes) {
      json["new_tokens"] = options.new_tokens;
      json["prefill_ms"] = Median(times.prefill_ms);
      if (!times.per_token_ms.empty()) {
        json["ms_per_token"] = Median(times.per_token_ms);
      }
    }
    PrintJson(json, context);
    return kExitDone;
  }
  Table table{{{"threads", true},
               {"batch", true},
               {"length", true},
               {"p95_ms", true},
               {"latency_ms, 95 % interval"}},
              {}};
  table.AddRow(
      {std::to_string(options.threads), std::to_string(options.batch),
       std::to_string(options.tokens), NumberText(latency.p95_ms),
       MetricText({latency.median_ms, "", latency.low_ms, latency.high_ms})});
  context.out << ToText(table);
  if (decodes && !times.per_token_ms.empty()) {
    context.out << "of that, prefill " << NumberText(Median(times.prefill_ms))
                << " ms, and " << NumberText(Median(times.per_token_ms))
                << " ms for each of " << options.new_tokens - 1
                << " further tokens\n";
  }
  const auto measured = session.card.metrics.find("latency_ms");
  if (measured != session.card.metrics.end()) {
    context.err << "The card says " << MetricText(measured->second) << " for "
                << session.card.measurement.threads << " threads, batch "
                << session.card.measurement.batch << ", length "
                << session.card.measurement.tokens << ".\n";
  }
  return kExitDone;
}

}  // namespace

Command BenchCommand() {
  return {{"bench", "latency of an exported model, by the search's protocol",
           "DIR", 1, 1, MeasuringOptions("print JSON with every round"),
           "hone bench exported/gloss-12 --length 32"},
          RunBench};
}

}  // namespace hone
