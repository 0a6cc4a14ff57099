#include "eval/export/onnx_products.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "eval/export/onnx_graph.h"

namespace hone {
namespace {

constexpr std::int64_t kCodesShare = 16;
constexpr char kTables[] = "tables";
constexpr char kLinears[] = "linears";
constexpr char kRest[] = "rest";

const std::set<std::string> kProducts = {"MatMul", "Gemm", "MatMulInteger"};
const std::set<std::string> kViews = {"Reshape", "Transpose", "Unsqueeze",
                                      "Squeeze", "Flatten"};

bool IsProduct(const ReadNode& node) {
  return kProducts.contains(node.op) && node.inputs.size() >= 2 &&
         node.outputs.size() == 1;
}

std::int64_t Count(const std::vector<std::int64_t>& dims) {
  std::int64_t count = 1;
  for (const std::int64_t size : dims) count *= size;
  return count;
}

bool IsInteger(const std::string& type) {
  return type.starts_with("i") || type.starts_with("u");
}

std::string Before(const std::string& text, char mark) {
  return text.substr(0, text.rfind(mark));
}

std::string BitsText(double bits) {
  const double rounded = std::round(bits * 10) / 10;
  const auto tenths = static_cast<std::int64_t>(std::round(rounded * 10));
  std::string text = std::to_string(tenths / 10);
  if (tenths % 10 != 0) text += "." + std::to_string(tenths % 10);
  return text;
}

// The largest constants of a cone: those of integers where there are any, since
// scales are never more than the codes.
std::vector<const ReadTensor*> CodesOf(const ReadModel& model,
                                       const OnnxCone& cone,
                                       std::int64_t weights) {
  std::vector<const ReadTensor*> large;
  std::int64_t most = 0;
  for (const std::string& name : cone.constants) {
    most = std::max(most, Count(model.constants.at(name).dims));
  }
  const std::int64_t bound = (weights > 0 ? weights : most) / kCodesShare;
  for (const std::string& name : cone.constants) {
    const ReadTensor& tensor = model.constants.at(name);
    const bool enough = Count(tensor.dims) > bound;
    if (enough && OnnxTypeName(tensor.type) != "i64") large.push_back(&tensor);
  }
  std::vector<const ReadTensor*> integers;
  for (const ReadTensor* tensor : large) {
    if (IsInteger(OnnxTypeName(tensor->type))) integers.push_back(tensor);
  }
  return integers.empty() ? large : integers;
}

// What a value made of constants is stored as. `activation_bits`: 0, or what
// the other operand is quantized to.
StoredWeight WeightOf(const OnnxGraph& graph, const std::string& value,
                      std::int64_t activation_bits) {
  const ReadModel& model = graph.model();
  const OnnxCone cone = graph.ConeOf(value);
  StoredWeight weight;
  for (const std::string& name : cone.constants) {
    weight.bytes +=
        static_cast<std::int64_t>(model.constants.at(name).bytes.size());
  }
  bool table = false;
  for (const ReadNode* node : cone.nodes) {
    weight.chain.push_back(node->op);
    weight.values.push_back(node->outputs[0]);
    table = table || node->op == "Gather";
  }
  if (auto dims = ShapeOf(graph, cone, value)) weight.dims = std::move(*dims);
  const std::int64_t weights = weight.dims.empty() ? 0 : Count(weight.dims);
  std::int64_t code_bits = 0;
  std::int64_t codes = 0;
  for (const ReadTensor* tensor : CodesOf(model, cone, weights)) {
    if (weight.type.empty()) weight.type = OnnxTypeName(tensor->type);
    code_bits += Count(tensor->dims) * OnnxTypeBits(tensor->type);
    codes += Count(tensor->dims);
  }
  const std::int64_t of = weights > 0 ? weights : codes;
  if (of > 0) {
    weight.bits = static_cast<double>(code_bits) / static_cast<double>(of);
  }
  weight.low_bit = IsInteger(weight.type);
  weight.label = weight.type;
  if (!weight.low_bit) return weight;
  weight.label = "w" + BitsText(weight.bits);
  if (activation_bits > 0)
    weight.label += "a" + std::to_string(activation_bits);
  if (table) weight.label += " table";
  return weight;
}

// The element type that the file quantizes a value to; empty: it does not.
std::string QuantizedType(const OnnxGraph& graph, std::string value) {
  bool dequantized = false;
  while (const ReadNode* maker = graph.Maker(value)) {
    if (maker->inputs.empty() || graph.IsConstant(value)) return {};
    if (maker->op == "QuantizeLinear" || maker->op == "DynamicQuantizeLinear") {
      const auto& constants = graph.model().constants;
      const auto zero = maker->inputs.size() > 2
                            ? constants.find(maker->inputs[2])
                            : constants.end();
      return zero == constants.end() ? "u8" : OnnxTypeName(zero->second.type);
    }
    const bool undoes = maker->op == "DequantizeLinear" && !dequantized;
    if (!undoes && !kViews.contains(maker->op)) return {};
    dequantized = dequantized || undoes;
    value = maker->inputs[0];
  }
  return {};
}

// The product, and what it becomes while one node alone reads it.
std::vector<std::string> ValuesFrom(const OnnxGraph& graph,
                                    const ReadNode& product) {
  static const std::set<std::string> kFollow = {
      "Add", "Mul", "Identity", "Cast", "Reshape", "Transpose", "Gelu", "Relu"};
  std::vector<std::string> values = {product.outputs[0]};
  while (const ReadNode* reader = graph.OnlyReader(values.back())) {
    if (!kFollow.contains(reader->op) || reader->outputs.size() != 1) break;
    values.push_back(reader->outputs[0]);
  }
  return values;
}

// Where the nearest product with weights before this one stands: its layer up
// to the last dot.
std::string PlaceOf(const OnnxGraph& graph, const ReadNode& product,
                    const std::map<std::string, std::string>& layers) {
  std::deque<std::string> next(product.inputs.begin(), product.inputs.end());
  std::set<std::string> seen;
  while (!next.empty()) {
    const std::string value = next.front();
    next.pop_front();
    if (!seen.insert(value).second) continue;
    const auto found = layers.find(value);
    if (found != layers.end()) return Before(found->second, '.');
    if (const ReadNode* maker = graph.Maker(value)) {
      next.insert(next.end(), maker->inputs.begin(), maker->inputs.end());
    }
  }
  return {};
}

class Reading {
 public:
  Reading(const ReadModel& model, std::int64_t file_bytes) : graph_(model) {
    for (const ReadNode& node : model.nodes) {
      if (IsProduct(node)) AddProduct(node);
    }
    for (const ReadNode& node : model.nodes) ClaimTable(node);
    AddBytes(file_bytes);
  }

