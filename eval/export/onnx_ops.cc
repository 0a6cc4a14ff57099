#include "eval/export/onnx_ops.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <type_traits>

#include "eval/export/onnx_export.h"
#include "space/base/error.h"
#include "space/network/angles.h"

namespace hone {
namespace {

constexpr float kNormEpsilon = 1e-5f;

static_assert(std::endian::native == std::endian::little,
              "raw_data is little endian");

OnnxType TypeOf(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return OnnxType::kFloat;
    case DType::kI64:
      return OnnxType::kInt64;
    case DType::kI32:
      return OnnxType::kInt32;
    case DType::kI8:
      return OnnxType::kInt8;
    case DType::kU8:
      return OnnxType::kUint8;
  }
  return OnnxType::kFloat;
}

template <typename T>
OnnxTensor Tensor(OnnxType type, const std::vector<std::int64_t>& shape,
                  const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return {type, shape, std::move(bytes)};
}

template <typename T>
std::vector<T> Transposed(const T* values, std::int64_t rows,
                          std::int64_t columns) {
  std::vector<T> out(static_cast<std::size_t>(rows * columns));
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) {
      out[static_cast<std::size_t>(j * rows + i)] = values[i * columns + j];
    }
  }
  return out;
}

OnnxAttributes Permutation(std::vector<std::int64_t> axes) {
  return {{"perm", std::move(axes)}};
}

std::string ShapeText(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const std::int64_t size : shape) {
    if (text.size() > 1) text += ",";
    text += std::to_string(size);
  }
  return text + "]";
}

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

