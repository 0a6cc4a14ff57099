#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace hone {

// An ONNX file as we read it: one graph of the standard domain.

// Type is ONNX's own number (TensorProto.DataType); `bytes` as raw_data has
// them: little endian, row major, elements below 8 bits packed.
struct ReadTensor {
  std::int32_t type = 0;
  std::vector<std::int64_t> dims;
  std::string bytes;
};

struct ReadNode {
  std::string op;
  std::vector<std::string> inputs;  // empty where an optional one is missing
  std::vector<std::string> outputs;
  std::map<std::string, std::int64_t> integers;
  std::map<std::string, float> floats;
  std::map<std::string, std::vector<std::int64_t>> lists;
  std::map<std::string, std::int32_t> types;
};

struct ReadValue {
  std::int32_t type = 0;
  std::vector<std::string> dims;  // a number, or the name of a dynamic size
};

struct ReadModel {
  std::int64_t ir_version = 0;
  std::string producer;
  std::map<std::string, std::int64_t> opsets;
  std::map<std::string, std::string> metadata;
  std::string graph_name;
  std::vector<ReadNode> nodes;
  std::map<std::string, ReadTensor> constants;
  std::map<std::string, ReadValue> inputs;
  std::map<std::string, ReadValue> outputs;

  std::int64_t CountOps(const std::string& op) const;
};

// Reads a ModelProto by the field numbers of onnx.proto3. A node Constant with
// a tensor becomes a constant. Strict: every field that is read has the wire
// type of the format, a constant has as many bytes as its type and shape ask
// for, no value is made twice, and a node reads what was made before it.
// Nodes inside of nodes (If, Loop) are left out. Throws Error{kIntegrity}
// naming `where`.
ReadModel ReadOnnx(std::string_view bytes,
                   const std::string& where = "the ONNX file");

// "f32", "u8", "i4": as engines call them; and its size. Requires: the type of
// a constant that ReadOnnx returned.
std::string OnnxTypeName(std::int32_t type);
std::int64_t OnnxTypeBits(std::int32_t type);

}  // namespace hone
