#include "space/cost.h"

#include "space/base/error.h"
#include "space/network/classifier.h"
#include "space/network/cost_ops.h"

namespace hone {
namespace {

std::int64_t Elements(const CostOps::Value& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1},
                         std::multiplies<>());
}

std::int64_t LinearBytes(const LinearSpec& linear, std::int64_t w4_block) {
  const std::int64_t weights = linear.in * linear.out;
  switch (linear.precision) {
    case Precision::kF32:
      return 4 * (weights + linear.out);
    case Precision::kW8A8:  // scales and int32 bias; one input scale and zero
      return weights + 8 * linear.out + 5;
    case Precision::kW4: {
      const std::int64_t blocks = linear.in / W4BlockFor(linear.in, w4_block);
      return (weights + 1) / 2 + 4 * blocks * linear.out + 4 * linear.out;
    }
  }
  return 0;
}

}  // namespace

std::int64_t W4BlockFor(std::int64_t in, std::int64_t block) {
  while (block > 1 && in % block != 0) block /= 2;
  return block;
}

void CostOps::Weights(std::int64_t elements) {
  cost_.parameters += elements;
  cost_.weight_bytes += 4 * elements;
}

void CostOps::Live(std::int64_t elements) {
  cost_.activation_bytes = std::max(cost_.activation_bytes, 4 * elements);
}

CostOps::Value CostOps::Embedding(const std::string&, const Value& tokens_BT,
                                  std::int64_t rows, std::int64_t dim) {
  Weights(rows * dim);
  Value y_BTD = tokens_BT;
  y_BTD.push_back(dim);
  Live(Elements(y_BTD));
  return y_BTD;
}

CostOps::Value CostOps::AddPositions(const std::string&, const Value& x_BTD,
                                     std::int64_t rows, std::int64_t dim) {
  HONE_CHECK_EQ(x_BTD.back(), dim);
  HONE_CHECK_LE(x_BTD[1], rows);
  Weights(rows * dim);
  Live(2 * Elements(x_BTD));
  return x_BTD;
}

CostOps::Value CostOps::Linear(const std::string&, const Value& x,
                               const LinearSpec& spec) {
  HONE_CHECK_EQ(x.back(), spec.in);
  const std::int64_t rows = Elements(x) / spec.in;
  cost_.parameters += spec.in * spec.out + spec.out;
  cost_.weight_bytes += LinearBytes(spec, w4_block_);
  cost_.multiply_adds += rows * spec.in * spec.out;
  Value y = x;
  y.back() = spec.out;
  Live(Elements(x) + Elements(y));
  return y;
}

CostOps::Value CostOps::LayerNorm(const std::string&, const Value& x,
                                  std::int64_t dim) {
  HONE_CHECK_EQ(x.back(), dim);
  Weights(2 * dim);
  Live(2 * Elements(x));
  return x;
}

CostOps::Value CostOps::Gelu(const Value& x) {
  Live(2 * Elements(x));
  return x;
}

CostOps::Value CostOps::Add(const Value& x, const Value& y) {
  HONE_CHECK(x == y);
  Live(3 * Elements(x));
  return x;
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

CostOps::Value CostOps::ScaledDotProductAttention(const Value& q_BHTE,
                                                  const Value& k_BHTE,
                                                  const Value& v_BHTE,
                                                  std::int64_t) {
  HONE_CHECK(q_BHTE == k_BHTE && k_BHTE == v_BHTE);
  const std::int64_t tokens = q_BHTE[2];
  cost_.multiply_adds += 2 * Elements(q_BHTE) * tokens;
  Live(4 * Elements(q_BHTE) + Elements(q_BHTE) / q_BHTE[3] * tokens);
  return v_BHTE;
}

CostOps::Value CostOps::MeanTokens(const Value& x_BTD) {
  HONE_CHECK_EQ(x_BTD.size(), 3u);
  return {x_BTD[0], x_BTD[2]};
}

Cost CostOf(const Architecture& architecture, const TaskShape& task,
            std::int64_t batch, std::int64_t tokens) {
  CostOps ops(task.w4_block);
  const CostOps::Value logits_BC =
      Classifier(ops, architecture, task, CostOps::Value{batch, tokens});
  HONE_CHECK(logits_BC == (CostOps::Value{batch, task.classes}));
  return ops.cost();
}

const std::vector<std::string>& CostMetricNames() {
  static const std::vector<std::string> names = {
      "parameters", "multiply_adds", "weight_bytes", "activation_bytes"};
  return names;
}

double CostMetric(const Cost& cost, const std::string& name) {
  if (name == "parameters") return static_cast<double>(cost.parameters);
  if (name == "multiply_adds") return static_cast<double>(cost.multiply_adds);
  if (name == "weight_bytes") return static_cast<double>(cost.weight_bytes);
  if (name == "activation_bytes") {
    return static_cast<double>(cost.activation_bytes);
  }
  throw Error(ErrorCode::kUsage, "unknown cost metric '" + name + "'" +
                                     DidYouMean(name, CostMetricNames()));
}

}  // namespace hone
