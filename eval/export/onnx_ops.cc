#include "eval/export/onnx_ops.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "eval/export/onnx_constants.h"
#include "eval/export/onnx_export.h"
#include "space/base/error.h"
#include "space/base/half.h"
#include "space/network/angles.h"

namespace hone {
namespace {

constexpr float kNormEpsilon = 1e-5f;

}  // namespace

std::string OnnxOps::Node(const std::string& op,
                          const std::vector<std::string>& in,
                          const OnnxAttributes& attributes,
                          const std::string& scope) {
  const std::string wanted = scope + "/" + op;
  const bool free = !scope.empty() && !writer_.Has(wanted);
  return writer_.AddNode(
      op, free ? wanted : op + "_" + std::to_string(nodes_++), in, attributes);
}

const TensorData& OnnxOps::Weight(
    const std::string& name, DType dtype,
    const std::vector<std::int64_t>& shape) const {
  const auto found = weights_.find(name);
  if (found == weights_.end()) {
    throw Error(ErrorCode::kInternal, "export: weight '" + name +
                                          "' is missing; the network needs " +
                                          ShapeText(shape));
  }
  if (found->second.dtype != dtype || found->second.shape != shape) {
    throw Error(ErrorCode::kInternal,
                "export: weight '" + name + "' has shape " +
                    ShapeText(found->second.shape) +
                    " or a type that its precision does not use; the network "
                    "needs " +
                    ShapeText(shape));
  }
  return found->second;
}

std::string OnnxOps::WeightConstant(const std::string& name, DType dtype,
                                    const std::vector<std::int64_t>& shape) {
  const TensorData& weight = Weight(name, dtype, shape);
  if (writer_.Has(name)) return name;
  return writer_.AddConstant(
      name, {TypeOf(dtype), shape,
             std::string(weight.data<char>(), weight.bytes.size())});
}

std::string OnnxOps::FloatConstant(const std::string& name,
                                   const std::vector<std::int64_t>& shape) {
  if (compute_ == Compute::kF32) {
    return WeightConstant(name, DType::kF32, shape);
  }
  std::string as_float = name + "/Cast";
  if (writer_.Has(as_float)) return as_float;
  const TensorData& weight = Weight(name, DType::kF32, shape);
  std::vector<std::uint16_t> stored;
  for (std::int64_t i = 0; i < weight.elements(); ++i) {
    stored.push_back(ToBf16(weight.data<float>()[i]));
  }
  writer_.AddConstant(name, Tensor(OnnxType::kBfloat16, shape, stored));
  return writer_.AddNode("Cast", as_float, {name}, CastTo(OnnxType::kFloat));
}

std::string OnnxOps::Integers(const std::vector<std::int64_t>& values) {
  std::string name = "integers" + ShapeText(values);
  if (writer_.Has(name)) return name;
  return writer_.AddConstant(
      name, Tensor(OnnxType::kInt64, {static_cast<std::int64_t>(values.size())},
                   values));
}

std::string OnnxOps::Integer(std::int64_t value) {
  std::string name = "integer_" + std::to_string(value);
  if (writer_.Has(name)) return name;
  return writer_.AddConstant(
      name, Tensor(OnnxType::kInt64, {}, std::vector<std::int64_t>{value}));
}

std::string OnnxOps::Real(float value) {
  std::string name = "real_" + std::to_string(std::bit_cast<int>(value));
  if (writer_.Has(name)) return name;
  return writer_.AddConstant(
      name, Tensor(OnnxType::kFloat, {}, std::vector<float>{value}));
}

std::string OnnxOps::Input(const std::string& name, OnnxType type,
                           const std::vector<OnnxDim>& shape) {
  if (!writer_.Has(name)) writer_.AddInput(name, type, shape);
  return name;
}

OnnxOps::Value OnnxOps::TokensInput() {
  input_ = Input(kTokensInput, OnnxType::kInt64, {"batch", "tokens"});
  return {input_, {-1, -1}};
}

OnnxOps::Value OnnxOps::FeaturesInput(std::int64_t width) {
  input_ = Input(kFeaturesInput, OnnxType::kFloat, {"batch", "tokens", width});
  return {input_, {-1, -1, width}};
}

OnnxOps::Value OnnxOps::SourceInput(const std::string& name, std::int64_t heads,
                                    std::int64_t head_dim) {
  Input(name, OnnxType::kFloat, {"batch", heads, name + ".tokens", head_dim});
  return {name, {-1, heads, -1, head_dim}};
}

void OnnxOps::Output(const std::string& name, const Value& x,
                     const std::vector<OnnxDim>& shape) {
  if (x.name != name) writer_.AddNode("Identity", name, {x.name});
  writer_.AddOutput(name, OnnxType::kFloat, shape);
}

OnnxOps::Value OnnxOps::Same(const std::string& op, const Value& x) {
  return {Node(op, {x.name}), x.shape};
}

OnnxOps::Value OnnxOps::Both(const std::string& op, const Value& x,
                             const Value& y) {
  const std::size_t rank = std::max(x.shape.size(), y.shape.size());
  std::vector<std::int64_t> shape(rank);
  for (std::size_t i = 0; i < rank; ++i) {
    const auto size = [&](const Value& value) {
      const std::size_t missing = rank - value.shape.size();
      return i < missing ? 1 : value.shape[i - missing];
    };
    shape[i] = size(x) == 1 ? size(y) : size(x);
  }
  return {Node(op, {x.name, y.name}), shape};
}

OnnxOps::Value OnnxOps::Matrix(const std::string& name, std::int64_t rows,
                               std::int64_t columns) {
  return {FloatConstant(name + ".weight", {rows, columns}), {rows, columns}};
}

OnnxOps::Value OnnxOps::RandomFeatures(const std::string& name,
                                       std::int64_t rows,
                                       std::int64_t columns) {
  return {FloatConstant(name + ".features", {rows, columns}), {rows, columns}};
}

std::string OnnxOps::SizeOf(const Value& x, std::int64_t axis) {
  std::string name = x.name + "/size_" + std::to_string(axis);
  if (writer_.Has(name)) return name;
  return writer_.AddNode("Shape", name, {x.name},
                         {{"start", axis}, {"end", axis + 1}});
}

std::string OnnxOps::Placed(const std::string& table, std::int64_t columns,
                            const Value& tokens_of, std::int64_t axis) {
  if (steps_) {
    return Node("Gather", {table, Input(kPlacesInput, OnnxType::kInt64,
                                        {"batch", "tokens"})});
  }
  return Sliced({table, {-1, columns}}, 0, Integers({0}),
                SizeOf(tokens_of, axis))
      .name;
}

std::string OnnxOps::Angles(std::int64_t rows, std::int64_t dim) {
  std::string name =
      "angles_" + std::to_string(rows) + "_" + std::to_string(dim);
  if (writer_.Has(name)) return name;
  std::vector<float> values;
  for (std::int64_t place = 0; place < rows; ++place) {
    AppendAngles(place, dim, values);
  }
  return writer_.AddConstant(name,
                             Tensor(OnnxType::kFloat, {rows, dim}, values));
}

OnnxOps::Value OnnxOps::AddPositions(const std::string& name,
                                     const Value& x_BTD, std::int64_t rows,
                                     std::int64_t dim) {
  const std::string table = FloatConstant(name + ".weight", {rows, dim});
  return {Node("Add", {x_BTD.name, Placed(table, dim, x_BTD, 1)}), x_BTD.shape};
}

OnnxOps::Value OnnxOps::AddSinusoids(const Value& x_BTD, std::int64_t rows,
                                     std::int64_t dim) {
  return {Node("Add", {x_BTD.name, Placed(Angles(rows, dim), dim, x_BTD, 1)}),
          x_BTD.shape};
}

OnnxOps::Value OnnxOps::Rotary(const Value& x_BHTE, std::int64_t rows) {
  const std::int64_t dim = x_BHTE.shape[3];
  const std::int64_t half = dim / 2;
  Value angles{Placed(Angles(rows, dim), dim, x_BHTE, 2), {-1, dim}};
  if (steps_) {
    angles = {Node("Unsqueeze", {angles.name, Integers({1})}),
              {-1, 1, -1, dim}};
  }
  const auto last = static_cast<std::int64_t>(angles.shape.size()) - 1;
  const Value sine = Slice(angles, last, 0, half);
  const Value cosine = Slice(angles, last, half, dim);
  const Value a = Slice(x_BHTE, 3, 0, half);
  const Value b = Slice(x_BHTE, 3, half, dim);
  const Value first = Both("Sub", Multiply(a, cosine), Multiply(b, sine));
  const Value second = Add(Multiply(b, cosine), Multiply(a, sine));
  return {Concat({first, second}, 3).name, x_BHTE.shape};
}

OnnxOps::Value OnnxOps::LayerNorm(const std::string& name, const Value& x,
                                  std::int64_t dim) {
  return {Node("LayerNormalization",
               {x.name, FloatConstant(name + ".weight", {dim}),
                FloatConstant(name + ".bias", {dim})},
               {{"axis", std::int64_t{-1}}, {"epsilon", kNormEpsilon}}, name),
          x.shape};
}

OnnxOps::Value OnnxOps::RmsNorm(const std::string& name, const Value& x,
                                std::int64_t dim) {
  const std::string square = Node("Pow", {x.name, Real(2)});
  const std::string mean = Node("ReduceMean", {square, Integers({-1})});
  const std::string root =
      Node("Sqrt", {Node("Add", {mean, Real(kNormEpsilon)})});
  return {Node("Mul", {Node("Div", {x.name, root}),
                       FloatConstant(name + ".weight", {dim})}),
          x.shape};
}

OnnxOps::Value OnnxOps::Scale(const Value& x, double factor) {
  return {Node("Mul", {x.name, Real(static_cast<float>(factor))}), x.shape};
}

OnnxOps::Value OnnxOps::Offset(const Value& x, double offset) {
  return {Node("Add", {x.name, Real(static_cast<float>(offset))}), x.shape};
}

OnnxOps::Value OnnxOps::SplitHeads(const Value& x_BTD, std::int64_t heads) {
  HONE_CHECK_EQ(x_BTD.shape.back() % heads, 0);
  return Transpose(Reshape(x_BTD, {0, 0, heads, x_BTD.shape.back() / heads}), 1,
                   2);
}

OnnxOps::Value OnnxOps::MergeHeads(const Value& x_BHTE) {
  return Reshape(Transpose(x_BHTE, 1, 2),
                 {0, 0, x_BHTE.shape[1] * x_BHTE.shape[3]});
}

OnnxOps::Value OnnxOps::Transpose(const Value& x, std::int64_t i,
                                  std::int64_t j) {
  std::vector<std::int64_t> axes(x.shape.size());
  std::iota(axes.begin(), axes.end(), 0);
  std::swap(axes.at(static_cast<std::size_t>(i)),
            axes.at(static_cast<std::size_t>(j)));
  std::vector<std::int64_t> shape;
  for (const std::int64_t axis : axes) {
    shape.push_back(x.shape[static_cast<std::size_t>(axis)]);
  }
  return {Node("Transpose", {x.name}, Permutation(axes)), shape};
}

OnnxOps::Value OnnxOps::Reshape(const Value& x,
                                const std::vector<std::int64_t>& dims) {
  std::vector<std::int64_t> shape = dims;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0) shape[i] = x.shape.at(i);
  }
  return {Node("Reshape", {x.name, Integers(dims)}), shape};
}