OnnxOps::Value OnnxOps::SourceInput(const std::string& name,
                                    std::int64_t heads, std::int64_t head_dim) {
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

OnnxOps::Value OnnxOps::Embedding(const std::string& name,
                                  const Value& tokens_BT, std::int64_t rows,
                                  std::int64_t dim) {
  return Lookup(Table(name, rows, dim), tokens_BT);
}

OnnxOps::Value OnnxOps::Table(const std::string& name, std::int64_t rows,
                              std::int64_t dim) {
  return {WeightConstant(name + ".weight", DType::kF32, {rows, dim}),
          {rows, dim}};
}

OnnxOps::Value OnnxOps::Lookup(const Value& table_VD, const Value& tokens_BT) {
  return {Node("Gather", {table_VD.name, tokens_BT.name}),
          {-1, -1, table_VD.shape[1]}};
}

OnnxOps::Value OnnxOps::Matrix(const std::string& name, std::int64_t rows,
                               std::int64_t columns) {
  return Table(name, rows, columns);
}

OnnxOps::Value OnnxOps::RandomFeatures(const std::string& name,
                                       std::int64_t rows,
                                       std::int64_t columns) {
  return {WeightConstant(name + ".features", DType::kF32, {rows, columns}),
          {rows, columns}};
}

std::string OnnxOps::SizeOf(const Value& x, std::int64_t axis) {
  const std::string name = x.name + "/size_" + std::to_string(axis);
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
  const std::string name =
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
  const std::string table =
      WeightConstant(name + ".weight", DType::kF32, {rows, dim});
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

OnnxOps::Value OnnxOps::Linear(const std::string& name, const Value& x,
                               const LinearSpec& spec) {
  HONE_CHECK_EQ(x.shape.back(), spec.in);
  std::string product;
  std::string bias;
  switch (spec.precision) {
    case Precision::kF32: {
      const std::string weight =
          WeightConstant(name + ".weight", DType::kF32, {spec.out, spec.in});
      product =
          Node("MatMul",
               {x.name, Node("Transpose", {weight}, Permutation({1, 0}), name)},
               {}, name);
      bias = WeightConstant(name + ".bias", DType::kF32, {spec.out});
      break;
    }
    case Precision::kW8A8:
      product = Int8Product(name, x, spec);
      bias = Int8Bias(name, spec);
      break;
    case Precision::kW4:
      product = Int4Product(name, x, spec);
      bias = WeightConstant(name + ".bias", DType::kF32, {spec.out});
      break;
  }
  std::vector<std::int64_t> shape = x.shape;
  shape.back() = spec.out;
  return {Node("Add", {product, bias}, {}, name), shape};
}

std::string OnnxOps::Quantized(const std::string& name, const std::string& x) {
  const TensorData& scale = Weight(name + ".input_scale", DType::kF32, {});
  const TensorData& zero = Weight(name + ".input_zero_point", DType::kU8, {});
  const std::string grid =
      std::to_string(std::bit_cast<int>(*scale.data<float>())) + "_" +
      std::to_string(*zero.data<std::uint8_t>());
  // The pair is named after value and grid, so that a second user finds it.
  std::string dequantized = x + "/" + grid + "/DequantizeLinear";
  if (writer_.Has(dequantized)) return dequantized;
  const std::string scale_name = Real(*scale.data<float>());
  const std::string zero_name =
      "zero_point_" + std::to_string(*zero.data<std::uint8_t>());
  if (!writer_.Has(zero_name)) {
    writer_.AddConstant(
        zero_name,
        Tensor(OnnxType::kUint8, {},
               std::vector<std::uint8_t>{*zero.data<std::uint8_t>()}));
  }
  const std::string quantized =
      Node("QuantizeLinear", {x, scale_name, zero_name}, {}, x + "/" + grid);
  return Node("DequantizeLinear", {quantized, scale_name, zero_name}, {},
              x + "/" + grid);
}

std::string OnnxOps::Int8Product(const std::string& name, const Value& x,
                                 const LinearSpec& spec) {
  const std::string weight =
      WeightConstant(name + ".weight", DType::kI8, {spec.out, spec.in});
  const std::string scale =
      WeightConstant(name + ".weight_scale", DType::kF32, {spec.out});
  const std::string dequantized =
      Node("DequantizeLinear", {weight, scale}, {{"axis", std::int64_t{0}}},
           name + ".weight");
  const std::string transposed =
      Node("Transpose", {dequantized}, Permutation({1, 0}), name);
  return Node("MatMul", {Quantized(name, x.name), transposed}, {}, name);
}

std::string OnnxOps::Int8Bias(const std::string& name, const LinearSpec& spec) {
  const float input_scale =
      *Weight(name + ".input_scale", DType::kF32, {}).data<float>();
  const float* weight_scale =
      Weight(name + ".weight_scale", DType::kF32, {spec.out}).data<float>();
  std::vector<float> scale;
  for (std::int64_t i = 0; i < spec.out; ++i) {
    scale.push_back(input_scale * weight_scale[i]);
  }
  const std::string scale_name = writer_.AddConstant(
      name + ".bias_scale", Tensor(OnnxType::kFloat, {spec.out}, scale));
  return Node(
      "DequantizeLinear",
      {WeightConstant(name + ".bias", DType::kI32, {spec.out}), scale_name},
      {{"axis", std::int64_t{0}}}, name + ".bias");
}

std::string OnnxOps::Int4Product(const std::string& name, const Value& x,
                                 const LinearSpec& spec) {
  const auto scale = weights_.find(name + ".weight_scale");
  const std::int64_t blocks =
      scale != weights_.end() && scale->second.shape.size() == 2
          ? scale->second.shape[1]
          : 0;
  const TensorData& scales =
      Weight(name + ".weight_scale", DType::kF32, {spec.out, blocks});
  HONE_CHECK(blocks > 0 && spec.in % blocks == 0);
  const TensorData& weight =
      Weight(name + ".weight", DType::kI8, {spec.out, spec.in});
  // Transposed here and not in the graph: ONNX Runtime has a 4-bit kernel for
  // blocks along axis 0 alone.
  const std::string weight_name = writer_.AddConstant(
      name + ".weight",
      {OnnxType::kInt4,
       {spec.in, spec.out},
       PackInt4(Transposed(weight.data<std::int8_t>(), spec.out, spec.in))});
  const std::string scale_name = writer_.AddConstant(
      name + ".weight_scale",
      Tensor(OnnxType::kFloat, {blocks, spec.out},
             Transposed(scales.data<float>(), spec.out, blocks)));
  const std::string dequantized =
      Node("DequantizeLinear", {weight_name, scale_name},
           {{"axis", std::int64_t{0}}, {"block_size", spec.in / blocks}},
           name + ".weight");
  return Node("MatMul", {x.name, dequantized}, {}, name);
}

OnnxOps::Value OnnxOps::LayerNorm(const std::string& name, const Value& x,
                                  std::int64_t dim) {
  return {
      Node("LayerNormalization",
           {x.name, WeightConstant(name + ".weight", DType::kF32, {dim}),
            WeightConstant(name + ".bias", DType::kF32, {dim})},
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
                       WeightConstant(name + ".weight", DType::kF32, {dim})}),
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
  return Transpose(
      Reshape(x_BTD, {0, 0, heads, x_BTD.shape.back() / heads}), 1, 2);
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
  const std::string missing =
      Node("Mod", {Node("Sub", {whole, over}), whole});
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
  return Reduced("ReduceMax", x,
                 static_cast<std::int64_t>(x.shape.size()) - 1);
}

OnnxOps::Value OnnxOps::RunningSum(const Value& x, std::int64_t axis) {
  return {Node("CumSum", {x.name, Integer(axis)}), x.shape};
}

OnnxOps::Value OnnxOps::LowerTriangle(const Value& x, std::int64_t diagonal) {
  return {Node("Trilu", {x.name, Integer(diagonal)},
               {{"upper", std::int64_t{0}}}),
          x.shape};
}

std::string OnnxOps::Distances(const Value& q_BHTE) {
  const std::string name = steps_ ? "step_distances" : "distances";
  if (writer_.Has(name)) return name;
  if (steps_) {
    // A slot that holds nothing is said to be far in the future.
    const std::string query = Input(kPlacesInput, OnnxType::kInt64,
                                    {"batch", "tokens"});
    const std::string key =
        Input(kSlotPlacesInput, OnnxType::kInt64, {"batch", "slots"});
    return writer_.AddNode("Sub", name,
                           {Node("Unsqueeze", {query, Integers({1, 3})}),
                            Node("Unsqueeze", {key, Integers({1, 2})})});
  }
  const std::string count = Node("Squeeze", {SizeOf(q_BHTE, 2)});
  const std::string places = Node("Range", {Integer(0), count, Integer(1)});
  return writer_.AddNode(
      "Sub", name, {Node("Unsqueeze", {places, Integers({1})}), places});
}

std::string OnnxOps::Mask(const AttentionMask& mask, const Value& q_BHTE) {
  const std::string name = "mask_" + std::to_string(mask.causal) + "_" +
                           std::to_string(mask.window) + "_" +
                           std::to_string(mask.stride);
  if (writer_.Has(name)) return name;
  const std::string distance = Distances(q_BHTE);
  const std::string away = Node("Abs", {distance});
  std::string seen;
  const auto also = [&](const std::string& condition) {
    seen = seen.empty() ? condition : Node("And", {seen, condition});
  };
  if (mask.causal) also(Node("GreaterOrEqual", {distance, Integer(0)}));
  if (mask.window >= 0) {
    also(Node("LessOrEqual", {away, Integer(mask.window)}));
  }
  if (mask.stride > 0) {
    const std::string column = Node(
        "Equal", {Node("Mod", {away, Integer(mask.stride)}), Integer(0)});
    also(Node("Or", {Node("Less", {away, Integer(mask.stride)}), column}));
  }
  if (seen.empty()) return seen;
  return writer_.AddNode(
      "Where", name,
      {seen, Real(0), Real(-std::numeric_limits<float>::infinity())});
}

// One for all layers of a source that stand side by side. [B,1,1,S * layers]
std::string OnnxOps::SourceMask(std::int64_t layers) {
  const std::string name = "source_mask_" + std::to_string(layers);
  if (writer_.Has(name)) return name;
  const std::string one =
      Input(kSourceMaskInput, OnnxType::kFloat, {"batch", "source"});
  const std::string all =
      layers == 1 ? one
                  : Node("Concat",
                         std::vector<std::string>(
                             static_cast<std::size_t>(layers), one),
                         {{"axis", std::int64_t{1}}});
  return writer_.AddNode("Unsqueeze", name, {all, Integers({1, 2})});
}

OnnxOps::Value OnnxOps::ScaledDotProductAttention(const Value& q_BHTE,
                                                  const Value& k_BKSE,
                                                  const Value& v_BKSE,
                                                  const AttentionMask& mask) {
  const std::int64_t heads = q_BHTE.shape[1];
  const std::int64_t groups = k_BKSE.shape[1];
  const std::int64_t head_dim = q_BHTE.shape[3];
  const float scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
  Value q = Scale(q_BHTE, scale);
  // Heads that share keys stand beside each other: they become more queries.
  if (groups != heads) q = Reshape(q, {0, groups, -1, head_dim});
  Value scores = MatMul(q, Transpose(k_BKSE, 2, 3));
  if (groups != heads) scores = Reshape(scores, {0, heads, -1, 0});
  const std::string added = mask.source_layers > 0
                                ? SourceMask(mask.source_layers)
                                : Mask(mask, q_BHTE);
  if (!added.empty()) {
    scores = {Node("Add", {scores.name, added}), scores.shape};
  }
  Value shares = Softmax(scores);
  if (groups != heads) shares = Reshape(shares, {0, groups, -1, 0});
  Value mixed = MatMul(shares, v_BKSE);
  if (groups != heads) mixed = Reshape(mixed, {0, heads, -1, head_dim});
  return {mixed.name, q_BHTE.shape};
}

OnnxOps::Value OnnxOps::MeanTokens(const Value& x_BTD) {
  return {Node("ReduceMean", {x_BTD.name, Integers({1})},
               {{"keepdims", std::int64_t{0}}}),
          {x_BTD.shape[0], x_BTD.shape[2]}};
}

OnnxOps::Value OnnxOps::Remember(const std::string& name,
                                 const Value& x_BKTE) {
  HONE_CHECK(steps_);
  const std::int64_t heads = x_BKTE.shape[1];
  const std::int64_t head_dim = x_BKTE.shape[3];
  const std::string past = Input(kPastPrefix + name, OnnxType::kFloat,
                                 {"batch", heads, "past", head_dim});
  const std::string present =
      writer_.AddNode("Concat", kPresentPrefix + name, {past, x_BKTE.name},
                      {{"axis", std::int64_t{2}}});
  writer_.AddOutput(present, OnnxType::kFloat,
                    {"batch", heads, "slots", head_dim});
  return {present, {-1, heads, -1, head_dim}};
}

std::optional<OnnxOps::Value> OnnxOps::Carried(
    const std::string& name, const std::vector<std::int64_t>& dims) {
  if (!steps_) return std::nullopt;
  std::vector<OnnxDim> shape = {"batch"};
  std::vector<std::int64_t> sizes = {-1};
  for (const std::int64_t size : dims) {
    shape.emplace_back(size);
    sizes.push_back(size);
  }
  return Value{Input(kPastPrefix + name, OnnxType::kFloat, shape), sizes};
}

void OnnxOps::Carry(const std::string& name, const Value& x) {
  std::vector<OnnxDim> shape = {"batch"};
  for (std::size_t i = 1; i < x.shape.size(); ++i) shape.emplace_back(x.shape[i]);
  Output(kPresentPrefix + name, x, shape);
}

}  // namespace hone
