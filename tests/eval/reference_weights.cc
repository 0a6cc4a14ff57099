#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>

#include "space/base/error.h"
#include "space/base/rng.h"
#include "space/network/cost_ops.h"
#include "space/network/transformer.h"
#include "tests/eval/reference_network.h"

namespace hone {
namespace {

using Shape = std::vector<std::int64_t>;

std::int64_t Product(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1},
                         std::multiplies<>());
}

// What QuantizeByRange needs to know of the linear layers.
struct LinearLayer {
  std::string name;
  LinearSpec spec;
};

// Visits the network for its weights, by shapes alone.
class WeightVisitor : public CostOps {
 public:
  WeightVisitor(NamedTensors& weights, std::vector<LinearLayer>& linears,
                std::uint64_t seed)
      : weights_(weights), linears_(linears), rng_(seed) {}

  const std::map<std::string, TableSpec>& tables() const { return tables_; }

  Value Embedding(const std::string& name, const Value& tokens,
                  const TableSpec& spec) {
    return Lookup(name, tokens, spec);
  }
  Value Lookup(const std::string& name, const Value& tokens,
               const TableSpec& spec) {
    Table(name, spec);
    return CostOps::Lookup(name, tokens, spec);
  }
  Value Table(const std::string& name, const TableSpec& spec) {
    Draw(name + ".weight", {spec.rows, spec.dim}, 0, 1);
    tables_[name] = spec;
    return CostOps::Table(name, spec);
  }
  Value Matrix(const std::string& name, std::int64_t rows,
               std::int64_t columns) {
    Draw(name + ".weight", {rows, columns}, 0,
         1 / std::sqrt(static_cast<double>(columns)));
    return CostOps::Matrix(name, rows, columns);
  }
  Value RandomFeatures(const std::string& name, std::int64_t rows,
                       std::int64_t columns) {
    Draw(name + ".features", {rows, columns}, 0, 1);
    return CostOps::RandomFeatures(name, rows, columns);
  }
  Value AddPositions(const std::string& name, const Value& x, std::int64_t rows,
                     std::int64_t dim) {
    Draw(name + ".weight", {rows, dim}, 0, 0.5);
    return CostOps::AddPositions(name, x, rows, dim);
  }
  Value Linear(const std::string& name, const Value& x,
               const LinearSpec& spec) {
    linears_.push_back({name, spec});
    Draw(name + ".bias", {spec.out}, 0, 0.1);
    Draw(name + ".weight", {spec.out, spec.in}, 0,
         1 / std::sqrt(static_cast<double>(spec.in)));
    return CostOps::Linear(name, x, spec);
  }
  Value LayerNorm(const std::string& name, const Value& x, std::int64_t dim) {
    Draw(name + ".bias", {dim}, 0, 0.1);
    Draw(name + ".weight", {dim}, 1, 0.1);
    return CostOps::LayerNorm(name, x, dim);
  }
  Value RmsNorm(const std::string& name, const Value& x, std::int64_t dim) {
    Draw(name + ".weight", {dim}, 1, 0.1);
    return CostOps::RmsNorm(name, x, dim);
  }

 private:
  void Draw(const std::string& name, const Shape& shape, double mean,
            double deviation) {
    if (weights_.contains(name)) return;
    std::vector<float> values(static_cast<std::size_t>(Product(shape)));
    for (float& value : values) {
      value = static_cast<float>(mean + deviation * rng_.Normal());
    }
    weights_[name] = TensorData::FromFloats(shape, values);
  }

  NamedTensors& weights_;
  std::vector<LinearLayer>& linears_;
  std::map<std::string, TableSpec> tables_;
  Rng rng_;
};
static_assert(NetworkOps<WeightVisitor>);

void VisitWeights(WeightVisitor& visitor, const Architecture& architecture,
                  const TaskShape& task) {
  Shape input = {1, 1};
  if (task.features > 0) input.push_back(task.features);
  Transformer(visitor, architecture, task, input, Shape{1, 1});
}

template <typename T>
TensorData Make(DType dtype, const Shape& shape, const std::vector<T>& values) {
  TensorData tensor{dtype, shape, {}};
  tensor.bytes.resize(values.size() * sizeof(T));
  std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
  return tensor;
}

// Some levels for each precision; those of one bit less than 4 are evenly
// spaced, since the file adds two planes of bits. With 8-bit activations none
// for which a CPU without VNNI would need 17 bits.
std::vector<int> SomeLevels(const Precision& precision) {
  if (precision.weight_bits == 8) {
    const int limit = precision.int8_activations ? 63 : 127;
    std::vector<int> levels(static_cast<std::size_t>(2 * limit + 1));
    std::iota(levels.begin(), levels.end(), -limit);
    return levels;
  }
  const int count = 1 << precision.weight_bits;
  std::vector<int> levels;
  for (int i = 0; i < count; ++i) {
    if (precision.weight_bits < 4) {
      levels.push_back(2 * i - count + 1);
    } else if (precision.levels == Levels::kUniform) {
      levels.push_back(i - 8);
    } else {
      levels.push_back((i - 8) * std::abs(i - 8));
    }
  }
  return levels;
}