  StoredModel stored;

 private:
  void AddProduct(const ReadNode& node) {
    // An operand that is a weight; the right one of two.
    const bool right = graph_.IsWeight(node.inputs[1]);
    const bool left = !right && graph_.IsWeight(node.inputs[0]);
    const std::string& operand = node.inputs[left ? 0 : 1];
    const std::string quantized =
        QuantizedType(graph_, node.inputs[left ? 1 : 0]);
    StoredProduct product;
    product.value = node.outputs[0];
    product.activations = quantized.empty() ? "f32" : quantized;
    product.of_shapes = graph_.IsOfShapes(product.value);
    product.values = ValuesFrom(graph_, node);
    if (left || right) {
      product.weight = WeightOf(graph_, operand, BitsOf(quantized));
      product.weight->operand = left ? 0 : 1;
      product.layer = LayerOf(node, operand);
      layers_[product.value] = product.layer;
      Claim(operand, kLinears, product.weight->label);
      ClaimBiases(product);
    } else {
      // Both operands quantized, or it runs in float.
      if (QuantizedType(graph_, node.inputs[1]).empty()) {
        product.activations = "f32";
      }
      const std::string place = PlaceOf(graph_, node, layers_);
      product.layer =
          place.empty() ? product.value : place + " (" + product.value + ")";
    }
    stored.products.push_back(std::move(product));
  }

