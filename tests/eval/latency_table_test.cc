#include "eval/latency_table.h"

#include <gtest/gtest.h>

#include "space/base/file.h"

namespace hone {
namespace {

Architecture Network(std::int64_t width) {
  return {{32}, {{MultiHead(2), {width}, Precision::kF32}}};
}

TEST(LatencyTable, MeasuresEachOnceForADevice) {
  const ScratchFolder folder;
  const ArtifactStore store(folder.path());
  std::vector<std::int64_t> measured;  // feed-forward widths
  const auto measure = [&](const std::vector<Architecture>& networks) {
    std::vector<ProbedLatency> latencies;
    for (const Architecture& one : networks) {
      measured.push_back(one.encoder[0].feed_forward.width);
      latencies.push_back({static_cast<double>(measured.size()), 0.1});
    }
    return latencies;
  };
  const LatencyTable table(store, {{"engine", "one"}}, measure);
  const auto first = table.Get({Network(8), Network(16)});
  EXPECT_EQ(first, (std::vector<ProbedLatency>{{1, 0.1}, {2, 0.1}}));
  // What is filed keeps its place among what is not.
  const auto second = table.Get({Network(32), Network(16)});
  EXPECT_EQ(second, (std::vector<ProbedLatency>{{3, 0.1}, {2, 0.1}}));
  EXPECT_EQ(LatencyTable(store, {{"engine", "one"}}, measure).Get({Network(8)}),
            (std::vector<ProbedLatency>{{1, 0.1}}));
  EXPECT_EQ(measured, (std::vector<std::int64_t>{8, 16, 32}));
  // Another repeat, another device: measured anew.
  table.Get({Network(8)}, 1);
  LatencyTable(store, {{"engine", "two"}}, measure).Get({Network(8)});
  EXPECT_EQ(measured, (std::vector<std::int64_t>{8, 16, 32, 8, 8}));
}

}  // namespace
}  // namespace hone
