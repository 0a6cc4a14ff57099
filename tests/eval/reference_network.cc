#include "tests/eval/reference_network.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "space/base/error.h"
#include "space/base/rng.h"
#include "space/network/transformer.h"
#include "space/network/cost_ops.h"

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

// Visits the network for its weights: value = nothing.
class WeightVisitor {
 public:
  struct Value {};

  WeightVisitor(NamedTensors& weights, std::vector<LinearLayer>& linears,
                std::uint64_t seed)
      : weights_(weights), linears_(linears), rng_(seed) {}

  Value Embedding(const std::string& name, const Value&, std::int64_t rows,
                  std::int64_t dim) {
    return Draw(name + ".weight", {rows, dim}, 0, 1);
  }
  Value AddPositions(const std::string& name, const Value&, std::int64_t rows,
                     std::int64_t dim) {
    return Draw(name + ".weight", {rows, dim}, 0, 0.5);
  }
  Value Linear(const std::string& name, const Value&, const LinearSpec& spec) {
    linears_.push_back({name, spec});
    Draw(name + ".bias", {spec.out}, 0, 0.1);
    return Draw(name + ".weight", {spec.out, spec.in}, 0,
                1 / std::sqrt(static_cast<double>(spec.in)));
  }
  Value LayerNorm(const std::string& name, const Value&, std::int64_t dim) {
    Draw(name + ".bias", {dim}, 0, 0.1);
    return Draw(name + ".weight", {dim}, 1, 0.1);
  }
  Value Gelu(const Value&) { return {}; }
  Value Add(const Value&, const Value&) { return {}; }
  Value Dropout(const Value&) { return {}; }
  Value SplitHeads(const Value&, std::int64_t) { return {}; }
  Value MergeHeads(const Value&) { return {}; }
  Value ScaledDotProductAttention(const Value&, const Value&, const Value&,
                                  std::int64_t) {
    return {};
  }
  Value MeanTokens(const Value&) { return {}; }
  void Tap(const std::string&, const Value&) {}

 private:
  Value Draw(const std::string& name, const Shape& shape, double mean,
             double deviation) {
    std::vector<float> values(static_cast<std::size_t>(Product(shape)));
    for (float& value : values) {
      value = static_cast<float>(mean + deviation * rng_.Normal());
    }
    weights_[name] = TensorData::FromFloats(shape, values);
    return {};
  }

  NamedTensors& weights_;
  std::vector<LinearLayer>& linears_;
  Rng rng_;
};
static_assert(NetworkOps<WeightVisitor>);

struct Array {
  Shape shape;
  std::vector<double> values;
};

class ReferenceOps {
 public:
  using Value = Array;

  ReferenceOps(const NamedTensors& weights, InputRanges* ranges)
      : weights_(weights), ranges_(ranges) {}

  Value Embedding(const std::string& name, const Value& tokens, std::int64_t,
                  std::int64_t dim) {
    const float* table = weights_.at(name + ".weight").data<float>();
    Value y{{tokens.shape[0], tokens.shape[1], dim}, {}};
    for (const double token : tokens.values) {
      const float* row = table + static_cast<std::int64_t>(token) * dim;
      y.values.insert(y.values.end(), row, row + dim);
    }
    return y;
  }

  Value AddPositions(const std::string& name, const Value& x, std::int64_t,
                     std::int64_t) {
    const float* table = weights_.at(name + ".weight").data<float>();
    Value y = x;
    const std::int64_t period = x.shape[1] * x.shape[2];
    for (std::size_t i = 0; i < y.values.size(); ++i) {
      y.values[i] += table[static_cast<std::int64_t>(i) % period];
    }
    return y;
  }

