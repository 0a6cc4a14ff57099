#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "eval/engine/engine.h"
#include "eval/export/onnx_products.h"
#include "eval/latency.h"

namespace hone {

// What becomes of one product of a file in an engine.
struct InspectedProduct {
  StoredProduct stored;
  std::optional<std::size_t> node;  // which of the phase's computes it
  // The first product of the same node, where that is another one.
  std::optional<std::size_t> shares_with;
  // Element types of activations and weights as the kernel reads them:
  // "u8/i8", "f32/i4", "f32" where both are; "-" without a node.
  std::string runs;
  // Low-bit in the file but run in float, or decompressed on the fly.
  bool miss = false;
  std::string why;
};

// One way of running one file.
struct InspectedPhase {
  std::string file;
  std::string what;   // "one inference", "a prompt", "a step", "a source"
  double run_ms = 0;  // wall time of it, while nodes are timed
  // Microseconds are those of one run.
  std::vector<EngineNode> nodes;
  std::vector<InspectedProduct> products;

  double NodeMicroseconds() const {
    double sum = 0;
    for (const EngineNode& one : nodes) sum += one.microseconds;
    return sum;
  }
  // Of the time of all nodes; 0 where none of them was long enough to count.
  double Share(std::size_t node) const {
    const double all = NodeMicroseconds();
    return all > 0 ? nodes.at(node).microseconds / all : 0;
  }
};

struct InspectedFile {
  std::string name;
  std::int64_t bytes = 0;
  std::vector<StoredBytes> stored;
};

struct Inspection {
  std::vector<InspectedFile> files;
  std::vector<InspectedPhase> phases;
};

// Finds the node of each product by the names of its values, and says from
// stored and run element types what became of it.
std::vector<InspectedProduct> MatchProducts(
    const std::vector<StoredProduct>& stored,
    const std::vector<EngineNode>& nodes);

// Reads the files of an exported folder and runs them with timed nodes, in
// three loads of their own, each with three runs to warm up and then at least
// 20, until 0.1 seconds are over. Times are the median of the loads' means,
// since another process may disturb one of them. An encoder: one inference of
// options.batch x options.tokens. A decoder: a prompt of that many tokens, and
// apart from it options.new_tokens - 1 steps behind a prompt (at least one). An
// encoder-decoder: the source, and steps behind it.
// Throws as ReadOnnx and Engine::Load, and Error{kUsage} when the engine does
// not tell its nodes.
Inspection Inspect(Engine& engine, const std::filesystem::path& folder,
                   const TaskShape& task, const MeasurementOptions& options);

}  // namespace hone
