#include "eval/timed_network.h"

#include "eval/export/onnx_export.h"
#include "space/base/file.h"

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

std::unique_ptr<TimedNetwork> ExportTimed(Engine& engine,
                                          const Architecture& architecture,
                                          const TaskShape& task,
                                          const NamedTensors& weights,
                                          const MeasurementOptions& measurement,
                                          std::uint64_t seed) {
  const ScratchFolder folder;
  for (const auto& [name, bytes] :
       ExportOnnx(architecture, task, weights, {})) {
    WriteFileAtomic(folder / name, bytes);
  }
  return std::make_unique<TimedNetwork>(engine, folder.path(), task,
                                        measurement, seed);
}

}  // namespace hone
