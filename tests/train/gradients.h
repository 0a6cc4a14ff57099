#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "tests/train/eager_fixtures.h"

namespace hone {

using TensorFunction = std::function<at::Tensor()>;

// Compares the gradient of sum(f() * fixed random weights) with respect to
// the elements of `leaves` with central differences, in double: all, or `most`
// of each leaf, evenly spaced.
inline void ExpectGradients(const TensorFunction& f,
                            std::vector<at::Tensor> leaves,
                            std::int64_t most = 1000) {
  at::Tensor probe;
  {
    const at::NoGradGuard no_grad;
    probe = RandomTensor(f().sizes(), 99);
  }
  const auto value = [&] { return f().mul(probe).sum(); };
  for (at::Tensor& leaf : leaves) leaf.set_requires_grad(true);
  value().backward();
  const at::NoGradGuard no_grad;
  constexpr double kStep = 1e-5;
  for (const at::Tensor& leaf : leaves) {
    ASSERT_TRUE(leaf.grad().defined());
    const at::Tensor gradient = leaf.grad().contiguous();
    auto* data = leaf.mutable_data_ptr<double>();
    const std::int64_t stride = std::max<std::int64_t>(leaf.numel() / most, 1);
    for (std::int64_t i = 0; i < leaf.numel(); i += stride) {
      const double saved = data[i];
      data[i] = saved + kStep;
      const double above = value().item<double>();
      data[i] = saved - kStep;
      const double below = value().item<double>();
      data[i] = saved;
      const double numeric = (above - below) / (2 * kStep);
      EXPECT_NEAR(gradient.const_data_ptr<double>()[i], numeric,
                  1e-6 * std::max(1.0, std::abs(numeric)))
          << "element " << i << " of " << leaf.sizes();
    }
  }
}

}  // namespace hone
