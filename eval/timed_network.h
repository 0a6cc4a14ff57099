#pragma once

#include <filesystem>
#include <memory>

#include "eval/exported_network.h"
#include "eval/latency.h"
#include "space/base/tensor_data.h"

namespace hone {

// An exported network in an engine with one run of it to time: a classifier's
// answer, or what a decoder writes behind its prompt. Not thread-safe.
class TimedNetwork {
 public:
  // `measurement` must outlive the object. Throws as Engine::Load.
  TimedNetwork(Engine& engine, const std::filesystem::path& folder,
               const TaskShape& task, const MeasurementOptions& measurement,
               std::uint64_t seed);
  // Runs hold on to its members.
  TimedNetwork(const TimedNetwork&) = delete;
  TimedNetwork& operator=(const TimedNetwork&) = delete;

  double Milliseconds() { return run_(); }
  const ExportedNetwork& network() const { return network_; }
  // Of a decoder's runs so far.
  const DecodeTimes& times() const { return times_; }

 private:
  ExportedNetwork network_;
  DecodeTimes times_;
  TimedRun run_;
};

// Of a network that is exported first; its files are written below the system's
// folder for temporary files, and removed.
std::unique_ptr<TimedNetwork> ExportTimed(Engine& engine,
                                          const Architecture& architecture,
                                          const TaskShape& task,
                                          const NamedTensors& weights,
                                          const MeasurementOptions& measurement,
                                          std::uint64_t seed);

}  // namespace hone