OnnxOps::Value OnnxOps::Pad(const Value& x, std::int64_t axis,
                            std::int64_t before, std::int64_t after) {
  if (before == 0 && after == 0) return x;
  const std::size_t rank = x.shape.size();
  std::vector<std::int64_t> pads(2 * rank, 0);
  pads[static_cast<std::size_t>(axis)] = before;
  pads[rank + static_cast<std::size_t>(axis)] = after;
  Value padded{Node("Pad", {x.name, Integers(pads)}), x.shape};
  std::int64_t& size = padded.shape[static_cast<std::size_t>(axis)];
  if (size >= 0) size += before + after;
  return padded;
}

OnnxOps::Value OnnxOps::PadToMultiple(const Value& x, std::int64_t axis,
                                      std::int64_t multiple) {
  const std::string whole = Integers({multiple});
  const std::string over = Node("Mod", {SizeOf(x, axis), whole});
  const std::string missing = Node("Mod", {Node("Sub", {whole, over}), whole});
  const auto rank = static_cast<std::int64_t>(x.shape.size());
  std::vector<std::string> pads;
  const std::int64_t zeros_before = rank + axis;
  const std::int64_t zeros_after = rank - 1 - axis;
  pads.push_back(Integers(
      std::vector<std::int64_t>(static_cast<std::size_t>(zeros_before), 0)));
  pads.push_back(missing);
  if (zeros_after > 0) {
    pads.push_back(Integers(
        std::vector<std::int64_t>(static_cast<std::size_t>(zeros_after), 0)));
  }
  const std::string all = Node("Concat", pads, {{"axis", std::int64_t{0}}});
  Value padded{Node("Pad", {x.name, all}), x.shape};
  padded.shape[static_cast<std::size_t>(axis)] = -1;
  return padded;
}

