#include "eval/timed_network.h"

namespace hone {

TimedNetwork::TimedNetwork(Engine& engine, const std::filesystem::path& folder,
                           const TaskShape& task,
                           const MeasurementOptions& measurement,
                           std::uint64_t seed)
    : network_(engine, folder, task,
               {.threads = measurement.threads,
                .batch = measurement.batch,
                .tokens = measurement.tokens}),
      run_(task.topology == Topology::kEncoder
               ? ClassifyRun(network_.model(), task, measurement, seed)
               : DecodeRun(network_.decoder(), task, measurement, seed,
                           times_)) {}

}  // namespace hone
