#include "eval/parity.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>

#include "space/base/error.h"
#include "space/block_layers.h"
#include "train/forward.h"

namespace hone {
namespace {

constexpr std::int64_t kInferenceBatch = 64;
constexpr std::size_t kParityRows = 512;
constexpr std::int64_t kParityNumbers = 4'000'000;

// Rows whose logits, all together, stay below a hundred megabytes.
TaskData ParitySample(const TaskData& data, const TaskShape& task) {
  std::int64_t numbers = task.classes;
  if (task.topology == Topology::kDecoder) {
    numbers = data.window * task.vocabulary;
  } else if (task.topology == Topology::kEncoderDecoder) {
    numbers = task.max_target_tokens * task.vocabulary;
  }
  const std::int64_t most = std::max<std::int64_t>(kParityNumbers / numbers, 4);
  return SomeRows(data, std::min(kParityRows, static_cast<std::size_t>(most)));
}

// Root mean square of the difference over that of the reference's deviation
// from its mean.
double RelativeError(std::span<const float> actual,
                     std::span<const float> reference) {
  HONE_CHECK_EQ(actual.size(), reference.size());
  double mean = 0;
  for (const float value : reference) mean += value;
  mean /= static_cast<double>(reference.size());
  double error = 0;
  double spread = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    error += std::pow(static_cast<double>(actual[i]) - reference[i], 2);
    spread += std::pow(reference[i] - mean, 2);
  }
  return std::sqrt(error / std::max(spread, 1e-30));
}

// Whether the engine may round activations that the file leaves in f32.
bool MayRoundOnTheFly(const Architecture& architecture) {
  const StemSpec& stem = architecture.stem;
  if (stem.compute != Compute::kF32) return true;
  if (!stem.embedding.IsFloat() && !architecture.decoder.empty() &&
      stem.output == OutputEmbedding::kTied) {
    return true;
  }
  const std::vector<BlockSpec> blocks = AllBlocks(architecture);
  return std::any_of(blocks.begin(), blocks.end(), [](const BlockSpec& block) {
    const LinearPrecisions precisions = PrecisionsOf(block);
    return std::any_of(
        precisions.begin(), precisions.end(), [](const auto& entry) {
          return !entry.second.IsFloat() && !entry.second.int8_activations;
        });
  });
}

}  // namespace

double ParityError(Engine& engine, const std::filesystem::path& folder,
                   const Architecture& architecture, const TaskShape& task,
                   const NamedTensors& quantized, const TaskData& data,
                   std::int64_t threads, ExportedNetwork& network) {
  const TaskData rows = ParitySample(data, task);
  std::optional<ExportedNetwork> exact;
  if (MayRoundOnTheFly(architecture)) {
    exact.emplace(
        engine, folder, task,
        EngineOptions{
            .threads = threads, .activation_group = 0, .bf16 = false});
  }
  const std::vector<float> reference =
      ComputeFlatLogits(architecture, task, quantized, rows, kInferenceBatch);
  return RelativeError(
      (exact ? *exact : network).FlatLogits(rows, kInferenceBatch), reference);
}

}  // namespace hone