std::size_t Nearest(const std::vector<int>& levels, double x) {
  std::size_t best = 0;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    if (std::abs(levels[i] - x) < std::abs(levels[best] - x)) best = i;
  }
  return best;
}

Shape ScalesOf(const LinearSpec& spec) {
  if (spec.precision.block == Precision::kTensor) return {};
  if (spec.precision.block == Precision::kRow) return {spec.out};
  return {spec.out, spec.in / BlockFor(spec.precision, spec.in)};
}

// Rounds runs of weights that share a scale to the nearest level.
void RoundWeight(NamedTensors& weights, const LinearLayer& layer) {
  const LinearSpec& spec = layer.spec;
  const TensorData weight = weights.at(layer.name + ".weight");
  const float* values = weight.data<float>();
  const bool numbers = spec.precision.StoresIntegers();
  const std::vector<int> levels = SomeLevels(spec.precision);
  std::vector<std::uint8_t> codes;
  std::vector<float> scales;
  const std::int64_t block =
      weight.elements() / ScaleCount(spec.precision, spec.out, spec.in);
  for (std::int64_t at = 0; at < weight.elements(); at += block) {
    float largest = 1e-6f;
    for (std::int64_t i = at; i < at + block; ++i) {
      largest = std::max(largest, std::abs(values[i]));
    }
    scales.push_back(largest / static_cast<float>(levels.back()));
    for (std::int64_t i = at; i < at + block; ++i) {
      const std::size_t code = Nearest(levels, values[i] / scales.back());
      codes.push_back(static_cast<std::uint8_t>(
          numbers ? levels[code] : static_cast<int>(code)));
    }
  }
  weights[layer.name + ".weight"] =
      Make(numbers ? DType::kI8 : DType::kU8, weight.shape, codes);
  weights[layer.name + ".weight_scale"] =
      Make(DType::kF32, ScalesOf(spec), scales);
  if (numbers) return;
  weights[layer.name + ".weight_levels"] =
      Make(DType::kI8, {static_cast<std::int64_t>(levels.size())},
           std::vector<std::int8_t>(levels.begin(), levels.end()));
}

// Codes from 0 on, a zero point for each scale.
void RoundAsymmetric(NamedTensors& weights, const LinearLayer& layer) {
  const LinearSpec& spec = layer.spec;
  const TensorData weight = weights.at(layer.name + ".weight");
  const float* values = weight.data<float>();
  const int highest = (1 << spec.precision.weight_bits) - 1;
  std::vector<std::uint8_t> codes;
  std::vector<std::uint8_t> zeros;
  std::vector<float> scales;
  const std::int64_t block =
      weight.elements() / ScaleCount(spec.precision, spec.out, spec.in);
  for (std::int64_t at = 0; at < weight.elements(); at += block) {
    const auto [low, high] =
        std::minmax_element(values + at, values + at + block);
    scales.push_back((*high - *low) / static_cast<float>(highest));
    const auto zero = std::clamp(std::lround(-*low / scales.back()), 0L,
                                 static_cast<long>(highest));
    zeros.push_back(static_cast<std::uint8_t>(zero));
    for (std::int64_t i = at; i < at + block; ++i) {
      codes.push_back(static_cast<std::uint8_t>(
          std::clamp(std::lround(values[i] / scales.back()) + zero, 0L,
                     static_cast<long>(highest))));
    }
  }
  const Shape shape = ScalesOf(spec);
  weights[layer.name + ".weight"] = Make(DType::kU8, weight.shape, codes);
  weights[layer.name + ".weight_scale"] = Make(DType::kF32, shape, scales);
  weights[layer.name + ".weight_zero_point"] = Make(DType::kU8, shape, zeros);
  if (spec.precision.StoresIntegers()) return;
  std::vector<std::int8_t> levels(static_cast<std::size_t>(highest) + 1);
  std::iota(levels.begin(), levels.end(), std::int8_t{0});
  weights[layer.name + ".weight_levels"] =
      Make(DType::kI8, {highest + 1}, levels);
}

void RoundInput(NamedTensors& weights, const LinearLayer& layer,
                std::pair<double, double> range) {
  const double low = std::min(range.first, 0.0);
  const double high = std::max(range.second, 1e-3);
  const auto scale = static_cast<float>((high - low) / 255);
  const auto zero = static_cast<std::uint8_t>(std::lround(-low / scale));
  const TensorData bias = weights.at(layer.name + ".bias");
  const float* weight_scale =
      weights.at(layer.name + ".weight_scale").data<float>();
  const bool per_output = layer.spec.precision.block != Precision::kTensor;
  std::vector<std::int32_t> rounded;
  for (std::int64_t i = 0; i < layer.spec.out; ++i) {
    rounded.push_back(static_cast<std::int32_t>(std::lround(
        bias.data<float>()[i] / (scale * weight_scale[per_output ? i : 0]))));
  }
  weights[layer.name + ".bias"] = Make(DType::kI32, {layer.spec.out}, rounded);
  weights[layer.name + ".input_scale"] =
      Make(DType::kF32, {}, std::vector<float>{scale});
  weights[layer.name + ".input_zero_point"] =
      Make(DType::kU8, {}, std::vector<std::uint8_t>{zero});
}

