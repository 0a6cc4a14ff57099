#include "space/cost.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "space/base/error.h"
#include "space/network/cost_ops.h"
#include "space/network/transformer.h"

namespace hone {
namespace {

std::int64_t Elements(const CostOps::Value& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1},
                         std::multiplies<>());
}

// Codes, scales and zero points, levels; a float bias, or with 8-bit
// activations one of 4 bytes with their scale and zero point.
std::int64_t LinearBytes(const LinearSpec& linear, std::int64_t float_bytes) {
  const std::int64_t weights = linear.in * linear.out;
  const Precision& precision = linear.precision;
  if (precision.IsFloat()) return float_bytes * (weights + linear.out);
  const std::int64_t scales = ScaleCount(precision, linear.out, linear.in) *
                              (precision.levels == Levels::kAsymmetric ? 5 : 4);
  const std::int64_t levels =
      precision.StoresIntegers() ? 0 : std::int64_t{1} << precision.weight_bits;
  return CodeBytes(precision, weights) + scales + levels +
         (precision.int8_activations ? 4 * linear.out + 5
                                     : float_bytes * linear.out);
}

// Codes, whole bytes for each row, and its scale.
std::int64_t TableBytes(const TableSpec& table, std::int64_t float_bytes) {
  if (table.precision.IsFloat()) return float_bytes * table.rows * table.dim;
  return table.rows * (CodeBytes(table.precision, table.dim) + 4);
}

}  // namespace

void CostOps::Weights(const std::string& name, std::int64_t elements) {
  if (!weights_.insert(name).second) return;
  cost_.parameters += elements;
  cost_.weight_bytes += float_bytes_ * elements;
}

void CostOps::Live(std::int64_t elements) {
  cost_.activation_bytes = std::max(cost_.activation_bytes, 4 * elements);
}

CostOps::Value CostOps::Pointwise(const Value& x) {
  Live(2 * Elements(x));
  return x;
}

CostOps::Value CostOps::Broadcast(const Value& x, const Value& y) {
  const std::size_t rank = std::max(x.size(), y.size());
  Value out(rank, 1);
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t a = i < rank - x.size() ? 1 : x[i - (rank - x.size())];
    const std::int64_t b = i < rank - y.size() ? 1 : y[i - (rank - y.size())];
    HONE_CHECK(a == b || a == 1 || b == 1);
    out[i] = std::max(a, b);
  }
  Live(Elements(x) + Elements(y) + Elements(out));
  return out;
}

CostOps::Value CostOps::Embedding(const std::string& name,
                                  const Value& tokens_BT,
                                  const TableSpec& spec) {
  return Lookup(name, tokens_BT, spec);
}

CostOps::Value CostOps::Lookup(const std::string& name, const Value& tokens_BT,
                               const TableSpec& spec) {
  Value y_BTD = tokens_BT;
  y_BTD.push_back(Table(name, spec)[1]);
  Live(Elements(y_BTD));
  return y_BTD;
}

CostOps::Value CostOps::Table(const std::string& name, const TableSpec& spec) {
  if (weights_.insert(name).second) {
    cost_.parameters += spec.rows * spec.dim;
    cost_.weight_bytes += TableBytes(spec, float_bytes_);
  }
  return {spec.rows, spec.dim};
}

CostOps::Value CostOps::Matrix(const std::string& name, std::int64_t rows,
                               std::int64_t columns) {
  Weights(name, rows * columns);
  return {rows, columns};
}

CostOps::Value CostOps::RandomFeatures(const std::string& name,
                                       std::int64_t rows,
                                       std::int64_t columns) {
  Weights(name + ".features", rows * columns);
  return {rows, columns};
}

CostOps::Value CostOps::AddPositions(const std::string& name,
                                     const Value& x_BTD, std::int64_t rows,
                                     std::int64_t dim) {
  HONE_CHECK_EQ(x_BTD.back(), dim);
  HONE_CHECK_LE(x_BTD[1], rows);
  Weights(name, rows * dim);
  return Pointwise(x_BTD);
}

CostOps::Value CostOps::AddSinusoids(const Value& x_BTD, std::int64_t rows,
                                     std::int64_t dim) {
  HONE_CHECK_EQ(x_BTD.back(), dim);
  HONE_CHECK_LE(x_BTD[1], rows);
  return Pointwise(x_BTD);
}

