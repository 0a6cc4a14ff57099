#include "eval/torch_operations.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <utility>

#include <ATen/ExpandUtils.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/add.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/cumsum.h>
#include <ATen/ops/div.h>
#include <ATen/ops/elu.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/eq.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/ge.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/le.h>
#include <ATen/ops/logical_and.h>
#include <ATen/ops/logical_or.h>
#include <ATen/ops/lt.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/remainder.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/sub.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/tril.h>
#include <ATen/ops/triu.h>
#include <ATen/ops/where.h>

#include "eval/export/onnx_writer.h"
#include "space/base/error.h"

namespace hone {
namespace {

using Inputs = std::vector<at::Tensor>;
using Sizes = std::vector<std::int64_t>;

[[noreturn]] void Refuse(const ReadNode& node, const std::string& what) {
  throw Error(ErrorCode::kUsage, "the engine libtorch does not run " + node.op +
                                     " " + what +
                                     "; use openvino or onnxruntime");
}

Sizes IntegersOf(const at::Tensor& tensor) {
  const at::Tensor whole = tensor.contiguous();
  const auto* first = whole.const_data_ptr<std::int64_t>();
  return {first, first + whole.numel()};
}

bool Has(const Inputs& in, std::size_t i) {
  return i < in.size() && in[i].defined();
}

std::int64_t IntegerOr(const ReadNode& node, const char* name,
                       std::int64_t otherwise) {
  const auto found = node.integers.find(name);
  return found == node.integers.end() ? otherwise : found->second;
}

float FloatOr(const ReadNode& node, const char* name, float otherwise) {
  const auto found = node.floats.find(name);
  return found == node.floats.end() ? otherwise : found->second;
}

at::ScalarType ScalarOf(const ReadNode& node, std::int64_t onnx) {
  switch (static_cast<OnnxType>(onnx)) {
    case OnnxType::kFloat:
      return at::kFloat;
    case OnnxType::kUint8:
    case OnnxType::kUint4:
      return at::kByte;
    case OnnxType::kInt8:
    case OnnxType::kInt4:
      return at::kChar;
    case OnnxType::kInt32:
      return at::kInt;
    case OnnxType::kInt64:
      return at::kLong;
    case OnnxType::kBfloat16:
      return at::kBFloat16;
  }
  Refuse(node, "with the element type " + std::to_string(onnx));
}

// Scales or zero points of an axis, so that they broadcast over x.
at::Tensor Along(const at::Tensor& x, const at::Tensor& values,
                 std::int64_t axis, std::int64_t block) {
  if (values.dim() == 0) return values;
  if (block > 0) return values.repeat_interleave(block, axis);
  Sizes shape(static_cast<std::size_t>(x.dim()), 1);
  shape[static_cast<std::size_t>(axis)] = values.numel();
  return values.view(shape);
}

at::Tensor Dequantize(const ReadNode& node, const Inputs& in) {
  const std::int64_t block = IntegerOr(node, "block_size", 0);
  const std::int64_t axis =
      in[0].dim() == 0
          ? 0
          : (IntegerOr(node, "axis", 1) + in[0].dim()) % in[0].dim();
  at::Tensor levels = in[0].to(at::kFloat);
  if (Has(in, 2)) {
    levels = levels.sub(Along(in[0], in[2], axis, block).to(at::kFloat));
  }
  return levels.mul(Along(in[0], in[1], axis, block));
}

// Of a whole tensor: saturate(round_half_even(x / scale) + zero_point).
at::Tensor Quantize(const ReadNode& node, const Inputs& in) {
  if (in[1].dim() != 0 || !Has(in, 2)) {
    Refuse(node, "with a scale for each channel or without a zero point");
  }
  const bool is_signed = in[2].scalar_type() == at::kChar;
  const double zero = in[2].item<double>();
  const double low = is_signed ? -128 : 0;
  return in[0]
      .div(in[1])
      .round_()
      .clamp_(low - zero, low + 255 - zero)
      .add_(zero)
      .to(in[2].scalar_type());
}

at::Tensor Gather(const ReadNode& node, const Inputs& in) {
  const std::int64_t axis = IntegerOr(node, "axis", 0);
  const at::Tensor rows = in[0].index_select(axis, in[1].flatten());
  Sizes shape = in[1].sizes().vec();
  shape.insert(shape.begin(), in[0].sizes().begin(),
               in[0].sizes().begin() + axis);
  shape.insert(shape.end(), in[0].sizes().begin() + axis + 1,
               in[0].sizes().end());
  return rows.view(shape);
}

at::Tensor Normalize(const ReadNode& node, const Inputs& in) {
  if (IntegerOr(node, "axis", -1) != -1) Refuse(node, "along inner axes");
  return at::layer_norm(in[0], {in[0].size(-1)}, in[1],
                        Has(in, 2) ? in[2] : at::Tensor(),
                        FloatOr(node, "epsilon", 1e-5f));
}

// ONNX: all beginnings, then all ends. LibTorch: the last axis first.
at::Tensor Pad(const Inputs& in) {
  const Sizes pads = IntegersOf(in[1]);
  const std::size_t rank = pads.size() / 2;
  Sizes reversed;
  for (std::size_t i = rank; i-- > 0;) {
    reversed.push_back(pads[i]);
    reversed.push_back(pads[rank + i]);
  }
  return at::constant_pad_nd(in[0], reversed);
}

at::Tensor Reshape(const Inputs& in) {
  Sizes shape = IntegersOf(in[1]);
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0) shape[i] = in[0].size(static_cast<std::int64_t>(i));
  }
  return in[0].reshape(shape);
}

