#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "space/base/tensor_data.h"
#include "train/compress/calibration_run.h"
#include "train/compress/straight_through.h"
#include "train/weight_source.h"

namespace hone {

// Weights that are trained as they will be stored: each answer is rounded to
// the levels of its precision, and so are inputs of layers with 8-bit
// activations (Jacob et al. 2018). The scales are trained too (LSQ), as the
// logarithm of their ratio to the first ones, so that an optimizer's step is
// relative; zero points and levels stay, and so do the scales of what products
// in a8 read. Layers that read one tensor share its scale. Not thread-safe.
class QatWeights : public WeightSource {
 public:
  // `inner` holds the unrounded weights and must outlive it; `quantized` is
  // what QuantizeNetwork made of their start.
  QatWeights(WeightSource& inner, const LinearUses& linears,
             const TableUses& tables, const NamedTensors& quantized);

  at::Tensor Get(const std::string& name, WeightRole role,
                 at::IntArrayRef shape) override;
  LinearWeights GetLinear(const std::string& name,
                          const LinearSpec& spec) override;
  at::Tensor GetTable(const std::string& name, const TableSpec& spec) override;
  std::optional<float> OperandScale(const std::string& name) override;
  at::Tensor Lookup(const std::string& name, const at::Tensor& tokens_BT,
                    const TableSpec& spec) override;

  // The logarithms, to be trained without decay.
  std::vector<at::Tensor> Leaves() const;
  // What QuantizeNetwork would return: codes and scales as they are now.
  // `weights`: the unrounded ones.
  NamedTensors Quantized(NamedTensors weights) const;

 private:
  struct Grid {
    at::Tensor start;  // scales, [n,1] of n blocks or []
    at::Tensor leaf;   // log(scale / start)
    LevelRange range;
    at::Tensor zero;  // undefined where there is none
    double gradient_factor = 1;

    at::Tensor Scale() const;
  };
  static Grid WeightGrid(const std::string& name, const LinearSpec& spec,
                         const NamedTensors& quantized);
  static Grid InputGrid(const std::string& name, const LinearSpec& spec,
                        const NamedTensors& quantized);

  void StoreRounded(const std::string& name, const LinearSpec& spec,
                    NamedTensors& weights) const;

  WeightSource& inner_;
  LinearUses linears_;
  TableUses tables_;
  std::map<std::string, Grid> weights_;
  std::map<std::string, Grid> inputs_;  // by LinearUse::input
  std::map<std::string, float> operands_;
};

}  // namespace hone