OnnxOps::Value OnnxOps::Sliced(const Value& x, std::int64_t axis,
                               const std::string& begin,
                               const std::string& end) {
  Value slice{Node("Slice", {x.name, begin, end, Integers({axis})}), x.shape};
  slice.shape[static_cast<std::size_t>(axis)] = -1;
  return slice;
}

OnnxOps::Value OnnxOps::Slice(const Value& x, std::int64_t axis,
                              std::int64_t begin, std::int64_t end) {
  Value slice = Sliced(x, axis, Integers({begin}), Integers({end}));
  const std::int64_t size = x.shape[static_cast<std::size_t>(axis)];
  if (size >= 0) {
    slice.shape[static_cast<std::size_t>(axis)] =
        (end < 0 ? size + end : std::min(end, size)) - begin;
  } else if (end >= 0 && end != kToEnd) {
    slice.shape[static_cast<std::size_t>(axis)] = end - begin;
  }
  return slice;
}

OnnxOps::Value OnnxOps::CutLike(const Value& x, std::int64_t axis,
                                const Value& like, std::int64_t like_axis) {
  return Sliced(x, axis, Integers({0}), SizeOf(like, like_axis));
}

OnnxOps::Value OnnxOps::Concat(const std::vector<Value>& parts,
                               std::int64_t axis) {
  std::vector<std::string> names;
  std::int64_t size = 0;
  for (const Value& part : parts) {
    names.push_back(part.name);
    const std::int64_t own = part.shape[static_cast<std::size_t>(axis)];
    size = own < 0 || size < 0 ? -1 : size + own;
  }
  Value joined{Node("Concat", names, {{"axis", axis}}), parts.front().shape};
  joined.shape[static_cast<std::size_t>(axis)] = size;
  return joined;
}

