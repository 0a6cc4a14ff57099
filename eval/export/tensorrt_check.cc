#include "eval/export/tensorrt_check.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "eval/export/onnx_graph.h"
#include "eval/export/onnx_writer.h"

namespace hone {
namespace {

constexpr std::int64_t kNewestOpset = 20;
// Bytes of masks and levels at most; codes of a weight are more.
constexpr std::size_t kLargestTable = 64;
constexpr char kQuantize[] = "QuantizeLinear";
constexpr char kDequantize[] = "DequantizeLinear";

bool IsProduct(const ReadNode& node) {
  return node.op == "MatMul" || node.op == "Gemm";
}

class Checker {
 public:
  explicit Checker(const ReadModel& model) : model_(model), graph_(model) {}

  std::vector<TensorRtViolation> Check() {
    const auto opset = model_.opsets.find("");
    if (opset != model_.opsets.end() && opset->second > kNewestOpset) {
      found_.push_back({"", "opset",
                        "opset " + std::to_string(opset->second) + "; up to " +
                            std::to_string(kNewestOpset) +
                            " is read by all releases in use"});
    }
    for (const ReadNode& node : model_.nodes) {
      if (node.op == kQuantize) CheckActivations(node);
      if (node.op == kDequantize) CheckDequantizer(node);
      if (IsProduct(node)) CheckProduct(node);
    }
    return std::move(found_);
  }

 private:
  void Report(const ReadNode& node, const char* rule, const std::string& what) {
    found_.push_back({node.outputs.at(0), rule, what});
  }

  const ReadTensor* Constant(const ReadNode& node, std::size_t input) const {
    if (input >= node.inputs.size()) return nullptr;
    const auto found = model_.constants.find(node.inputs[input]);
    return found == model_.constants.end() ? nullptr : &found->second;
  }

  static bool Misses(const ReadNode& node, std::size_t input) {
    return input >= node.inputs.size() || node.inputs[input].empty();
  }

  void CheckZeroPoint(const ReadNode& node) {
    if (Misses(node, 2)) {
      // Without one a quantizer makes u8.
      if (node.op == kQuantize) {
        Report(node, "type", "quantizes to u8; give a zero point in s8");
      }
      return;
    }
    const ReadTensor* zero = Constant(node, 2);
    if (zero == nullptr) {
      Report(node, "zero-point", "is computed; it must be the constant 0");
      return;
    }
    if (zero->type != static_cast<std::int32_t>(OnnxType::kInt8)) {
      Report(node, "type",
             "quantized in " + OnnxTypeName(zero->type) +
                 "; TensorRT has s8 with zero point 0");
    } else if (std::any_of(zero->bytes.begin(), zero->bytes.end(),
                           [](char byte) { return byte != 0; })) {
      Report(node, "zero-point", "is not 0; TensorRT is symmetric");
    }
  }

  // The number of scales; none where they are not constant.
  std::optional<std::size_t> CheckScale(const ReadNode& node) {
    const ReadTensor* scale = Constant(node, 1);
    if (scale == nullptr ||
        scale->type != static_cast<std::int32_t>(OnnxType::kFloat)) {
      Report(node, "scale", "is not a constant in f32");
      return std::nullopt;
    }
    const std::size_t count = scale->bytes.size() / sizeof(float);
    for (std::size_t i = 0; i < count; ++i) {
      float value = 0;
      std::memcpy(&value, scale->bytes.data() + i * sizeof(float),
                  sizeof(float));
      if (!(value > 0) || !std::isfinite(value)) {
        Report(node, "scale",
               "is " + std::to_string(value) + "; it must be positive");
        break;
      }
    }
    return count;
  }

  void CheckActivations(const ReadNode& node) {
    CheckZeroPoint(node);
    const auto scales = CheckScale(node);
    if (scales && *scales != 1) {
      Report(node, "scale",
             std::to_string(*scales) +
                 " scales for activations; one for the tensor is served");
    }
  }