  Value Linear(const std::string& name, const Value& x,
               const LinearSpec& spec) {
    if (ranges_ != nullptr) Note(name, x);
    const std::vector<double> weight = Weight(name, spec);
    const std::vector<double> bias = Bias(name, spec);
    const Value input = Input(name, x, spec);
    Value y = x;
    y.shape.back() = spec.out;
    const std::int64_t rows = Product(x.shape) / spec.in;
    y.values.assign(static_cast<std::size_t>(rows * spec.out), 0);
    for (std::int64_t r = 0; r < rows; ++r) {
      const double* in = input.values.data() + r * spec.in;
      for (std::int64_t o = 0; o < spec.out; ++o) {
        y.values[static_cast<std::size_t>(r * spec.out + o)] =
            std::inner_product(in, in + spec.in, weight.data() + o * spec.in,
                               bias[static_cast<std::size_t>(o)]);
      }
    }
    return y;
  }

  Value LayerNorm(const std::string& name, const Value& x, std::int64_t dim) {
    const float* weight = weights_.at(name + ".weight").data<float>();
    const float* bias = weights_.at(name + ".bias").data<float>();
    Value y = x;
    for (std::size_t at = 0; at < y.values.size();
         at += static_cast<std::size_t>(dim)) {
      double* row = y.values.data() + at;
      const double mean =
          std::accumulate(row, row + dim, 0.0) / static_cast<double>(dim);
      double variance = 0;
      for (std::int64_t i = 0; i < dim; ++i) {
        variance += (row[i] - mean) * (row[i] - mean);
      }
      const double scale =
          1 / std::sqrt(variance / static_cast<double>(dim) + 1e-5);
      for (std::int64_t i = 0; i < dim; ++i) {
        row[i] = (row[i] - mean) * scale * weight[i] + bias[i];
      }
    }
    return y;
  }

  Value Gelu(const Value& x) {
    Value y = x;
    for (double& v : y.values) v = v * 0.5 * (1 + std::erf(v / std::sqrt(2)));
    return y;
  }

  Value Add(const Value& x, const Value& y) {
    Value sum = x;
    for (std::size_t i = 0; i < sum.values.size(); ++i) {
      sum.values[i] += y.values[i];
    }
    return sum;
  }

  Value Dropout(const Value& x) { return x; }

  Value SplitHeads(const Value& x, std::int64_t heads) {
    return SwapMiddle(x.values,
                      {x.shape[0], x.shape[1], heads, x.shape[2] / heads});
  }

  Value MergeHeads(const Value& x) {
    Value y = SwapMiddle(x.values, x.shape);
    y.shape = {y.shape[0], y.shape[1], y.shape[2] * y.shape[3]};
    return y;
  }

  Value ScaledDotProductAttention(const Value& q, const Value& k,
                                  const Value& v, std::int64_t window) {
    const std::int64_t tokens = q.shape[2];
    const std::int64_t dim = q.shape[3];
    Value y{q.shape, std::vector<double>(q.values.size(), 0)};
    for (std::int64_t head = 0; head < q.shape[0] * q.shape[1]; ++head) {
      const std::int64_t base = head * tokens * dim;
      for (std::int64_t i = 0; i < tokens; ++i) {
        Attend(q.values.data() + base + i * dim, k.values.data() + base,
               v.values.data() + base, y.values.data() + base + i * dim, i,
               tokens, dim, window);
      }
    }
    return y;
  }

  Value MeanTokens(const Value& x) {
    const std::int64_t tokens = x.shape[1];
    const std::int64_t dim = x.shape[2];
    Value y{{x.shape[0], dim},
            std::vector<double>(static_cast<std::size_t>(x.shape[0] * dim), 0)};
    for (std::size_t i = 0; i < x.values.size(); ++i) {
      const std::int64_t row = static_cast<std::int64_t>(i) / (tokens * dim);
      y.values[static_cast<std::size_t>(row * dim) +
               i % static_cast<std::size_t>(dim)] +=
          x.values[i] / static_cast<double>(tokens);
    }
    return y;
  }

  void Tap(const std::string&, const Value&) {}

 private:
  void Note(const std::string& name, const Value& x) {
    const auto [low, high] =
        std::minmax_element(x.values.begin(), x.values.end());
    (*ranges_)[name] = {*low, *high};
  }

