#include <algorithm>
#include <cstdint>

#include "eval/export/onnx_constants.h"
#include "eval/export/onnx_ops.h"

namespace hone {
namespace {

constexpr std::int64_t kByteBits = 8;

std::int64_t PerByte(const TableSpec& spec) {
  return kByteBits / spec.precision.weight_bits;
}

// A row of the table takes whole bytes.
std::int64_t RowBytes(const TableSpec& spec) {
  return CodeBytes(spec.precision, spec.dim);
}

// Rows of codes, filled up with zeros to whole bytes.
std::vector<std::uint8_t> FilledRows(const TensorData& codes,
                                     const TableSpec& spec) {
  const auto* values = codes.data<std::uint8_t>();
  const std::int64_t width = RowBytes(spec) * PerByte(spec);
  std::vector<std::uint8_t> filled(static_cast<std::size_t>(spec.rows * width));
  for (std::int64_t row = 0; row < spec.rows; ++row) {
    std::copy_n(values + row * spec.dim, spec.dim,
                filled.begin() + row * width);
  }
  return filled;
}

}  // namespace

std::vector<std::int8_t> OnnxOps::LevelsOfTable(const std::string& name,
                                                const TableSpec& spec) const {
  const std::int64_t codes = std::int64_t{1} << spec.precision.weight_bits;
  if (!spec.precision.StoresIntegers()) {
    const auto* stored = Weight(name + ".weight_levels", DType::kI8, {codes})
                             .data<std::int8_t>();
    return {stored, stored + codes};
  }
  // Codes are the lowest bits of signed numbers.
  std::vector<std::int8_t> levels;
  for (std::int64_t code = 0; code < codes; ++code) {
    levels.push_back(
        static_cast<std::int8_t>(code < codes / 2 ? code : code - codes));
  }
  return levels;
}

std::string OnnxOps::TableCodes(const std::string& name,
                                const TableSpec& spec) {
  std::string weight = name + ".weight";
  const std::vector<std::int64_t> shape{spec.rows, spec.dim};
  if (PerByte(spec) == 1) return WeightConstant(weight, DType::kI8, shape);
  const TensorData& codes = Weight(
      weight, spec.precision.StoresIntegers() ? DType::kI8 : DType::kU8, shape);
  if (writer_.Has(weight)) return weight;
  return writer_.AddConstant(
      weight, {OnnxType::kUint8,
               {spec.rows, RowBytes(spec)},
               PackCodes(FilledRows(codes, spec), spec.precision.weight_bits)});
}

std::string OnnxOps::TableScales(const std::string& name,
                                 const TableSpec& spec) {
  const TensorData& scales =
      Weight(name + ".weight_scale", DType::kF32, {spec.rows});
  std::string constant = name + ".weight_scale";
  if (writer_.Has(constant)) return constant;
  return writer_.AddConstant(
      constant, {OnnxType::kFloat,
                 {spec.rows, 1},
                 std::string(scales.data<char>(), scales.bytes.size())});
}

OnnxOps::Value OnnxOps::Embedding(const std::string& name,
                                  const Value& tokens_BT,
                                  const TableSpec& spec) {
  return Lookup(name, tokens_BT, spec);
}

OnnxOps::Value OnnxOps::Lookup(const std::string& name, const Value& tokens_BT,
                               const TableSpec& spec) {
  const std::vector<std::int64_t> shape{-1, -1, spec.dim};
  if (spec.precision.IsFloat()) {
    return {Node("Gather", {Table(name, spec).name, tokens_BT.name}), shape};
  }
  std::string levels = Node("Gather", {TableCodes(name, spec), tokens_BT.name},
                            {}, name + ".codes");
  if (PerByte(spec) == 1) {
    levels = Node("Cast", {levels}, CastTo(OnnxType::kFloat), name + ".codes");
  } else {
    const std::string table =
        LevelTable(spec.precision.weight_bits, LevelsOfTable(name, spec),
                   OnnxType::kFloat);
    const std::string places =
        Node("Cast", {levels}, CastTo(OnnxType::kInt32), name + ".codes");
    const std::string rows =
        Node("Gather", {table, places}, {}, name + ".levels");
    Value flat{
        Node("Reshape", {rows, Integers({0, 0, -1})}, {}, name + ".levels"),
        {-1, -1, RowBytes(spec) * PerByte(spec)}};
    if (flat.shape[2] != spec.dim) flat = Slice(flat, 2, 0, spec.dim);
    levels = flat.name;
  }
  const std::string scales =
      Node("Gather", {TableScales(name, spec), tokens_BT.name}, {},
           name + ".scales");
  return {Node("Mul", {levels, scales}, {}, name), shape};
}

OnnxOps::Value OnnxOps::Table(const std::string& name, const TableSpec& spec) {
  const std::vector<std::int64_t> shape{spec.rows, spec.dim};
  if (spec.precision.IsFloat()) {
    return {FloatConstant(name + ".weight", shape), shape};
  }
  std::string codes = TableCodes(name, spec);
  if (PerByte(spec) > 1) {
    const std::string table = LevelTable(
        spec.precision.weight_bits, LevelsOfTable(name, spec), OnnxType::kInt8);
    const std::string places =
        Node("Cast", {codes}, CastTo(OnnxType::kInt32), name + ".output");
    const std::string rows =
        Node("Gather", {table, places}, {}, name + ".output");
    Value flat{Node("Reshape", {rows, Integers({spec.rows, -1})}, {},
                    name + ".output"),
               {spec.rows, RowBytes(spec) * PerByte(spec)}};
    if (flat.shape[1] != spec.dim) flat = Slice(flat, 1, 0, spec.dim);
    codes = Node("Cast", {flat.name}, CastTo(OnnxType::kInt4),
                 name + ".output_int4");
  }
  const std::string scales =
      Node("Reshape", {TableScales(name, spec), Integers({-1})}, {},
           name + ".scales");
  return {Node("DequantizeLinear", {codes, scales}, {{"axis", std::int64_t{0}}},
               name),
          shape};
}

}  // namespace hone