at::Tensor Shape(const ReadNode& node, const Inputs& in) {
  const std::int64_t start = IntegerOr(node, "start", 0);
  const std::int64_t end = IntegerOr(node, "end", in[0].dim());
  return at::tensor(in[0].sizes().slice(static_cast<std::size_t>(start),
                                        static_cast<std::size_t>(end - start)),
                    at::kLong);
}

at::Tensor Slice(const ReadNode& node, const Inputs& in) {
  if (!Has(in, 3) || Has(in, 4)) Refuse(node, "without axes or with steps");
  const Sizes starts = IntegersOf(in[1]);
  const Sizes ends = IntegersOf(in[2]);
  const Sizes axes = IntegersOf(in[3]);
  at::Tensor x = in[0];
  for (std::size_t i = 0; i < axes.size(); ++i) {
    x = x.slice(axes[i], starts[i], ends[i]);
  }
  return x;
}

at::Tensor Unsqueeze(const Inputs& in) {
  Sizes axes = IntegersOf(in[1]);
  std::sort(axes.begin(), axes.end());
  at::Tensor x = in[0];
  for (const std::int64_t axis : axes) x = x.unsqueeze(axis);
  return x;
}

at::Tensor Reduced(const ReadNode& node, const Inputs& in) {
  const Sizes axes = IntegersOf(in[1]);
  const bool keep = IntegerOr(node, "keepdims", 1) != 0;
  if (node.op == "ReduceMax") return at::amax(in[0], axes, keep);
  if (node.op == "ReduceSum") return at::sum(in[0], axes, keep);
  return at::mean(in[0], axes, keep);
}

at::Tensor Triangle(const ReadNode& node, const Inputs& in) {
  const std::int64_t k = Has(in, 1) ? in[1].item<std::int64_t>() : 0;
  return IntegerOr(node, "upper", 1) != 0 ? at::triu(in[0], k)
                                          : at::tril(in[0], k);
}

at::Tensor Expand(const Inputs& in) {
  return in[0].expand(at::infer_size(in[0].sizes(), IntegersOf(in[1])));
}

using Plain = at::Tensor (*)(const Inputs&);
using WithNode = at::Tensor (*)(const ReadNode&, const Inputs&);

const std::map<std::string, Plain>& PlainOperations() {
  static const std::map<std::string, Plain> kOperations = {
      {"Abs", [](const Inputs& in) { return at::abs(in[0]); }},
      {"Add", [](const Inputs& in) { return at::add(in[0], in[1]); }},
      {"And", [](const Inputs& in) { return at::logical_and(in[0], in[1]); }},
      {"Div", [](const Inputs& in) { return at::div(in[0], in[1]); }},
      {"Equal", [](const Inputs& in) { return at::eq(in[0], in[1]); }},
      {"Exp", [](const Inputs& in) { return at::exp(in[0]); }},
      {"Expand", Expand},
      {"GreaterOrEqual", [](const Inputs& in) { return at::ge(in[0], in[1]); }},
      {"Identity", [](const Inputs& in) { return in[0]; }},
      {"Less", [](const Inputs& in) { return at::lt(in[0], in[1]); }},
      {"LessOrEqual", [](const Inputs& in) { return at::le(in[0], in[1]); }},
      {"MatMul", [](const Inputs& in) { return at::matmul(in[0], in[1]); }},
      {"Mul", [](const Inputs& in) { return at::mul(in[0], in[1]); }},
      {"Or", [](const Inputs& in) { return at::logical_or(in[0], in[1]); }},
      {"Pad", Pad},
      {"Pow", [](const Inputs& in) { return at::pow(in[0], in[1]); }},
      {"Relu", [](const Inputs& in) { return at::relu(in[0]); }},
      {"Reshape", Reshape},
      {"Sigmoid", [](const Inputs& in) { return at::sigmoid(in[0]); }},
      {"Sqrt", [](const Inputs& in) { return at::sqrt(in[0]); }},
      {"Sub", [](const Inputs& in) { return at::sub(in[0], in[1]); }},
      {"Unsqueeze", Unsqueeze},
      {"Where",
       [](const Inputs& in) { return at::where(in[0], in[1], in[2]); }},
      {"Range",
       [](const Inputs& in) {
         return at::arange(in[0].item(), in[1].item(), in[2].item(),
                           in[0].options());
       }},
      {"CumSum",
       [](const Inputs& in) {
         return at::cumsum(in[0], in[1].item<std::int64_t>());
       }},
      {"Squeeze",
       [](const Inputs& in) {
         return Has(in, 1) ? in[0].squeeze(IntegersOf(in[1])) : in[0].squeeze();
       }},
  };
  return kOperations;
}