  static std::int64_t BitsOf(const std::string& type) {
    return type.empty() ? 0 : std::stoll(type.substr(1));
  }

  // The scope of the node's name, or the name of its largest constant.
  std::string LayerOf(const ReadNode& node, const std::string& operand) const {
    const std::string& value = node.outputs[0];
    if (value.ends_with("/" + node.op)) return Before(value, '/');
    std::string largest;
    std::size_t most = 0;
    for (const std::string& name : graph_.ConeOf(operand).constants) {
      const std::size_t bytes = graph_.model().constants.at(name).bytes.size();
      if (bytes > most) largest = name;
      most = std::max(most, bytes);
    }
    return largest.ends_with(".weight") ? Before(largest, '.') : largest;
  }

  void Claim(const std::string& value, const char* what,
             const std::string& label) {
    for (const std::string& name : graph_.ConeOf(value).constants) {
      // A shared constant belongs to who came first, but tables go before.
      if (what == kTables) {
        owners_[name] = {what, label};
      } else {
        owners_.emplace(name, std::pair<std::string, std::string>(what, label));
      }
    }
  }

  void ClaimBiases(const StoredProduct& product) {
    for (std::size_t i = 1; i < product.values.size(); ++i) {
      const ReadNode* node = graph_.Maker(product.values[i]);
      if (node->op != "Add") continue;
      for (const std::string& input : node->inputs) {
        if (graph_.IsConstant(input)) {
          Claim(input, kLinears, product.weight->label);
        }
      }
    }
  }

  // How many codes lie in a byte of the rows that a node looks up: bytes that
  // only choose rows of a table of levels hold one for each of its columns.
  std::int64_t CodesPerByte(const ReadNode& lookup) const {
    const ReadNode* cast = graph_.OnlyReader(lookup.outputs[0]);
    if (cast == nullptr || cast->op != "Cast") return 1;
    const ReadNode* levels = graph_.OnlyReader(cast->outputs[0]);
    if (levels == nullptr || levels->op != "Gather") return 1;
    const auto& constants = graph_.model().constants;
    const auto table = constants.find(levels->inputs[0]);
    if (table == constants.end() || table->second.dims.size() != 2) return 1;
    return table->second.dims[1];
  }

  // A constant of which tokens or places choose rows.
  void ClaimTable(const ReadNode& node) {
    if (node.inputs.empty() || graph_.IsConstant(node.outputs[0])) return;
    if (node.op != "Gather" && node.op != "Slice") return;
    if (!graph_.IsConstant(node.inputs[0])) return;
    std::string label = WeightOf(graph_, node.inputs[0], 0).label;
    if (node.op == "Gather") {
      const std::int64_t per_byte = CodesPerByte(node);
      if (per_byte > 1) label = "w" + std::to_string(8 / per_byte);
      Claim(node.inputs[0], kTables, label);
      return;
    }
    for (const std::string& name : graph_.ConeOf(node.inputs[0]).constants) {
      owners_.emplace(name,
                      std::pair<std::string, std::string>(kTables, label));
    }
  }

  void AddBytes(std::int64_t file_bytes) {
    std::map<std::pair<std::string, std::string>, std::int64_t> bytes;
    std::int64_t rest = file_bytes;
    for (const auto& [name, owner] : owners_) {
      const auto own = static_cast<std::int64_t>(
          graph_.model().constants.at(name).bytes.size());
      bytes[owner] += own;
      rest -= own;
    }
    for (const char* what : {kTables, kLinears}) {
      for (const auto& [owner, count] : bytes) {
        if (owner.first != what) continue;
        stored.bytes.push_back({owner.first, owner.second, count});
      }
    }
    stored.bytes.push_back({kRest, "", rest});
  }

  OnnxGraph graph_;
  std::map<std::string, std::string> layers_;  // of products with weights
  // Constant -> what it is for, and how that is stored.
  std::map<std::string, std::pair<std::string, std::string>> owners_;
};

}  // namespace

StoredModel ReadStored(const ReadModel& model, std::int64_t file_bytes) {
  return Reading(model, file_bytes).stored;
}

}  // namespace hone