  // [A,B,C,D] -> [A,C,B,D].
  static Value SwapMiddle(const std::vector<double>& values,
                          const Shape& shape) {
    Value y{{shape[0], shape[2], shape[1], shape[3]}, {}};
    y.values.reserve(values.size());
    for (std::int64_t a = 0; a < shape[0]; ++a) {
      for (std::int64_t c = 0; c < shape[2]; ++c) {
        for (std::int64_t b = 0; b < shape[1]; ++b) {
          const double* row =
              values.data() + ((a * shape[1] + b) * shape[2] + c) * shape[3];
          y.values.insert(y.values.end(), row, row + shape[3]);
        }
      }
    }
    return y;
  }

  static void Attend(const double* q, const double* keys, const double* values,
                     double* out, std::int64_t i, std::int64_t tokens,
                     std::int64_t dim, std::int64_t window) {
    std::vector<double> shares(static_cast<std::size_t>(tokens), 0);
    double sum = 0;
    for (std::int64_t j = 0; j < tokens; ++j) {
      if (window >= 0 && std::abs(i - j) > window) continue;
      const double score = std::inner_product(q, q + dim, keys + j * dim, 0.0) /
                           std::sqrt(static_cast<double>(dim));
      sum += shares[static_cast<std::size_t>(j)] = std::exp(score);
    }
    for (std::int64_t j = 0; j < tokens; ++j) {
      for (std::int64_t e = 0; e < dim; ++e) {
        out[e] +=
            shares[static_cast<std::size_t>(j)] / sum * values[j * dim + e];
      }
    }
  }

  std::vector<double> Weight(const std::string& name,
                             const LinearSpec& spec) const {
    const TensorData& weight = weights_.at(name + ".weight");
    const auto count = static_cast<std::size_t>(weight.elements());
    std::vector<double> values(count);
    if (spec.precision == Precision::kF32) {
      std::copy_n(weight.data<float>(), count, values.begin());
      return values;
    }
    const TensorData& scale = weights_.at(name + ".weight_scale");
    const std::size_t block =
        count / static_cast<std::size_t>(scale.elements());
    for (std::size_t i = 0; i < count; ++i) {
      values[i] = static_cast<double>(weight.data<std::int8_t>()[i]) *
                  scale.data<float>()[i / block];
    }
    return values;
  }

  std::vector<double> Bias(const std::string& name,
                           const LinearSpec& spec) const {
    const TensorData& bias = weights_.at(name + ".bias");
    std::vector<double> values(static_cast<std::size_t>(spec.out));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = spec.precision == Precision::kW8A8
                      ? static_cast<double>(bias.data<std::int32_t>()[i]) *
                            *weights_.at(name + ".input_scale").data<float>() *
                            weights_.at(name + ".weight_scale").data<float>()[i]
                      : bias.data<float>()[i];
    }
    return values;
  }

  // The input as the layer sees it: rounded to u8 and back for w8a8.
  Value Input(const std::string& name, const Value& x,
              const LinearSpec& spec) const {
    if (spec.precision != Precision::kW8A8) return x;
    const double scale = *weights_.at(name + ".input_scale").data<float>();
    const double zero =
        *weights_.at(name + ".input_zero_point").data<std::uint8_t>();
    Value y = x;
    for (double& v : y.values) {
      v = (std::clamp(std::nearbyint(v / scale) + zero, 0.0, 255.0) - zero) *
          scale;
    }
    return y;
  }

  const NamedTensors& weights_;
  InputRanges* ranges_;
};
static_assert(NetworkOps<ReferenceOps>);

template <typename T>
TensorData Make(DType dtype, const Shape& shape, const std::vector<T>& values) {
  TensorData tensor{dtype, shape, {}};
  tensor.bytes.resize(values.size() * sizeof(T));
  std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
  return tensor;
}