const std::map<std::string, WithNode>& OperationsWithAttributes() {
  static const std::map<std::string, WithNode> kOperations = {
      {"Cast",
       [](const ReadNode& node, const Inputs& in) {
         return in[0].to(ScalarOf(node, node.integers.at("to")));
       }},
      {"Concat",
       [](const ReadNode& node, const Inputs& in) {
         return at::cat(in, node.integers.at("axis"));
       }},
      {"DequantizeLinear", Dequantize},
      {"Elu",
       [](const ReadNode& node, const Inputs& in) {
         return at::elu(in[0], FloatOr(node, "alpha", 1));
       }},
      {"Gather", Gather},
      {"Gelu",
       [](const ReadNode&, const Inputs& in) { return at::gelu(in[0]); }},
      {"LayerNormalization", Normalize},
      {"Mod",
       [](const ReadNode& node, const Inputs& in) {
         if (IntegerOr(node, "fmod", 0) != 0) Refuse(node, "as in C");
         return at::remainder(in[0], in[1]);
       }},
      {"QuantizeLinear", Quantize},
      {"ReduceMax", Reduced},
      {"ReduceMean", Reduced},
      {"ReduceSum", Reduced},
      {"Shape", Shape},
      {"Slice", Slice},
      {"Softmax",
       [](const ReadNode& node, const Inputs& in) {
         return at::softmax(in[0], IntegerOr(node, "axis", -1));
       }},
      {"Transpose",
       [](const ReadNode& node, const Inputs& in) {
         return in[0].permute(node.lists.at("perm"));
       }},
      {"Trilu", Triangle},
  };
  return kOperations;
}

// Elements of 4 bits one in a byte; the earlier one is in the lower half.
std::string Unpacked(const ReadTensor& constant, std::int64_t count,
                     bool is_signed) {
  std::string values;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto byte = static_cast<unsigned char>(
        constant.bytes[static_cast<std::size_t>(i / 2)]);
    const int code = (i % 2 == 0 ? byte : byte >> 4) & 15;
    values.push_back(
        static_cast<char>(is_signed && code > 7 ? code - 16 : code));
  }
  return values;
}

}  // namespace

TorchOperation MakeTorchOperation(const ReadNode& node) {
  const auto plain = PlainOperations().find(node.op);
  if (plain != PlainOperations().end()) return plain->second;
  const auto other = OperationsWithAttributes().find(node.op);
  if (other == OperationsWithAttributes().end()) Refuse(node, "nodes");
  if ((node.op == "Cast" && !node.integers.contains("to")) ||
      (node.op == "Concat" && !node.integers.contains("axis")) ||
      (node.op == "Transpose" && !node.lists.contains("perm"))) {
    Refuse(node, "without its attribute");
  }
  return
      [node, run = other->second](const Inputs& in) { return run(node, in); };
}

at::Tensor ConstantTensor(const std::string& name, const ReadTensor& constant) {
  ReadNode owner;
  owner.op = "the constant '" + name + "'";
  at::Tensor tensor = at::empty(constant.dims, ScalarOf(owner, constant.type));
  const bool packed = OnnxTypeBits(constant.type) == 4;
  const std::string bytes =
      packed ? Unpacked(constant, tensor.numel(),
                        static_cast<OnnxType>(constant.type) == OnnxType::kInt4)
             : constant.bytes;
  HONE_CHECK_EQ(bytes.size(), tensor.nbytes());
  if (!bytes.empty()) {
    std::memcpy(tensor.mutable_data_ptr(), bytes.data(), bytes.size());
  }
  return tensor;
}

std::string ElementName(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return "f32";
    case at::kBFloat16:
      return "bf16";
    case at::kByte:
      return "u8";
    case at::kChar:
      return "i8";
    case at::kInt:
      return "i32";
    case at::kLong:
      return "i64";
    case at::kBool:
      return "bool";
    default:
      return c10::toString(tensor.scalar_type());
  }
}

}  // namespace hone
