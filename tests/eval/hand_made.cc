#include "tests/eval/hand_made.h"

#include <cstring>
#include <vector>

#include "eval/export/onnx_writer.h"
#include "space/base/rng.h"

namespace hone {
namespace {

constexpr std::int64_t kD = kHandMadeWidth;
constexpr auto kUint4 = static_cast<OnnxType>(21);
constexpr std::int64_t kToFloat = 1;
constexpr std::int64_t kToInt32 = 6;

template <typename Number>
OnnxTensor Tensor(OnnxType type, std::vector<std::int64_t> shape,
                  const std::vector<Number>& values) {
  std::string bytes(values.size() * sizeof(Number), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return {type, std::move(shape), bytes};
}

class Builder {
 public:
  std::string Constant(const std::string& name, const OnnxTensor& tensor) {
    return writer_.AddConstant(name, tensor);
  }
  std::string Floats(const std::string& name, std::vector<std::int64_t> shape,
                     const std::vector<float>& values) {
    return Constant(name, Tensor(OnnxType::kFloat, std::move(shape), values));
  }
  std::string Node(const std::string& op, const std::string& name,
                   const std::vector<std::string>& inputs,
                   const OnnxAttributes& attributes = {}) {
    return writer_.AddNode(op, name, inputs, attributes);
  }
  std::string Random(const std::string& name, OnnxType type,
                     std::vector<std::int64_t> shape, std::size_t bytes) {
    Rng rng(3, 0, name);
    std::string values(bytes, '\0');
    for (char& one : values) one = static_cast<char>(rng.Below(256));
    return Constant(name, {type, std::move(shape), values});
  }
  std::string Transposed(const std::string& layer, const std::string& x) {
    return Node("Transpose", layer + "/Transpose", {x},
                {{"perm", std::vector<std::int64_t>{1, 0}}});
  }
  std::string Layer(const std::string& layer, const std::string& x,
                    const std::string& weight) {
    const std::string product = Node("MatMul", layer + "/MatMul", {x, weight});
    const std::string bias = Floats(layer + ".bias", {kD},
                                    std::vector<float>(std::size_t{kD}, 0.5f));
    return Node("Gelu", layer + "/Gelu",
                {Node("Add", layer + "/Add", {product, bias})});
  }
  std::string Int8(const std::string& layer) {
    const std::string codes = Random(layer + ".weight", OnnxType::kInt8,
                                     {kD, kD}, std::size_t{kD * kD});
    const std::string scale =
        Floats(layer + ".weight_scale", {kD},
               std::vector<float>(std::size_t{kD}, 1e-3f));
    return Transposed(
        layer, Node("DequantizeLinear", layer + ".weight/DequantizeLinear",
                    {codes, scale}, {{"axis", std::int64_t{0}}}));
  }
  std::string Table(const std::string& layer) {
    std::vector<float> table;
    for (int i = 0; i < 16; ++i) {
      table.push_back(static_cast<float>(i * i) / 225 - 0.5f);
    }
    const std::string codes = Node(
        "Cast", layer + "/Cast",
        {Random(layer + ".weight", kUint4, {kD, kD}, std::size_t{kD * kD / 2})},
        {{"to", kToInt32}});
    const std::string chosen =
        Node("Gather", layer + "/Gather",
             {Floats(layer + ".table", {16}, table), codes});
    const std::string scale = Floats(layer + ".weight_scale", {kD, 1},
                                     std::vector<float>(std::size_t{kD}, 0.1f));
    return Transposed(layer, Node("Mul", layer + "/Mul", {chosen, scale}));
  }
  std::string Packed(const std::string& layer) {
    const std::string codes = Random(layer + ".weight", OnnxType::kUint8,
                                     {kD, kD / 4, 1}, std::size_t{kD * kD / 4});
    const std::string masks = Constant(
        layer + ".masks", Tensor(OnnxType::kUint8, {4},
                                 std::vector<std::uint8_t>{3, 12, 48, 192}));
    const std::string scales =
        Floats(layer + ".scales", {4}, {0.1f, 0.025f, 0.00625f, 0.0015625f});
    const std::string shape = Constant(
        layer + ".shape",
        Tensor(OnnxType::kInt64, {2}, std::vector<std::int64_t>{kD, -1}));
    const std::string parts =
        Node("Cast", layer + "/Cast",
             {Node("BitwiseAnd", layer + "/BitwiseAnd", {codes, masks})},
             {{"to", kToFloat}});
    return Transposed(
        layer, Node("Reshape", layer + "/Reshape",
                    {Node("Mul", layer + "/Mul", {parts, scales}), shape}));
  }
  std::string Quantized(const std::string& name, const std::string& x,
                        const std::string& zero) {
    const std::string scale = Floats(name + ".scale", {}, {0.02f});
    const std::string quantized =
        Node("QuantizeLinear", name + "/QuantizeLinear", {x, scale, zero});
    return Node("DequantizeLinear", name + "/DequantizeLinear",
                {quantized, scale, zero});
  }
  OnnxWriter& writer() { return writer_; }

 private:
  OnnxWriter writer_;
};

}  // namespace

std::string HandMadeModel() {
  Builder build;
  build.writer().AddInput("features", OnnxType::kFloat,
                          {"batch", "tokens", kD});
  std::string x = build.Layer("w8", "features", build.Int8("w8"));
  x = build.Layer("table", x, build.Table("table"));
  x = build.Layer("packed", x, build.Packed("packed"));
  const std::string i8 = build.Constant(
      "zero_i8", Tensor(OnnxType::kInt8, {}, std::vector<std::int8_t>{0}));
  x = build.Layer("signed", build.Quantized("signed.input", x, i8),
                  build.Int8("signed"));
  const std::string u8 = build.Constant(
      "zero_u8", Tensor(OnnxType::kUint8, {}, std::vector<std::uint8_t>{100}));
  const std::string q = build.Quantized("q", x, u8);
  const std::string k = build.Quantized("k", x, u8);
  const std::string turned =
      build.Node("Transpose", "k/Transpose", {k},
                 {{"perm", std::vector<std::int64_t>{0, 2, 1}}});
  const std::string scores = build.Node("MatMul", "MatMul_9", {q, turned});
  const std::string axis = build.Constant(
      "axis", Tensor(OnnxType::kInt64, {1}, std::vector<std::int64_t>{1}));
  build.Node("ReduceMean", "logits", {scores, axis},
             {{"keepdims", std::int64_t{0}}});
  build.writer().AddOutput("logits", OnnxType::kFloat, {"batch", "tokens"});
  return build.writer().Serialize({});
}

}  // namespace hone
