#include "eval/torch_int8_linear.h"

#include <ATen/core/List.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/zeros.h>

namespace hone {
namespace {

at::Tensor Call(const c10::OperatorHandle& op, c10::Stack stack) {
  op.callBoxed(stack);
  return stack.at(0).toTensor();
}

const c10::OperatorHandle& Prepack() {
  static const auto kOp = c10::Dispatcher::singleton().findSchemaOrThrow(
      "onednn::qlinear_prepack", "");
  return kOp;
}

const c10::OperatorHandle& Pointwise() {
  static const auto kOp = c10::Dispatcher::singleton().findSchemaOrThrow(
      "onednn::qlinear_pointwise", "");
  return kOp;
}

}  // namespace

TorchInt8Linear::TorchInt8Linear(const at::Tensor& weight,
                                 const at::Tensor& weight_scale,
                                 const at::Tensor& bias, double input_scale,
                                 std::int64_t input_zero_point)
    : packed_(Call(Prepack(), {weight, c10::IValue()})),
      weight_scale_(weight_scale),
      weight_zero_point_(at::zeros({weight.size(0)}, at::kInt)),
      bias_(bias),
      input_scale_(input_scale),
      input_zero_point_(input_zero_point) {}

at::Tensor TorchInt8Linear::Run(const at::Tensor& x) const {
  // Output in f32: its own scale and zero point mean nothing.
  return Call(Pointwise(),
              {x, input_scale_, input_zero_point_, packed_, weight_scale_,
               weight_zero_point_, bias_, 1.0, std::int64_t{0},
               static_cast<std::int64_t>(at::kFloat), "none",
               c10::List<std::optional<at::Scalar>>(), ""});
}

}  // namespace hone