// Rounds runs of `block` weights to -limit..limit with one scale each.
void RoundWeight(NamedTensors& weights, const LinearLayer& layer,
                 std::int64_t block, double limit, const Shape& scale_shape) {
  const TensorData weight = weights.at(layer.name + ".weight");
  const float* values = weight.data<float>();
  std::vector<std::int8_t> rounded;
  std::vector<float> scales;
  for (std::int64_t at = 0; at < weight.elements(); at += block) {
    float largest = 1e-6f;
    for (std::int64_t i = at; i < at + block; ++i) {
      largest = std::max(largest, std::abs(values[i]));
    }
    scales.push_back(static_cast<float>(largest / limit));
    for (std::int64_t i = at; i < at + block; ++i) {
      rounded.push_back(
          static_cast<std::int8_t>(std::lround(values[i] / scales.back())));
    }
  }
  weights[layer.name + ".weight"] = Make(DType::kI8, weight.shape, rounded);
  weights[layer.name + ".weight_scale"] =
      Make(DType::kF32, scale_shape, scales);
}

void RoundToInt8(NamedTensors& weights, const LinearLayer& layer,
                 std::pair<double, double> range) {
  const double low = std::min(range.first, 0.0);
  const double high = std::max(range.second, 1e-3);
  const auto scale = static_cast<float>((high - low) / 255);
  const auto zero = static_cast<std::uint8_t>(std::lround(-low / scale));
  RoundWeight(weights, layer, layer.spec.in, 127, {layer.spec.out});
  const TensorData bias = weights.at(layer.name + ".bias");
  const float* weight_scale =
      weights.at(layer.name + ".weight_scale").data<float>();
  std::vector<std::int32_t> rounded;
  for (std::int64_t i = 0; i < layer.spec.out; ++i) {
    rounded.push_back(static_cast<std::int32_t>(
        std::lround(bias.data<float>()[i] / (scale * weight_scale[i]))));
  }
  weights[layer.name + ".bias"] = Make(DType::kI32, {layer.spec.out}, rounded);
  weights[layer.name + ".input_scale"] =
      Make(DType::kF32, {}, std::vector<float>{scale});
  weights[layer.name + ".input_zero_point"] =
      Make(DType::kU8, {}, std::vector<std::uint8_t>{zero});
}

}  // namespace

NamedTensors RandomWeights(const Architecture& architecture,
                           const TaskShape& task, std::uint64_t seed) {
  NamedTensors weights;
  std::vector<LinearLayer> linears;
  WeightVisitor visitor(weights, linears, seed);
  Classifier(visitor, architecture, task, {});
  return weights;
}

std::vector<float> ReferenceLogits(const Architecture& architecture,
                                   const TaskShape& task,
                                   const NamedTensors& weights,
                                   const std::vector<std::int64_t>& tokens,
                                   std::int64_t batch, std::int64_t length,
                                   InputRanges* ranges) {
  ReferenceOps ops(weights, ranges);
  const Array logits =
      Classifier(ops, architecture, task,
                 Array{{batch, length}, {tokens.begin(), tokens.end()}});
  return {logits.values.begin(), logits.values.end()};
}

NamedTensors QuantizeByRange(const Architecture& architecture,
                             const TaskShape& task, const NamedTensors& weights,
                             const std::vector<std::int64_t>& tokens,
                             std::int64_t batch, std::int64_t length) {
  InputRanges ranges;
  ReferenceLogits(WithoutPrecision(architecture), task, weights, tokens, batch,
                  length, &ranges);
  NamedTensors drawn;
  std::vector<LinearLayer> linears;
  WeightVisitor visitor(drawn, linears, 0);
  Classifier(visitor, architecture, task, {});
  NamedTensors quantized = weights;
  for (const LinearLayer& layer : linears) {
    if (layer.spec.precision == Precision::kW8A8) {
      RoundToInt8(quantized, layer, ranges.at(layer.name));
    } else if (layer.spec.precision == Precision::kW4) {
      const std::int64_t block = W4BlockFor(layer.spec.in, task.w4_block);
      RoundWeight(quantized, layer, block, 7,
                  {layer.spec.out, layer.spec.in / block});
    }
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
