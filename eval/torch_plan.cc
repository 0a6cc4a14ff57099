#include "eval/torch_plan.h"

#include <set>
#include <utility>

#include <ATen/ops/linear.h>

#include "eval/export/onnx_graph.h"
#include "eval/torch_int8_linear.h"
#include "space/base/error.h"

namespace hone {
namespace {

// What is known of every value before the file runs.
TorchValues FoldConstants(const OnnxGraph& graph) {
  TorchValues known;
  for (const auto& [name, constant] : graph.model().constants) {
    known[name] = ConstantTensor(name, constant);
  }
  for (const ReadNode& node : graph.model().nodes) {
    if (!graph.IsConstant(node.outputs.at(0))) continue;
    std::vector<at::Tensor> inputs;
    for (const std::string& input : node.inputs) {
      inputs.push_back(input.empty() ? at::Tensor() : known.at(input));
    }
    known[node.outputs[0]] = MakeTorchOperation(node)(inputs);
  }
  return known;
}

// The steps of a file. Refers to graph and known.
class Planner {
 public:
  Planner(const OnnxGraph& graph, const TorchValues& known)
      : graph_(graph), known_(known) {}

  std::vector<TorchStep> Plan(const std::string& file) {
    std::vector<TorchStep> steps;
    for (const ReadNode& node : graph_.model().nodes) {
      const std::string& output = node.outputs.at(0);
      if (known_.contains(output) || merged_.contains(output)) continue;
      TorchStep step =
          node.op == "MatMul" ? PlanProduct(node) : PlainStep(node);
      step.node.file = file;
      step.of_shapes = graph_.IsOfShapes(step.output);
      steps.push_back(std::move(step));
    }
    return steps;
  }

 private:
  static TorchStep PlainStep(const ReadNode& node) {
    TorchStep step;
    step.node.layer = node.op;
    step.node.primitive = "at";
    step.node.values = {node.outputs[0]};
    step.inputs = node.inputs;
    step.output = node.outputs[0];
    step.run = MakeTorchOperation(node);
    return step;
  }

  // With its bias, where nobody else reads the product.
  TorchStep PlanProduct(const ReadNode& node) {
    const auto weight = known_.find(node.inputs.at(1));
    if (weight == known_.end() || weight->second.dim() != 2) {
      return PlainStep(node);
    }
    TorchStep step = PlainStep(node);
    at::Tensor bias;
    if (const ReadNode* add = graph_.OnlyReader(step.output);
        add != nullptr && add->op == "Add") {
      const bool first = add->inputs[0] == step.output;
      const auto found = known_.find(add->inputs[first ? 1 : 0]);
      if (found != known_.end() && found->second.dim() == 1) {
        bias = found->second;
        step.output = add->outputs[0];
        step.node.values.push_back(step.output);
        merged_.insert(step.output);
      }
    }
    if (!PlanIntegers(node, weight->second, bias, step)) {
      step.node.primitive = "at::linear";
      step.inputs = {node.inputs[0]};
      step.run = [w = weight->second.t().contiguous(),
                  bias](const std::vector<at::Tensor>& in) {
        return at::linear(in[0], w, bias);
      };
    }
    return step;
  }

  const ReadNode* Maker(const std::string& value, const char* op) const {
    const ReadNode* maker = graph_.Maker(value);
    return maker != nullptr && maker->op == op ? maker : nullptr;
  }

  // Whether the product is one of u8 activations and s8 weights.
  bool PlanIntegers(const ReadNode& node, const at::Tensor& weight,
                    const at::Tensor& bias, TorchStep& step) {
    const ReadNode* input = Maker(node.inputs[0], "DequantizeLinear");
    const ReadNode* turned = Maker(node.inputs[1], "Transpose");
    const ReadNode* levels =
        turned ? Maker(turned->inputs[0], "DequantizeLinear") : nullptr;
    if (!input || !levels || !bias.defined() ||
        turned->lists.at("perm") != std::vector<std::int64_t>{1, 0}) {
      return false;
    }
    const at::Tensor& codes = known_.at(levels->inputs[0]);
    const at::Tensor& scale = known_.at(levels->inputs[1]);
    const auto axis = levels->integers.find("axis");
    const bool by_row = scale.dim() == 0 ||
                        (scale.dim() == 1 && axis != levels->integers.end() &&
                         axis->second == 0);
    if (codes.scalar_type() != at::kChar || levels->inputs.size() > 2 ||
        !by_row || input->inputs.size() < 3 ||
        !known_.contains(input->inputs[1]) ||
        known_.at(input->inputs[1]).numel() != 1 ||
        !known_.contains(input->inputs[2]) ||
        known_.at(input->inputs[2]).scalar_type() != at::kByte) {
      return false;
    }
    HONE_CHECK_EQ(codes.size(0), weight.size(1));
    step.node.primitive = "onednn::qlinear_pointwise";
    step.node.precision = "u8";
    step.node.inputs = {"u8", "i8"};
    step.inputs = {input->inputs[0]};
    step.run =
        [linear = TorchInt8Linear(
             codes.contiguous(), scale.expand({codes.size(0)}).contiguous(),
             bias, known_.at(input->inputs[1]).item<double>(),
             known_.at(input->inputs[2]).item<std::int64_t>())](
            const std::vector<at::Tensor>& in) { return linear.Run(in[0]); };
    return true;
  }

  const OnnxGraph& graph_;
  const TorchValues& known_;
  std::set<std::string> merged_;  // what steps before it have computed
};

}  // namespace

TorchPlan PlanInTorch(const ReadModel& model, const std::string& file) {
  const OnnxGraph graph(model);
  TorchPlan plan;
  plan.known = FoldConstants(graph);
  plan.steps = Planner(graph, plan.known).Plan(file);
  return plan;
}

}  // namespace hone