OnnxOps::Value OnnxOps::TokenOnes(const Value& x) {
  const std::string shape =
      Node("Concat", {Integers({1, 1}), SizeOf(x, 2), Integers({1})},
           {{"axis", std::int64_t{0}}});
  return {Node("Expand", {Real(1), shape}), {1, 1, -1, 1}};
}

OnnxOps::Value OnnxOps::Constant(const std::string& name,
                                 const std::vector<std::int64_t>& dims,
                                 const std::vector<float>& values) {
  if (!writer_.Has(name)) {
    writer_.AddConstant(name, Tensor(OnnxType::kFloat, dims, values));
  }
  return {name, dims};
}

OnnxOps::Value OnnxOps::MatMul(const Value& x, const Value& y) {
  const Value& longer = x.shape.size() >= y.shape.size() ? x : y;
  const Value& other = x.shape.size() >= y.shape.size() ? y : x;
  std::vector<std::int64_t> shape = longer.shape;
  const std::size_t missing = longer.shape.size() - other.shape.size();
  for (std::size_t i = missing; i + 2 < shape.size(); ++i) {
    if (shape[i] == 1) shape[i] = other.shape[i - missing];
  }
  shape[shape.size() - 2] = x.shape[x.shape.size() - 2];
  shape.back() = y.shape.back();
  return {Node("MatMul", {x.name, y.name}), shape};
}

OnnxOps::Value OnnxOps::Softmax(const Value& x) {
  return {Node("Softmax", {x.name}, {{"axis", std::int64_t{-1}}}), x.shape};
}

OnnxOps::Value OnnxOps::Reduced(const std::string& op, const Value& x,
                                std::int64_t axis) {
  Value reduced{Node(op, {x.name, Integers({axis})}), x.shape};
  reduced.shape[static_cast<std::size_t>(axis)] = 1;
  return reduced;
}

OnnxOps::Value OnnxOps::Sum(const Value& x, std::int64_t axis) {
  return Reduced("ReduceSum", x, axis);
}

OnnxOps::Value OnnxOps::Max(const Value& x) {
  return Reduced("ReduceMax", x, static_cast<std::int64_t>(x.shape.size()) - 1);
}

OnnxOps::Value OnnxOps::RunningSum(const Value& x, std::int64_t axis) {
  return {Node("CumSum", {x.name, Integer(axis)}), x.shape};
}

OnnxOps::Value OnnxOps::LowerTriangle(const Value& x, std::int64_t diagonal) {
  return {
      Node("Trilu", {x.name, Integer(diagonal)}, {{"upper", std::int64_t{0}}}),
      x.shape};
}

OnnxOps::Value OnnxOps::MeanTokens(const Value& x_BTD) {
  return {Node("ReduceMean", {x_BTD.name, Integers({1})},
               {{"keepdims", std::int64_t{0}}}),
          {x_BTD.shape[0], x_BTD.shape[2]}};
}

}  // namespace hone
