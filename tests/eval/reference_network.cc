#include "tests/eval/reference_network.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <optional>

#include "space/base/error.h"
#include "space/base/rng.h"
#include "space/network/cost_ops.h"
#include "space/network/transformer.h"
#include "tests/eval/reference_array.h"
#include "tests/eval/reference_linear.h"

namespace hone {
namespace {

class ReferenceOps {
 public:
  using Value = Array;

  ReferenceOps(const NamedTensors& weights, InputRanges* ranges)
      : weights_(weights), ranges_(ranges) {}

  Value Table(const std::string& name, const TableSpec& spec) {
    return {{spec.rows, spec.dim}, LinearWeight(weights_, name)};
  }
  Value Matrix(const std::string& name, std::int64_t rows,
               std::int64_t columns) {
    return Stored(name + ".weight", {rows, columns});
  }
  Value RandomFeatures(const std::string& name, std::int64_t rows,
                       std::int64_t columns) {
    return Stored(name + ".features", {rows, columns});
  }
  Value Lookup(const std::string& name, const Value& tokens,
               const TableSpec& spec) {
    const Value table = Table(name, spec);
    const std::int64_t dim = spec.dim;
    Value y{{tokens.shape[0], tokens.shape[1], dim}, {}};
    for (const double token : tokens.values) {
      const double* row =
          table.values.data() + static_cast<std::int64_t>(token) * dim;
      y.values.insert(y.values.end(), row, row + dim);
    }
    return y;
  }
  Value AddSinusoids(const Value& x, std::int64_t, std::int64_t dim) {
    Value y = x;
    for (std::int64_t i = 0; i < Product(x.shape); ++i) {
      const std::int64_t place = i / dim % x.shape[1];
      const std::int64_t column = i % dim;
      const double angle = Angle(place, column % (dim / 2), dim);
      y.values[At(i)] += column < dim / 2 ? std::sin(angle) : std::cos(angle);
    }
    return y;
  }
  Value Rotary(const Value& x, std::int64_t) {
    const std::int64_t dim = x.shape[3];
    Value y = x;
    for (std::int64_t at = 0; at < Product(x.shape); at += dim) {
      const std::int64_t place = at / dim % x.shape[2];
      for (std::int64_t i = 0; i < dim / 2; ++i) {
        const double angle = Angle(place, i, dim);
        const double a = x.values[At(at + i)];
        const double b = x.values[At(at + i + dim / 2)];
        y.values[At(at + i)] = a * std::cos(angle) - b * std::sin(angle);
        y.values[At(at + i + dim / 2)] =
            b * std::cos(angle) + a * std::sin(angle);
      }
    }
    return y;
  }
  Value RmsNorm(const std::string& name, const Value& x, std::int64_t dim) {
    const float* weight = weights_.at(name + ".weight").data<float>();
    Value y = x;
    for (std::int64_t at = 0; at < Product(x.shape); at += dim) {
      double* row = y.values.data() + at;
      const double square = std::inner_product(row, row + dim, row, 0.0);
      const double root = std::sqrt(square / static_cast<double>(dim) + 1e-5);
      for (std::int64_t i = 0; i < dim; ++i) row[i] *= weight[i] / root;
    }
    return y;
  }

  Value Relu(const Value& x) {
    return Each(x, [](double v) { return std::max(v, 0.0); });
  }
  Value Silu(const Value& x) {
    return Each(x, [](double v) { return v / (1 + std::exp(-v)); });
  }
  Value Exp(const Value& x) {
    return Each(x, [](double v) { return std::exp(v); });
  }
  Value EluPlusOne(const Value& x) {
    return Each(x, [](double v) { return v > 0 ? v + 1 : std::exp(v); });
  }
  Value Scale(const Value& x, double factor) {
    return Each(x, [&](double v) { return v * factor; });
  }
  Value Offset(const Value& x, double offset) {
    return Each(x, [&](double v) { return v + offset; });
  }
  Value Multiply(const Value& x, const Value& y) {
    return Both(x, y, std::multiplies<>());
  }
  Value Divide(const Value& x, const Value& y) {
    return Both(x, y, std::divides<>());
  }

