#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include "space/cost.h"
#include "space/network/network_ops.h"
#include "train/weight_source.h"

namespace hone {

// Sees the input of every linear layer, before it is quantized.
using LinearObserver = std::function<void(
    const std::string& name, const LinearSpec& spec, const at::Tensor& input)>;

struct EagerOptions {
  // Probability that Dropout zeroes an element, rounded to a 256th: a random
  // byte decides, several times faster than LibTorch's Bernoulli draws. The
  // rest is scaled up by what is really kept. Needs a generator.
  double dropout = 0;
  std::optional<at::Generator> generator = std::nullopt;
  // Taps whose values are kept.
  std::set<std::string> taps = {};
  LinearObserver observer = {};
};

// The interpreter that computes: values are tensors, and autograd records them
// unless a NoGradGuard is alive. Works in the dtype of the weights. Weights
// come from a source that must outlive it. Not thread-safe.
//
// Attention goes through the fused kernel, which wants dropout off the
// probabilities: Dropout stands on sublayer outputs alone. A local window is an
// additive mask, made once for each number of tokens; where it hides nothing
// there is no mask.
class EagerOps {
 public:
  using Value = at::Tensor;

  explicit EagerOps(WeightSource& weights, EagerOptions options = {});

  Value Embedding(const std::string& name, const Value& tokens_BT,
                  std::int64_t rows, std::int64_t dim);
  Value AddPositions(const std::string& name, const Value& x_BTD,
                     std::int64_t rows, std::int64_t dim);
  Value Linear(const std::string& name, const Value& x, const LinearSpec& spec);
  Value LayerNorm(const std::string& name, const Value& x, std::int64_t dim);
  Value Gelu(const Value& x);
  Value Add(const Value& x, const Value& y);
  Value Dropout(const Value& x);
  Value SplitHeads(const Value& x_BTD, std::int64_t heads);
  Value MergeHeads(const Value& x_BHTE);
  Value ScaledDotProductAttention(const Value& q_BHTE, const Value& k_BHTE,
                                  const Value& v_BHTE, std::int64_t window);
  Value MeanTokens(const Value& x_BTD);
  void Tap(const std::string& name, const Value& x);

  // The value last tapped under a name of options.taps; forgets it.
  Value TakeTap(const std::string& name);

 private:
  at::Tensor DropoutMask(const Value& like, std::int64_t dropped);
  const at::Tensor& BandMask(const Value& like, std::int64_t window);

  WeightSource& weights_;
  EagerOptions options_;
  std::map<std::string, Value> taps_;
  std::map<std::pair<std::int64_t, std::int64_t>, at::Tensor> band_masks_;
};
static_assert(NetworkOps<EagerOps>);

// Asks a source once for every weight of the classifier, by running it on one
// token without gradients.
void Discover(WeightSource& weights, const Architecture& architecture,
              const TaskShape& task);

// clamp(round_half_even(x / scale) + zero_point, 0, 255), and back to floats:
// what a QuantizeLinear - DequantizeLinear pair computes.
at::Tensor FakeQuantize(const at::Tensor& x,
                        const ActivationQuantization& quantization);

}  // namespace hone
