#include "train/compress/straight_through.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/bucketize.h>
#include <ATen/ops/clamp.h>

namespace hone {

at::Tensor NearestLevel(const at::Tensor& x, const LevelRange& range) {
  const at::Tensor clipped = at::clamp(x, range.lowest, range.highest);
  if (!range.table) return clipped.round();
  const std::int64_t count = range.table->size(0);
  const at::Tensor edges = range.table->narrow(0, 0, count - 1)
                               .add(range.table->narrow(0, 1, count - 1))
                               .div(2);
  return at::bucketize(clipped, edges);
}

at::Tensor RoundThrough(const at::Tensor& x, const at::Tensor& scale,
                        const LevelRange& range) {
  const at::Tensor clipped =
      at::clamp(x.div(scale), range.lowest, range.highest);
  at::Tensor change;
  {
    const at::NoGradGuard no_grad;
    at::Tensor level = NearestLevel(clipped, range);
    if (range.table) {
      level = range.table->index_select(0, level.flatten()).view_as(clipped);
    }
    change = level.sub(clipped);
  }
  return clipped.add(change).mul(scale);
}

at::Tensor RoundThrough(const at::Tensor& x, float scale, double lowest,
                        double highest) {
  const at::Tensor clipped = x.div(scale).clamp(lowest, highest);
  const at::Tensor change = clipped.detach().round().sub(clipped.detach());
  return clipped.add(change).mul(scale);
}

at::Tensor ScaleGradient(const at::Tensor& x, double factor) {
  const at::Tensor scaled = x.mul(factor);
  return scaled.add(x.sub(scaled).detach());
}

}  // namespace hone
