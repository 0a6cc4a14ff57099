#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "eval/export/onnx_reader.h"

namespace hone {

// The constants that a value is made of, and the nodes between, each after what
// it reads.
struct OnnxCone {
  std::vector<std::string> constants;
  std::vector<const ReadNode*> nodes;
};

// Who makes and who reads the values of a file, and which of them are known
// before it runs. Refers to the model.
class OnnxGraph {
 public:
  explicit OnnxGraph(const ReadModel& model);

  const ReadModel& model() const { return model_; }
  // Null for constants and inputs.
  const ReadNode* Maker(const std::string& value) const;
  // The only node that reads the value; null where there are more or none, or
  // where it is an output.
  const ReadNode* OnlyReader(const std::string& value) const;
  // A constant, or made of constants alone.
  bool IsConstant(const std::string& value) const {
    return constant_.contains(value);
  }
  // The same, but for which part of it is taken and how it lies: a table cut
  // to the tokens that there are.
  bool IsWeight(const std::string& value) const;
  // Known once the shapes of the inputs are.
  bool IsOfShapes(const std::string& value) const {
    return !of_values_.contains(value);
  }
  // Requires: IsWeight(value).
  OnnxCone ConeOf(const std::string& value) const;

 private:
  void Collect(const std::string& value, std::set<std::string>& seen,
               OnnxCone& cone) const;

  const ReadModel& model_;
  std::map<std::string, const ReadNode*> makers_;
  std::map<std::string, std::vector<const ReadNode*>> readers_;
  std::set<std::string> constant_;
  std::set<std::string> of_values_;  // what the inputs' values go into
};

// The shape of a value that its cone determines, before a Slice; none where an
// operation is not known.
std::optional<std::vector<std::int64_t>> ShapeOf(const OnnxGraph& graph,
                                                 const OnnxCone& cone,
                                                 const std::string& value);

}  // namespace hone
