#include <array>
#include <cstdint>

#include "eval/export/onnx_constants.h"
#include "eval/export/onnx_ops.h"
#include "space/base/error.h"

namespace hone {
namespace {

constexpr std::int64_t kByteValues = 256;

// Row major [out,in] codes as they are packed: u8 or i8, one a byte.
std::vector<std::uint8_t> Codes(const TensorData& weight) {
  const auto* values = weight.data<std::uint8_t>();
  return {values, values + weight.elements()};
}

template <typename T>
std::vector<T> TransposedIf(bool transposed, const std::vector<T>& values,
                            std::int64_t rows, std::int64_t columns) {
  return transposed ? Transposed(values.data(), rows, columns) : values;
}

std::string Bytes(const std::vector<std::uint8_t>& values) {
  return {values.begin(), values.end()};
}

// Bits [shift, shift + bits) of every code.
std::vector<std::uint8_t> Plane(const std::vector<std::uint8_t>& codes,
                                std::int64_t shift, std::int64_t bits) {
  std::vector<std::uint8_t> plane;
  for (const std::uint8_t code : codes) {
    plane.push_back(
        static_cast<std::uint8_t>((code >> shift) & ((1 << bits) - 1)));
  }
  return plane;
}

bool FitsInt4(const TensorData& levels) {
  const auto* values = levels.data<std::int8_t>();
  for (std::int64_t i = 0; i < levels.elements(); ++i) {
    if (values[i] < -8 || values[i] > 7) return false;
  }
  return true;
}

}  // namespace

// The shape of the scales, and of zero points.
std::vector<std::int64_t> OnnxOps::ScaleShape(const LinearSpec& spec) {
  if (spec.precision.block == Precision::kTensor) return {};
  if (spec.precision.block == Precision::kRow) return {spec.out};
  return {spec.out, spec.in / BlockFor(spec.precision, spec.in)};
}

// Weights that are stored as their codes: blocks lie along axis 0 of [in,out],
// since ONNX Runtime has a 4-bit kernel for those alone.
std::string OnnxOps::IntegerWeight(const std::string& name,
                                   const LinearSpec& spec) {
  const bool zeros = spec.precision.levels == Levels::kAsymmetric;
  const bool blocks = spec.precision.block > 0;
  const DType dtype = zeros ? DType::kU8 : DType::kI8;
  const bool packed = spec.precision.weight_bits == 4;
  const OnnxType type =
      packed ? (zeros ? OnnxType::kUint4 : OnnxType::kInt4) : TypeOf(dtype);
  const std::vector<std::int64_t> shape = ScaleShape(spec);
  // Codes or zero points, laid out as the scales' axes ask for.
  const auto constant = [&](const std::string& role, std::int64_t rows,
                            std::int64_t columns,
                            std::vector<std::int64_t> dims) {
    const std::vector<std::uint8_t> values =
        TransposedIf(blocks, Codes(weights_.at(name + role)), rows, columns);
    if (blocks) std::swap(dims[0], dims[1]);
    return writer_.AddConstant(
        name + role,
        {type, std::move(dims), packed ? PackCodes(values, 4) : Bytes(values)});
  };
  Weight(name + ".weight", dtype, {spec.out, spec.in});
  std::vector<std::string> inputs{
      constant(".weight", spec.out, spec.in, {spec.out, spec.in})};
  const TensorData& scales = Weight(name + ".weight_scale", DType::kF32, shape);
  if (blocks) {
    inputs.push_back(writer_.AddConstant(
        name + ".weight_scale",
        Tensor(OnnxType::kFloat, {shape[1], shape[0]},
               Transposed(scales.data<float>(), shape[0], shape[1]))));
  } else {
    inputs.push_back(
        WeightConstant(name + ".weight_scale", DType::kF32, shape));
  }
  if (zeros) {
    Weight(name + ".weight_zero_point", DType::kU8, shape);
    inputs.push_back(constant(".weight_zero_point", blocks ? shape[0] : 1,
                              blocks ? shape[1] : 1, shape));
  }
  OnnxAttributes attributes;
  if (!shape.empty()) attributes.push_back({"axis", std::int64_t{0}});
  if (blocks) attributes.push_back({"block_size", spec.in / shape[1]});
  std::string value =
      Node("DequantizeLinear", inputs, attributes, name + ".weight");
  if (blocks) return value;
  return Node("Transpose", {value}, Permutation({1, 0}), name);
}

// Row b holds the levels of the codes of `bits` bits in byte b.
std::string OnnxOps::LevelTable(std::int64_t bits,
                                const std::vector<std::int8_t>& levels,
                                OnnxType type) {
  const std::int64_t per_byte = 8 / bits;
  std::vector<std::int8_t> table;
  std::string name = type == OnnxType::kFloat ? "float_levels" : "levels";
  for (const std::int8_t level : levels) name += "_" + std::to_string(level);
  if (writer_.Has(name)) return name;
  for (std::int64_t byte = 0; byte < kByteValues; ++byte) {
    for (std::int64_t i = 0; i < per_byte; ++i) {
      const auto code =
          static_cast<std::size_t>((byte >> (bits * i)) & ((1 << bits) - 1));
      table.push_back(code < levels.size() ? levels[code] : std::int8_t{0});
    }
  }
  if (type == OnnxType::kFloat) {
    return writer_.AddConstant(
        name, Tensor(type, {kByteValues, per_byte},
                     std::vector<float>(table.begin(), table.end())));
  }
  return writer_.AddConstant(name,
                             Tensor(type, {kByteValues, per_byte}, table));
}

// The levels that packed codes of `bits` bits stand for: a byte picks a row of
// a table, which holds the levels of the codes in it. `level` of a code.
std::string OnnxOps::Unpacked(const std::string& name,
                              const std::vector<std::uint8_t>& codes,
                              std::int64_t bits,
                              const std::vector<std::int8_t>& levels) {
  const std::string table_name = LevelTable(bits, levels, OnnxType::kInt8);
  const std::string bytes = PackCodes(codes, bits);
  const std::string packed = writer_.AddConstant(
      name,
      {OnnxType::kUint8, {static_cast<std::int64_t>(bytes.size())}, bytes});
  const std::string places =
      Node("Cast", {packed}, CastTo(OnnxType::kInt32), name);
  const std::string rows = Node("Gather", {table_name, places}, {}, name);
  return Node("Reshape", {rows, Integers({-1})}, {}, name);
}

// Weights that are stored as places in a table of 8-bit levels. What an engine
// makes of it when it loads is an 8-bit weight (4-bit where the levels fit and
// activations are float).
std::string OnnxOps::TableWeight(const std::string& name,
                                 const LinearSpec& spec) {
  const std::vector<std::uint8_t> codes =
      Codes(Weight(name + ".weight", DType::kU8, {spec.out, spec.in}));
  const std::int64_t bits = spec.precision.weight_bits;
  const TensorData& stored =
      Weight(name + ".weight_levels", DType::kI8, {std::int64_t{1} << bits});
  const std::vector<std::int8_t> levels(
      stored.data<std::int8_t>(),
      stored.data<std::int8_t>() + stored.elements());
  std::string flat;
  if (bits == 3) {
    // Levels of 3 bits lie evenly, so the upper two bits and the lowest add.
    const std::vector<std::int8_t> upper{levels[0], levels[2], levels[4],
                                         levels[6]};
    const std::vector<std::int8_t> lowest{
        0, static_cast<std::int8_t>(levels[1] - levels[0])};
    flat =
        Node("Add",
             {Unpacked(name + ".weight_upper", Plane(codes, 1, 2), 2, upper),
              Unpacked(name + ".weight_lowest", Plane(codes, 0, 1), 1, lowest)},
             {}, name + ".weight");
  } else {
    flat = Unpacked(name + ".weight_packed", codes, bits, levels);
  }
  if (spec.out * spec.in * bits % 8 != 0) {
    flat =
        Sliced({flat, {-1}}, 0, Integers({0}), Integers({spec.out * spec.in}))
            .name;
  }
  std::string value = Node("Reshape", {flat, Integers({spec.out, spec.in})}, {},
                           name + ".weight");
  if (!spec.precision.int8_activations && FitsInt4(stored)) {
    value =
        Node("Cast", {value}, CastTo(OnnxType::kInt4), name + ".weight_int4");
  }
  const std::vector<std::int64_t> shape = ScaleShape(spec);
  std::vector<std::string> inputs{
      value, WeightConstant(name + ".weight_scale", DType::kF32, shape)};
  OnnxAttributes attributes;
  if (shape.size() == 1) attributes.push_back({"axis", std::int64_t{0}});
  if (shape.size() == 2) {
    attributes.push_back({"axis", std::int64_t{1}});
    attributes.push_back({"block_size", spec.in / shape[1]});
  }
  if (spec.precision.levels == Levels::kAsymmetric) {
    inputs.push_back(ZeroPoints(name, spec));
  }
  return Node("Transpose",
              {Node("DequantizeLinear", inputs, attributes, name + ".weight")},
              Permutation({1, 0}), name);
}

// Of levels in a table: in 4 bits where those are.
std::string OnnxOps::ZeroPoints(const std::string& name,
                                const LinearSpec& spec) {
  const std::vector<std::int64_t> shape = ScaleShape(spec);
  const std::vector<std::uint8_t> zeros =
      Codes(Weight(name + ".weight_zero_point", DType::kU8, shape));
  return writer_.AddConstant(name + ".weight_zero_point",
                             {OnnxType::kInt4, shape, PackCodes(zeros, 4)});
}

std::string OnnxOps::QuantizedWeight(const std::string& name,
                                     const LinearSpec& spec) {
  return spec.precision.StoresIntegers() ? IntegerWeight(name, spec)
                                         : TableWeight(name, spec);
}

}  // namespace hone