CostOps::Value CostOps::Rotary(const Value& x_BHTE, std::int64_t rows) {
  HONE_CHECK_LE(x_BHTE[2], rows);
  return Pointwise(x_BHTE);
}

CostOps::Value CostOps::Linear(const std::string& name, const Value& x,
                               const LinearSpec& spec) {
  HONE_CHECK_EQ(x.back(), spec.in);
  const std::int64_t rows = Elements(x) / spec.in;
  if (weights_.insert(name).second) {
    cost_.parameters += spec.in * spec.out + spec.out;
    cost_.weight_bytes += LinearBytes(spec, float_bytes_);
  }
  cost_.multiply_adds += rows * spec.in * spec.out;
  Value y = x;
  y.back() = spec.out;
  Live(Elements(x) + Elements(y));
  return y;
}

CostOps::Value CostOps::LayerNorm(const std::string& name, const Value& x,
                                  std::int64_t dim) {
  HONE_CHECK_EQ(x.back(), dim);
  Weights(name, 2 * dim);
  return Pointwise(x);
}

CostOps::Value CostOps::RmsNorm(const std::string& name, const Value& x,
                                std::int64_t dim) {
  HONE_CHECK_EQ(x.back(), dim);
  Weights(name, dim);
  return Pointwise(x);
}

CostOps::Value CostOps::SplitHeads(const Value& x_BTD, std::int64_t heads) {
  HONE_CHECK_EQ(x_BTD.size(), 3u);
  HONE_CHECK_EQ(x_BTD[2] % heads, 0);
  return {x_BTD[0], heads, x_BTD[1], x_BTD[2] / heads};
}

CostOps::Value CostOps::MergeHeads(const Value& x_BHTE) {
  HONE_CHECK_EQ(x_BHTE.size(), 4u);
  return {x_BHTE[0], x_BHTE[2], x_BHTE[1] * x_BHTE[3]};
}

CostOps::Value CostOps::Transpose(const Value& x, std::int64_t i,
                                  std::int64_t j) {
  Value y = x;
  std::swap(y.at(static_cast<std::size_t>(i)),
            y.at(static_cast<std::size_t>(j)));
  return y;
}

CostOps::Value CostOps::Reshape(const Value& x,
                                const std::vector<std::int64_t>& dims) {
  Value y = dims;
  std::int64_t known = 1;
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (y[i] == 0) y[i] = x.at(i);
    if (y[i] > 0) known *= y[i];
  }
  HONE_CHECK_EQ(Elements(x) % known, 0);
  for (std::int64_t& size : y) {
    if (size < 0) size = Elements(x) / known;
  }
  HONE_CHECK_EQ(Elements(x), Elements(y));
  return y;
}

CostOps::Value CostOps::Pad(const Value& x, std::int64_t axis,
                            std::int64_t before, std::int64_t after) {
  Value y = x;
  y.at(static_cast<std::size_t>(axis)) += before + after;
  return Pointwise(y);
}

CostOps::Value CostOps::PadToMultiple(const Value& x, std::int64_t axis,
                                      std::int64_t multiple) {
  const std::int64_t size = x.at(static_cast<std::size_t>(axis));
  return Pad(x, axis, 0, (multiple - size % multiple) % multiple);
}

CostOps::Value CostOps::Slice(const Value& x, std::int64_t axis,
                              std::int64_t begin, std::int64_t end) {
  Value y = x;
  std::int64_t& size = y.at(static_cast<std::size_t>(axis));
  const std::int64_t stop = end < 0 ? size + end : std::min(end, size);
  HONE_CHECK_LE(begin, stop);
  size = stop - begin;
  return y;
}

CostOps::Value CostOps::CutLike(const Value& x, std::int64_t axis,
                                const Value& like, std::int64_t like_axis) {
  return Slice(x, axis, 0, like.at(static_cast<std::size_t>(like_axis)));
}

CostOps::Value CostOps::Concat(const std::vector<Value>& parts,
                               std::int64_t axis) {
  Value y = parts.front();
  for (std::size_t i = 1; i < parts.size(); ++i) {
    y.at(static_cast<std::size_t>(axis)) +=
        parts[i].at(static_cast<std::size_t>(axis));
  }
  return Pointwise(y);
}

