#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace hone {

// Element types, with ONNX's own numbers (TensorProto.DataType).
enum class OnnxType : std::int32_t {
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kInt32 = 6,
  kInt64 = 7,
  kBfloat16 = 16,
  kUint4 = 21,
  kInt4 = 22,
};

// A constant. `bytes` is raw_data: little endian, row major; 4-bit elements as
// PackInt4 lays them out.
struct OnnxTensor {
  OnnxType type = OnnxType::kFloat;
  std::vector<std::int64_t> shape;
  std::string bytes;
};

// The low `bits` bits of each value, 8 / bits of them a byte, the earlier ones
// in the lower bits; what is left of the last byte is 0. For 4 bits this is
// ONNX's layout of INT4 and UINT4 ("4 bit data types"). Requires: 1, 2, 4 or 8
// bits.
std::string PackCodes(std::span<const std::uint8_t> values, std::int64_t bits);

using OnnxAttribute =
    std::variant<std::int64_t, float, std::vector<std::int64_t>>;
using OnnxAttributes = std::vector<std::pair<std::string, OnnxAttribute>>;

// A size of an input or output: a number, or the name of a dynamic one.
using OnnxDim = std::variant<std::int64_t, std::string>;

// What a file says about the format that it is written in.
struct OnnxVersions {
  std::int64_t ir = 10;
  std::int64_t opset = 21;
};

// Collects one graph and encodes it as an ONNX ModelProto (standard domain),
// without libprotobuf. The bytes are a function of
// the calls alone. It does not check types or shapes: onnx.checker does, in the
// tests.
class OnnxWriter {
 public:
  explicit OnnxWriter(OnnxVersions versions = {}) : versions_(versions) {}

  void AddInput(const std::string& name, OnnxType type,
                const std::vector<OnnxDim>& shape);
  void AddOutput(const std::string& name, OnnxType type,
                 const std::vector<OnnxDim>& shape);
  // Returns `name`. Throws Error{kInternal} when it is taken.
  std::string AddConstant(const std::string& name, const OnnxTensor& tensor);
  // A node with one output called `name`, which is returned; the node itself
  // stays nameless, since its text would come a third time. Throws
  // Error{kInternal} when the name is taken.
  std::string AddNode(const std::string& op, const std::string& name,
                      const std::vector<std::string>& inputs,
                      const OnnxAttributes& attributes = {});
  bool Has(const std::string& name) const { return names_.contains(name); }

  std::string Serialize(
      const std::map<std::string, std::string>& metadata) const;

 private:
  void Claim(const std::string& name);

  OnnxVersions versions_;
  std::set<std::string> names_;
  // Encoded NodeProto, TensorProto and ValueInfoProto messages in order.
  std::vector<std::string> nodes_;
  std::vector<std::string> constants_;
  std::vector<std::string> inputs_;
  std::vector<std::string> outputs_;
};

}  // namespace hone
