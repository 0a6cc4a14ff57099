#pragma once

#include <filesystem>

#include "eval/exported_network.h"
#include "eval/latency.h"

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

}  // namespace hone
