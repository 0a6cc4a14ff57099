#pragma once

#include <optional>

#include <ATen/core/Tensor.h>

namespace hone {

// Levels that values are rounded to, in units of a scale. Tensors are broadcast
// against what is rounded.
struct LevelRange {
  at::Tensor lowest;
  at::Tensor highest;
  // Ascending levels; not set: whole numbers.
  std::optional<at::Tensor> table = std::nullopt;
};

// The place of the level that is nearest, of whole numbers the number itself.
at::Tensor NearestLevel(const at::Tensor& x, const LevelRange& range);

// level(x / scale) * scale, where rounding passes gradients on as if it were
// not there (Bengio et al. 2013) and clipped values pass none. The scale learns
// too (Esser et al. 2020, LSQ, eq. 3): its gradient is level - x / scale within
// the range, and the range's end outside. Twice differentiable in name alone.
at::Tensor RoundThrough(const at::Tensor& x, const at::Tensor& scale,
                        const LevelRange& range);

// The same to whole numbers from lowest to highest, with a scale that stays.
at::Tensor RoundThrough(const at::Tensor& x, float scale, double lowest,
                        double highest);

// x as it is, with gradients `factor` times as long.
at::Tensor ScaleGradient(const at::Tensor& x, double factor);

}  // namespace hone