CostOps::Value CostOps::TokenOnes(const Value& x) { return {1, 1, x.at(2), 1}; }

CostOps::Value CostOps::Constant(const std::string&,
                                 const std::vector<std::int64_t>& dims,
                                 const std::vector<float>&) {
  return dims;
}

CostOps::Value CostOps::MatMul(const Value& x, const Value& y) {
  HONE_CHECK(x.size() >= 2 && y.size() >= 2);
  HONE_CHECK_EQ(x.back(), y[y.size() - 2]);
  Value out = Broadcast({x.begin(), x.end() - 2}, {y.begin(), y.end() - 2});
  out.push_back(x[x.size() - 2]);
  out.push_back(y.back());
  cost_.multiply_adds += Elements(out) * x.back();
  Live(Elements(x) + Elements(y) + Elements(out));
  return out;
}

CostOps::Value CostOps::Sum(const Value& x, std::int64_t axis) {
  Value y = x;
  y.at(static_cast<std::size_t>(axis)) = 1;
  Live(Elements(x) + Elements(y));
  return y;
}

CostOps::Value CostOps::Max(const Value& x) {
  return Sum(x, static_cast<std::int64_t>(x.size()) - 1);
}

CostOps::Value CostOps::ScaledDotProductAttention(const Value& q_BHTE,
                                                  const Value& k_BKSE,
                                                  const Value& v_BKSE,
                                                  const AttentionMask&) {
  HONE_CHECK(k_BKSE == v_BKSE);
  HONE_CHECK_EQ(q_BHTE[1] % k_BKSE[1], 0);
  HONE_CHECK_EQ(q_BHTE[3], k_BKSE[3]);
  const std::int64_t keys = k_BKSE[2];
  cost_.multiply_adds += 2 * Elements(q_BHTE) * keys;
  Live(2 * (Elements(q_BHTE) + Elements(k_BKSE)) +
       Elements(q_BHTE) / q_BHTE[3] * keys);
  return q_BHTE;
}

// A scale in f32 and a zero point in one byte, which is no parameter.
CostOps::Value CostOps::RoundOperand(const std::string& name, const Value& x) {
  if (weights_.insert(name).second) cost_.weight_bytes += 5;
  return Pointwise(x);
}

CostOps::Value CostOps::MeanTokens(const Value& x_BTD) {
  HONE_CHECK_EQ(x_BTD.size(), 3u);
  return {x_BTD[0], x_BTD[2]};
}

CostOps::Value CostOps::Remember(const std::string&, const Value& x_BKTE) {
  cost_.cache_bytes += 4 * Elements(x_BKTE);
  return x_BKTE;
}

std::optional<CostOps::Value> CostOps::Carried(
    const std::string&, const std::vector<std::int64_t>& dims) {
  cost_.cache_bytes += 4 * batch_ * Elements(dims);
  return std::nullopt;
}

Cost CostOf(const Architecture& architecture, const TaskShape& task,
            std::int64_t batch, std::int64_t tokens) {
  CostOps ops(architecture.stem.compute, batch);
  CostOps::Value input{batch, tokens};
  if (task.features > 0) input.push_back(task.features);
  Transformer(ops, architecture, task, input,
              CostOps::Value{batch, std::min(tokens, task.max_target_tokens)});
  return ops.cost();
}

const std::vector<std::string>& CostMetricNames() {
  static const std::vector<std::string> names = {
      "parameters", "multiply_adds", "weight_bytes", "activation_bytes",
      "cache_bytes"};
  return names;
}

double CostMetric(const Cost& cost, const std::string& name) {
  if (name == "parameters") return static_cast<double>(cost.parameters);
  if (name == "multiply_adds") return static_cast<double>(cost.multiply_adds);
  if (name == "weight_bytes") return static_cast<double>(cost.weight_bytes);
  if (name == "activation_bytes") {
    return static_cast<double>(cost.activation_bytes);
  }
  if (name == "cache_bytes") return static_cast<double>(cost.cache_bytes);
  throw Error(ErrorCode::kUsage, "unknown cost metric '" + name + "'" +
                                     DidYouMean(name, CostMetricNames()));
}

}  // namespace hone