  Value Transpose(const Value& x, std::int64_t i, std::int64_t j) {
    Shape shape = x.shape;
    std::swap(shape[At(i)], shape[At(j)]);
    return Made(shape, [&](Shape place) {
      std::swap(place[At(i)], place[At(j)]);
      return x.values[At(Flat(x.shape, place))];
    });
  }
  Value Reshape(const Value& x, const Shape& dims) {
    return {shapes_.Reshape(x.shape, dims), x.values};
  }
  Value Pad(const Value& x, std::int64_t axis, std::int64_t before,
            std::int64_t after) {
    Shape shape = x.shape;
    shape[At(axis)] += before + after;
    return Made(shape, [&](Shape place) {
      place[At(axis)] -= before;
      const std::int64_t at = place[At(axis)];
      return at < 0 || at >= x.shape[At(axis)]
                 ? 0.0
                 : x.values[At(Flat(x.shape, place))];
    });
  }
  Value PadToMultiple(const Value& x, std::int64_t axis,
                      std::int64_t multiple) {
    const std::int64_t over = x.shape[At(axis)] % multiple;
    return Pad(x, axis, 0, over == 0 ? 0 : multiple - over);
  }
  Value Slice(const Value& x, std::int64_t axis, std::int64_t begin,
              std::int64_t end) {
    return Made(shapes_.Slice(x.shape, axis, begin, end), [&](Shape place) {
      place[At(axis)] += begin;
      return x.values[At(Flat(x.shape, place))];
    });
  }
  Value CutLike(const Value& x, std::int64_t axis, const Value& like,
                std::int64_t like_axis) {
    return Slice(x, axis, 0, like.shape[At(like_axis)]);
  }
  Value Concat(const std::vector<Value>& parts, std::int64_t axis) {
    std::vector<Shape> shapes;
    for (const Value& part : parts) shapes.push_back(part.shape);
    return Made(shapes_.Concat(shapes, axis), [&](Shape place) {
      std::size_t part = 0;
      while (place[At(axis)] >= parts[part].shape[At(axis)]) {
        place[At(axis)] -= parts[part++].shape[At(axis)];
      }
      return parts[part].values[At(Flat(parts[part].shape, place))];
    });
  }
  Value TokenOnes(const Value& x) {
    return Made({1, 1, x.shape[2], 1}, [](const Shape&) { return 1.0; });
  }
  Value Constant(const std::string&, const Shape& dims,
                 const std::vector<float>& values) {
    return {dims, {values.begin(), values.end()}};
  }

  Value MatMul(const Value& x, const Value& y) {
    const std::int64_t inner = x.shape.back();
    return Made(shapes_.MatMul(x.shape, y.shape), [&](const Shape& place) {
      double sum = 0;
      for (std::int64_t i = 0; i < inner; ++i) {
        Shape left = place;
        left.back() = i;
        Shape right = place;
        right[right.size() - 2] = i;
        sum += Broadcasted(x, left) * Broadcasted(y, right);
      }
      return sum;
    });
  }
  Value Softmax(const Value& x) {
    const Value exps = Exp(Both(x, Max(x), std::minus<>()));
    return Divide(exps,
                  Sum(exps, static_cast<std::int64_t>(x.shape.size()) - 1));
  }
  Value Sum(const Value& x, std::int64_t axis) {
    Shape shape = x.shape;
    shape[At(axis)] = 1;
    return Made(shape, [&](Shape place) {
      double sum = 0;
      for (std::int64_t i = 0; i < x.shape[At(axis)]; ++i) {
        place[At(axis)] = i;
        sum += x.values[At(Flat(x.shape, place))];
      }
      return sum;
    });
  }
  Value Max(const Value& x) {
    Shape shape = x.shape;
    shape.back() = 1;
    return Made(shape, [&](Shape place) {
      double most = -std::numeric_limits<double>::infinity();
      for (std::int64_t i = 0; i < x.shape.back(); ++i) {
        place.back() = i;
        most = std::max(most, x.values[At(Flat(x.shape, place))]);
      }
      return most;
    });
  }
  Value RunningSum(const Value& x, std::int64_t axis) {
    return Made(x.shape, [&](Shape place) {
      double sum = 0;
      for (std::int64_t i = place[At(axis)]; i >= 0; --i) {
        place[At(axis)] = i;
        sum += x.values[At(Flat(x.shape, place))];
      }
      return sum;
    });
  }
  Value LowerTriangle(const Value& x, std::int64_t diagonal) {
    return Made(x.shape, [&](const Shape& place) {
      const std::size_t last = place.size() - 1;
      return place[last] - place[last - 1] <= diagonal
                 ? x.values[At(Flat(x.shape, place))]
                 : 0.0;
    });
  }
  bool Stepwise() { return false; }
  Value Remember(const std::string&, const Value& x) { return x; }
  std::optional<Value> Carried(const std::string&, const Shape&) {
    return std::nullopt;
  }
  void Carry(const std::string&, const Value&) {}

