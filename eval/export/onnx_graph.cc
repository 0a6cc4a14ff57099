#include "eval/export/onnx_graph.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>

namespace hone {
namespace {

using Dims = std::vector<std::int64_t>;

std::optional<Dims> Broadcast(const std::vector<Dims>& all) {
  Dims joined;
  for (const Dims& dims : all) {
    if (dims.size() > joined.size()) {
      joined.insert(joined.begin(), dims.size() - joined.size(), 1);
    }
    for (std::size_t i = 0; i < dims.size(); ++i) {
      std::int64_t& size = joined[joined.size() - dims.size() + i];
      if (size != dims[i] && size != 1 && dims[i] != 1) return std::nullopt;
      size = std::max(size, dims[i]);
    }
  }
  return joined;
}

// The index of an axis that may count from the end.
std::optional<std::size_t> AxisOf(std::int64_t axis, const Dims& dims) {
  const auto rank = static_cast<std::int64_t>(dims.size());
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) return std::nullopt;
  return static_cast<std::size_t>(axis);
}

std::int64_t AxisAttribute(const ReadNode& node) {
  const auto found = node.integers.find("axis");
  return found == node.integers.end() ? 0 : found->second;
}

// What the nodes of a cone make of the shapes of its constants.
class Shapes {
 public:
  Shapes(const OnnxGraph& graph, const OnnxCone& cone) : graph_(graph) {
    for (const std::string& name : cone.constants) {
      dims_[name] = graph.model().constants.at(name).dims;
    }
    for (const ReadNode* node : cone.nodes) {
      if (node->inputs.empty()) continue;
      if (auto dims = Of(*node)) dims_[node->outputs[0]] = std::move(*dims);
    }
  }

  std::optional<Dims> Find(const std::string& value) const {
    const auto found = dims_.find(value);
    if (found == dims_.end()) return std::nullopt;
    return found->second;
  }

 private:
  std::optional<Dims> Of(const ReadNode& node) const {
    static const std::set<std::string> kSame = {"DequantizeLinear",
                                                "QuantizeLinear",
                                                "Cast",
                                                "Slice",
                                                "Identity",
                                                "Neg",
                                                "Clip"};
    static const std::set<std::string> kBoth = {
        "Mul",        "Add",       "Sub",        "Div", "BitShift",
        "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Mod", "Pow"};
    if (kSame.contains(node.op)) return Find(node.inputs[0]);
    if (node.op == "Transpose") return Transposed(node);
    if (node.op == "Concat") return Joined(node);
    if (kBoth.contains(node.op)) return Both(node);
    if (node.inputs.size() < 2) return std::nullopt;
    if (node.op == "Reshape") return Reshaped(node);
    if (node.op == "Unsqueeze") return Unsqueezed(node);
    return node.op == "Gather" ? Gathered(node) : std::nullopt;
  }

  std::optional<Dims> Both(const ReadNode& node) const {
    std::vector<Dims> all;
    for (const std::string& input : node.inputs) {
      const auto dims = Find(input);
      if (!dims) return std::nullopt;
      all.push_back(*dims);
    }
    return Broadcast(all);
  }

  std::optional<Dims> Transposed(const ReadNode& node) const {
    const auto dims = Find(node.inputs[0]);
    if (!dims) return std::nullopt;
    const auto order = node.lists.find("perm");
    if (order == node.lists.end()) return Dims(dims->rbegin(), dims->rend());
    Dims turned;
    for (const std::int64_t one : order->second) {
      const auto axis = AxisOf(one, *dims);
      if (!axis) return std::nullopt;
      turned.push_back((*dims)[*axis]);
    }
    return turned;
  }

  // The numbers of an int64 constant.
  std::optional<Dims> Numbers(const std::string& name) const {
    const auto found = graph_.model().constants.find(name);
    if (found == graph_.model().constants.end() ||
        OnnxTypeName(found->second.type) != "i64") {
      return std::nullopt;
    }
    const std::string& bytes = found->second.bytes;
    Dims numbers(bytes.size() / sizeof(std::int64_t));
    if (!bytes.empty()) std::memcpy(numbers.data(), bytes.data(), bytes.size());
    return numbers;
  }

  std::optional<Dims> Reshaped(const ReadNode& node) const {
    const auto dims = Find(node.inputs[0]);
    auto wanted = Numbers(node.inputs[1]);
    if (!dims || !wanted) return std::nullopt;
    const std::int64_t all = std::accumulate(
        dims->begin(), dims->end(), std::int64_t{1}, std::multiplies<>());
    std::int64_t others = 1;
    for (std::size_t i = 0; i < wanted->size(); ++i) {
      std::int64_t& size = (*wanted)[i];
      if (size == 0 && i < dims->size()) size = (*dims)[i];
      if (size > 0 && size <= all) others *= size;
    }
    for (std::int64_t& size : *wanted) {
      if (size < 0) size = all / std::max<std::int64_t>(others, 1);
    }
    return wanted;
  }

