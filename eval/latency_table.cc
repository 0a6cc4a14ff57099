#include "eval/latency_table.h"

#include <optional>
#include <utility>

#include "space/base/error.h"
#include "space/base/file.h"

namespace hone {
namespace {

constexpr char kStage[] = "latency";
constexpr char kFile[] = "latency.json";

}  // namespace

LatencyTable::LatencyTable(const ArtifactStore& store, const Json& device,
                           Measure measure)
    : store_(store), device_(device), measure_(std::move(measure)) {}

Json LatencyTable::Inputs(const Architecture& architecture, int repeat) const {
  return {{"architecture", ToJson(architecture)},
          {"device", device_},
          {"repeat", repeat}};
}

std::vector<ProbedLatency> LatencyTable::Get(
    const std::vector<Architecture>& architectures, int repeat) const {
  std::vector<ProbedLatency> latencies(architectures.size());
  std::vector<std::size_t> places;
  std::vector<Architecture> missing;
  for (std::size_t i = 0; i < architectures.size(); ++i) {
    const auto found = store_.Find(kStage, Inputs(architectures[i], repeat));
    if (!found) {
      places.push_back(i);
      missing.push_back(architectures[i]);
      continue;
    }
    const std::string where = found->PathOf(kFile).string();
    const Json filed = ParseJson(ReadFile(where), where);
    latencies[i] = {filed.at("milliseconds"), filed.at("ratio")};
  }
  if (missing.empty()) return latencies;
  const std::vector<ProbedLatency> measured = measure_(missing);
  HONE_CHECK_EQ(measured.size(), missing.size());
  for (std::size_t i = 0; i < missing.size(); ++i) {
    latencies[places[i]] = measured[i];
    const Json filed = {{"architecture", ToJson(missing[i])},
                        {"milliseconds", measured[i].milliseconds},
                        {"ratio", measured[i].ratio}};
    store_.Put(kStage, Inputs(missing[i], repeat),
               {{kFile, CanonicalJson(filed) + "\n"}});
  }
  return latencies;
}

}  // namespace hone