  Value Embedding(const std::string& name, const Value& tokens,
                  const TableSpec& spec) {
    return Lookup(name, tokens, spec);
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
    const std::vector<double> weight = LinearWeight(weights_, name);
    const std::vector<double> bias = LinearBias(weights_, name);
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
    return Both(x, y, std::plus<>());
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
                                  const Value& v, const AttentionMask& mask) {
    const std::int64_t tokens = q.shape[2];
    const std::int64_t keys = k.shape[2];
    const std::int64_t dim = q.shape[3];
    const std::int64_t group = q.shape[1] / k.shape[1];
    Value y{q.shape, std::vector<double>(q.values.size(), 0)};
    for (std::int64_t head = 0; head < q.shape[0] * q.shape[1]; ++head) {
      const std::int64_t base = head * tokens * dim;
      const std::int64_t key_base = head / group * keys * dim;
      for (std::int64_t i = 0; i < tokens; ++i) {
        Attend(q.values.data() + base + i * dim, k.values.data() + key_base,
               v.values.data() + key_base, y.values.data() + base + i * dim, i,
               keys, dim, mask);
      }
    }
    return y;
  }

  Value Masked(const Value& scores, const AttentionMask& mask) {
    Value y = scores;
    const std::int64_t keys = scores.shape[3];
    for (std::size_t at = 0; at < y.values.size(); ++at) {
      const auto j = static_cast<std::int64_t>(at) % keys;
      const auto i = static_cast<std::int64_t>(at) / keys % scores.shape[2];
      const bool hidden = (mask.causal && j > i) ||
                          (mask.window >= 0 && std::abs(i - j) > mask.window);
      if (hidden) y.values[at] = -std::numeric_limits<double>::infinity();
    }
    return y;
  }

  Value RoundOperand(const std::string& name, const Value& x) {
    if (ranges_ != nullptr) Note(name, x);
    const auto found = weights_.find(name + ".scale");
    if (found == weights_.end()) return x;
    const double scale = *found->second.data<float>();
    Value y = x;
    for (double& v : y.values) {
      v = std::clamp(std::nearbyint(v / scale), -127.0, 127.0) * scale;
    }
    return y;
  }

  Value RoundShares(const Value& x) {
    Value y = x;
    for (double& v : y.values) v = std::nearbyint(v * 255) / 255;
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
  template <typename F>
  Value Both(const Value& x, const Value& y, F f) {
    if (x.shape == y.shape) {
      Value z = x;
      for (std::size_t i = 0; i < z.values.size(); ++i) {
        z.values[i] = f(x.values[i], y.values[i]);
      }
      return z;
    }
    return Made(shapes_.Add(x.shape, y.shape), [&](const Shape& place) {
      return f(Broadcasted(x, place), Broadcasted(y, place));
    });
  }
  Value Stored(const std::string& name, const Shape& shape) const {
    const float* values = weights_.at(name).data<float>();
    return {shape, {values, values + Product(shape)}};
  }

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
                     std::int64_t dim, const AttentionMask& mask) {
    std::vector<double> shares(static_cast<std::size_t>(tokens), 0);
    double sum = 0;
    for (std::int64_t j = 0; j < tokens; ++j) {
      const std::int64_t away = std::abs(i - j);
      if (mask.causal && j > i) continue;
      if (mask.window >= 0 && away > mask.window) continue;
      if (mask.stride > 0 && away >= mask.stride && away % mask.stride != 0) {
        continue;
      }
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

  // The input as the layer sees it: rounded to u8 and back, or as it is.
  Value Input(const std::string& name, const Value& x,
              const LinearSpec& spec) const {
    if (!spec.precision.int8_activations) return x;
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
  CostOps shapes_;
};
static_assert(NetworkOps<ReferenceOps>);

}  // namespace

std::vector<float> ReferenceLogits(const Architecture& architecture,
                                   const TaskShape& task,
                                   const NamedTensors& weights,
                                   const std::vector<std::int64_t>& tokens,
                                   std::int64_t batch, std::int64_t length,
                                   InputRanges* ranges) {
  ReferenceOps ops(weights, ranges);
  Array input{{batch, length}, {tokens.begin(), tokens.end()}};
  if (task.features > 0) input.shape.push_back(task.features);
  const Array logits = Transformer(ops, architecture, task, input, input);
  return {logits.values.begin(), logits.values.end()};
}

}  // namespace hone