  std::optional<Dims> Unsqueezed(const ReadNode& node) const {
    auto dims = Find(node.inputs[0]);
    const auto axes = Numbers(node.inputs[1]);
    if (!dims || !axes || axes->size() != 1) return std::nullopt;
    dims->push_back(1);
    const auto axis = AxisOf((*axes)[0], *dims);
    if (!axis) return std::nullopt;
    dims->pop_back();
    dims->insert(dims->begin() + static_cast<std::ptrdiff_t>(*axis), 1);
    return dims;
  }

  std::optional<Dims> Gathered(const ReadNode& node) const {
    const auto table = Find(node.inputs[0]);
    const auto rows = Find(node.inputs[1]);
    if (!table || !rows) return std::nullopt;
    const auto axis = AxisOf(AxisAttribute(node), *table);
    if (!axis) return std::nullopt;
    const auto at = table->begin() + static_cast<std::ptrdiff_t>(*axis);
    Dims dims(table->begin(), at);
    dims.insert(dims.end(), rows->begin(), rows->end());
    dims.insert(dims.end(), at + 1, table->end());
    return dims;
  }

  std::optional<Dims> Joined(const ReadNode& node) const {
    std::optional<Dims> joined = Find(node.inputs[0]);
    if (!joined) return std::nullopt;
    const auto axis = AxisOf(AxisAttribute(node), *joined);
    if (!axis) return std::nullopt;
    for (std::size_t i = 1; i < node.inputs.size(); ++i) {
      const auto more = Find(node.inputs[i]);
      if (!more || more->size() != joined->size()) return std::nullopt;
      (*joined)[*axis] += (*more)[*axis];
    }
    return joined;
  }

  const OnnxGraph& graph_;
  std::map<std::string, Dims> dims_;
};

}  // namespace

OnnxGraph::OnnxGraph(const ReadModel& model) : model_(model) {
  constant_.insert("");
  for (const auto& [name, tensor] : model.constants) constant_.insert(name);
  for (const auto& [name, value] : model.inputs) {
    if (!IsConstant(name)) of_values_.insert(name);
  }
  for (const ReadNode& node : model.nodes) {
    const bool constant =
        std::all_of(node.inputs.begin(), node.inputs.end(),
                    [&](const std::string& one) { return IsConstant(one); });
    const bool of_shapes =
        node.op == "Shape" ||
        std::all_of(node.inputs.begin(), node.inputs.end(),
                    [&](const std::string& one) { return IsOfShapes(one); });
    for (const std::string& output : node.outputs) {
      if (!of_shapes) of_values_.insert(output);
      makers_[output] = &node;
      if (constant) constant_.insert(output);
    }
    for (const std::string& input : node.inputs) {
      readers_[input].push_back(&node);
    }
  }
}

const ReadNode* OnnxGraph::Maker(const std::string& value) const {
  const auto found = makers_.find(value);
  return found == makers_.end() ? nullptr : found->second;
}

const ReadNode* OnnxGraph::OnlyReader(const std::string& value) const {
  const auto found = readers_.find(value);
  if (found == readers_.end() || found->second.size() != 1) return nullptr;
  return model_.outputs.contains(value) ? nullptr : found->second[0];
}

bool OnnxGraph::IsWeight(const std::string& value) const {
  static const std::set<std::string> kViews = {"Slice", "Transpose", "Reshape",
                                               "Unsqueeze", "Squeeze"};
  std::string at = value;
  while (!IsConstant(at)) {
    const ReadNode* maker = Maker(at);
    if (maker == nullptr || !kViews.contains(maker->op)) return false;
    at = maker->inputs[0];
  }
  return true;
}

OnnxCone OnnxGraph::ConeOf(const std::string& value) const {
  OnnxCone cone;
  std::set<std::string> seen = {""};
  Collect(value, seen, cone);
  return cone;
}

void OnnxGraph::Collect(const std::string& value, std::set<std::string>& seen,
                        OnnxCone& cone) const {
  if (!seen.insert(value).second) return;
  if (model_.constants.contains(value)) {
    cone.constants.push_back(value);
    return;
  }
  const ReadNode* maker = Maker(value);
  // Of a view that is no constant, the other inputs say where and not what.
  const std::size_t inputs = IsConstant(value) ? maker->inputs.size() : 1;
  for (std::size_t i = 0; i < inputs; ++i) {
    Collect(maker->inputs[i], seen, cone);
  }
  cone.nodes.push_back(maker);
}

std::optional<std::vector<std::int64_t>> ShapeOf(const OnnxGraph& graph,
                                                 const OnnxCone& cone,
                                                 const std::string& value) {
  return Shapes(graph, cone).Find(value);
}

}  // namespace hone
