#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace hone {

// A linear layer in integers by LibTorch's operators onednn::qlinear_prepack
// and onednn::qlinear_pointwise: u8 activations with one scale and zero point,
// s8 weights with a scale for each output and no zero point, sums in s32,
//   y[o] = (sum_i (x[i] - zero_point) w[o,i]) scale weight_scale[o] + bias[o].
// Thread-safe.
class TorchInt8Linear {
 public:
  // Shapes: weight s8 [out,in], weight_scale and bias f32 [out].
  TorchInt8Linear(const at::Tensor& weight, const at::Tensor& weight_scale,
                  const at::Tensor& bias, double input_scale,
                  std::int64_t input_zero_point);

  // Shapes: u8 [...,in] -> f32 [...,out].
  at::Tensor Run(const at::Tensor& x) const;

 private:
  at::Tensor packed_;  // in oneDNN's own layout
  at::Tensor weight_scale_;
  at::Tensor weight_zero_point_;
  at::Tensor bias_;
  double input_scale_;
  std::int64_t input_zero_point_;
};

}  // namespace hone