// To 8 binary digits, halfway to the even one; of numbers that are not tiny.
float InBf16(float value) {
  if (value == 0) return value;
  const int exponent = std::ilogb(value) - 7;
  return static_cast<float>(
      std::ldexp(std::nearbyint(std::ldexp(value, -exponent)), exponent));
}

// Products of attention stay as they are.
Architecture WithFloatLayers(const Architecture& architecture) {
  Architecture floats = WithoutPrecision(architecture);
  for (const auto side : {&Architecture::encoder, &Architecture::decoder}) {
    for (std::size_t i = 0; i < (floats.*side).size(); ++i) {
      (floats.*side)[i].products = (architecture.*side)[i].products;
    }
  }
  return floats;
}

}  // namespace

NamedTensors RandomWeights(const Architecture& architecture,
                           const TaskShape& task, std::uint64_t seed) {
  NamedTensors weights;
  std::vector<LinearLayer> linears;
  WeightVisitor visitor(weights, linears, seed);
  VisitWeights(visitor, architecture, task);
  return weights;
}

NamedTensors QuantizeByRange(const Architecture& architecture,
                             const TaskShape& task, const NamedTensors& weights,
                             const std::vector<std::int64_t>& tokens,
                             std::int64_t batch, std::int64_t length) {
  InputRanges ranges;
  ReferenceLogits(WithoutPrecision(architecture), task, weights, tokens, batch,
                  length, &ranges);
  InputRanges operands;
  ReferenceLogits(WithFloatLayers(architecture), task, weights, tokens, batch,
                  length, &operands);
  NamedTensors drawn;
  std::vector<LinearLayer> linears;
  WeightVisitor visitor(drawn, linears, 0);
  VisitWeights(visitor, architecture, task);
  NamedTensors quantized = weights;
  const bool in_bf16 = architecture.stem.compute == Compute::kBf16;
  for (auto& [name, weight] : quantized) {
    float* values = weight.data<float>();
    for (std::int64_t i = 0; in_bf16 && i < weight.elements(); ++i) {
      values[i] = InBf16(values[i]);
    }
  }
  for (const auto& [name, spec] : visitor.tables()) {
    if (spec.precision.IsFloat()) continue;
    RoundWeight(quantized, {name, {spec.dim, spec.rows, spec.precision}});
  }
  for (const LinearLayer& layer : linears) {
    if (layer.spec.precision.IsFloat()) continue;
    if (layer.spec.precision.levels == Levels::kAsymmetric) {
      RoundAsymmetric(quantized, layer);
    } else {
      RoundWeight(quantized, layer);
    }
    if (layer.spec.precision.int8_activations) {
      RoundInput(quantized, layer, ranges.at(layer.name));
    }
  }
  for (const auto& [name, range] : operands) {
    if (!name.ends_with("_operand")) continue;
    const double largest = std::max(-range.first, range.second);
    quantized[name + ".scale"] = Make(
        DType::kF32, {}, std::vector<float>{static_cast<float>(largest / 127)});
  }
  return quantized;
}

std::vector<std::int64_t> RandomTokens(std::int64_t count,
                                       std::int64_t vocabulary,
                                       std::uint64_t seed) {
  Rng rng(seed);
  std::vector<std::int64_t> tokens;
  for (std::int64_t i = 0; i < count; ++i) {
    tokens.push_back(static_cast<std::int64_t>(
        rng.Below(static_cast<std::uint64_t>(vocabulary))));
  }
  return tokens;
}

std::vector<std::int64_t> RandomInput(std::int64_t places,
                                      const TaskShape& task,
                                      std::uint64_t seed) {
  constexpr std::int64_t kFeatureValues = 5;
  return task.features > 0
             ? RandomTokens(places * task.features, kFeatureValues, seed)
             : RandomTokens(places, task.vocabulary, seed);
}

double RelativeError(const std::vector<float>& actual,
                     const std::vector<float>& reference) {
  HONE_CHECK_EQ(actual.size(), reference.size());
  const double mean = std::accumulate(reference.begin(), reference.end(), 0.0) /
                      static_cast<double>(reference.size());
  double error = 0;
  double spread = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    error += std::pow(static_cast<double>(actual[i]) - reference[i], 2);
    spread += std::pow(reference[i] - mean, 2);
  }
  return std::sqrt(error / spread);
}

}  // namespace hone
