#pragma once

#include <functional>
#include <vector>

#include "eval/artifact_store.h"
#include "space/architecture.h"
#include "space/base/json.h"

namespace hone {

// A latency, and what it is of that of the reference model.
struct ProbedLatency {
  double milliseconds = 0;
  double ratio = 0;
  bool operator==(const ProbedLatency&) const = default;
};

// The latencies of architectures on one device, each measured once and then
// filed under the hash of everything that it depends on.
class LatencyTable {
 public:
  // Times architectures side by side; one result for each.
  using Measure = std::function<std::vector<ProbedLatency>(
      const std::vector<Architecture>&)>;

  // `device`: all that a latency depends on beside the architecture.
  LatencyTable(const ArtifactStore& store, const Json& device, Measure measure);

  // Looks up what is filed, and measures and files the rest. `repeat` tells
  // measurements of one architecture apart.
  std::vector<ProbedLatency> Get(const std::vector<Architecture>& architectures,
                                 int repeat = 0) const;

 private:
  Json Inputs(const Architecture& architecture, int repeat) const;

  const ArtifactStore& store_;
  Json device_;
  Measure measure_;
};

}  // namespace hone
