#include "train/distill/embedding_transfer.h"

#include <algorithm>

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/sign.h>
#include <ATen/ops/zeros.h>

#include "space/base/error.h"
#include "train/weight_source.h"

namespace hone {

TensorData ProjectEmbedding(const TensorData& teacher_VD, std::int64_t dim) {
  HONE_CHECK_EQ(teacher_VD.shape.size(), 2u);
  const at::NoGradGuard no_grad;
  const at::Tensor rows_VD = ToTensor(teacher_VD, at::kCPU).to(at::kDouble);
  const at::Tensor centred_VD = rows_VD.sub(rows_VD.mean(0, true));
  const std::int64_t width = rows_VD.size(1);
  const std::int64_t kept = std::min(dim, width);
  // Eigenvalues ascend: the last columns are the first components.
  const at::Tensor vectors_DD =
      std::get<1>(at::linalg_eigh(at::matmul(centred_VD.t(), centred_VD)));
  at::Tensor components_DK = vectors_DD.narrow(1, width - kept, kept).flip({1});
  const at::Tensor largest_1K = components_DK.abs().argmax(0, true);
  components_DK = components_DK.mul(components_DK.gather(0, largest_1K).sign());
  at::Tensor projected = at::zeros({rows_VD.size(0), dim}, at::kDouble);
  projected.narrow(1, 0, kept).copy_(at::matmul(centred_VD, components_DK));
  return ToTensorData(projected.to(at::kFloat));
}

}  // namespace hone