  void CheckDequantizer(const ReadNode& node) {
    const ReadNode* maker = graph_.Maker(node.inputs.at(0));
    // What the quantizer before it says is not said again.
    if (maker != nullptr && maker->op == kQuantize) return;
    CheckZeroPoint(node);
    const auto scales = CheckScale(node);
    if (node.integers.contains("block_size") &&
        node.integers.at("block_size") > 0) {
      Report(node, "block",
             "a scale for each block of inputs; use one for each output");
    }
    const ReadTensor* codes = Constant(node, 0);
    if (codes == nullptr) {
      Report(node, "packed",
             "dequantizes what another node makes; store the codes in s8");
      return;
    }
    if (codes->type != static_cast<std::int32_t>(OnnxType::kInt8)) {
      Report(node, "type",
             "codes in " + OnnxTypeName(codes->type) + "; TensorRT has s8");
      return;
    }
    if (codes->bytes.find('\x80') != std::string::npos) {
      Report(node, "range", "a weight of -128; weights lie in -127..127");
    }
    if (scales && *scales > 1) CheckAxis(node, *codes);
  }

  // Scales must go along the axis that becomes the product's columns.
  void CheckAxis(const ReadNode& node, const ReadTensor& codes) {
    const auto given = node.integers.find("axis");
    const auto rank = static_cast<std::int64_t>(codes.dims.size());
    std::int64_t axis = given == node.integers.end() ? 1 : given->second;
    if (axis < 0) axis += rank;
    const ReadNode* reader = graph_.OnlyReader(node.outputs[0]);
    std::int64_t outputs = rank - 1;
    if (reader != nullptr && reader->op == "Transpose") outputs = rank - 2;
    if (reader != nullptr && reader->op == "Gemm") {
      const auto turned = reader->integers.find("transB");
      if (turned != reader->integers.end() && turned->second != 0) outputs = 0;
    }
    if (axis != outputs) {
      Report(node, "axis",
             "scales along axis " + std::to_string(axis) +
                 "; the output channels are axis " + std::to_string(outputs));
    }
  }

  // Whether a value comes out of a dequantizer, or is one that was turned.
  bool IsQuantized(const std::string& value) const {
    const ReadNode* maker = graph_.Maker(value);
    while (maker != nullptr &&
           (maker->op == "Transpose" || maker->op == "Reshape")) {
      maker = graph_.Maker(maker->inputs.at(0));
    }
    return maker != nullptr && maker->op == kDequantize;
  }

  // Whether a weight is unpacked from codes without a dequantizer.
  bool IsUnpacked(const std::string& value) const {
    if (!graph_.IsWeight(value)) return false;
    for (const std::string& name : graph_.ConeOf(value).constants) {
      const ReadTensor& constant = model_.constants.at(name);
      if (OnnxTypeBits(constant.type) <= 8 &&
          constant.bytes.size() > kLargestTable) {
        return true;
      }
    }
    return false;
  }

  void CheckProduct(const ReadNode& node) {
    const bool first = IsQuantized(node.inputs.at(0));
    const bool second = IsQuantized(node.inputs.at(1));
    for (std::size_t i = 0; i < 2; ++i) {
      if (!(i == 0 ? first : second) && IsUnpacked(node.inputs[i])) {
        Report(node, "packed",
               "an operand is unpacked by other nodes; store the codes in s8");
      }
    }
    if (first == second) return;
    Report(node, "both-operands",
           std::string("only the ") + (first ? "first" : "second") +
               " operand is quantized; put QuantizeLinear and "
               "DequantizeLinear before the other one too");
  }

  const ReadModel& model_;
  OnnxGraph graph_;
  std::vector<TensorRtViolation> found_;
};

}  // namespace

std::vector<TensorRtViolation> CheckForTensorRt(const ReadModel& model) {
  return Checker(model).Check();
}

}  // namespace hone
