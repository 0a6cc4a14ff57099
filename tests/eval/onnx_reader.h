#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <protozero/pbf_reader.hpp>

namespace hone {

// The parts of an ONNX file that tests look at, by onnx.proto3's field numbers.
struct ReadTensor {
  std::int32_t type = 0;
  std::vector<std::int64_t> dims;
  std::string bytes;
};

struct ReadNode {
  std::string op;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::map<std::string, std::int64_t> integers;
  std::map<std::string, float> floats;
  std::map<std::string, std::vector<std::int64_t>> lists;
  std::map<std::string, std::int32_t> types;
};

struct ReadValue {
  std::int32_t type = 0;
  std::vector<std::string> dims;
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

  std::int64_t CountOps(const std::string& op) const {
    std::int64_t count = 0;
    for (const ReadNode& node : nodes) count += node.op == op;
    return count;
  }
};

inline ReadTensor ReadTensorProto(protozero::pbf_reader in, std::string& name) {
  ReadTensor tensor;
  while (in.next()) {
    switch (in.tag()) {
      case 1:
        tensor.dims.push_back(in.get_int64());
        break;
      case 2:
        tensor.type = in.get_int32();
        break;
      case 8:
        name = in.get_string();
        break;
      case 9:
        tensor.bytes = in.get_bytes();
        break;
      default:
        in.skip();
    }
  }
  return tensor;
}

inline void ReadAttribute(protozero::pbf_reader in, ReadNode& node) {
  std::string name;
  std::vector<std::int64_t> list;
  while (in.next()) {
    switch (in.tag()) {
      case 1:
        name = in.get_string();
        break;
      case 2:
        node.floats[name] = in.get_float();
        break;
      case 3:
        node.integers[name] = in.get_int64();
        break;
      case 8:
        node.lists[name].push_back(in.get_int64());
        break;
      case 20:
        node.types[name] = in.get_enum();
        break;
      default:
        in.skip();
    }
  }
}

inline ReadNode ReadNodeProto(protozero::pbf_reader in) {
  ReadNode node;
  while (in.next()) {
    switch (in.tag()) {
      case 1:
        node.inputs.push_back(in.get_string());
        break;
      case 2:
        node.outputs.push_back(in.get_string());
        break;
      case 4:
        node.op = in.get_string();
        break;
      case 5:
        ReadAttribute(in.get_message(), node);
        break;
      default:
        in.skip();
    }
  }
  return node;
}

inline ReadValue ReadValueInfo(protozero::pbf_reader in, std::string& name) {
  ReadValue value;
  while (in.next()) {
    if (in.tag() == 1) {
      name = in.get_string();
      continue;
    }
    protozero::pbf_reader type = in.get_message();
    type.next(1);
    protozero::pbf_reader tensor = type.get_message();
    while (tensor.next()) {
      if (tensor.tag() == 1) {
        value.type = tensor.get_int32();
        continue;
      }
      protozero::pbf_reader shape = tensor.get_message();
      while (shape.next(1)) {
        protozero::pbf_reader dim = shape.get_message();
        dim.next();
        value.dims.push_back(dim.tag() == 1 ? std::to_string(dim.get_int64())
                                            : dim.get_string());
      }
    }
  }
  return value;
}

inline void ReadGraph(protozero::pbf_reader in, ReadModel& model) {
  while (in.next()) {
    std::string name;
    switch (in.tag()) {
      case 1:
        model.nodes.push_back(ReadNodeProto(in.get_message()));
        break;
      case 2:
        model.graph_name = in.get_string();
        break;
      case 5: {
        ReadTensor tensor = ReadTensorProto(in.get_message(), name);
        model.constants[name] = std::move(tensor);
        break;
      }
      case 11: {
        const ReadValue value = ReadValueInfo(in.get_message(), name);
        model.inputs[name] = value;
        break;
      }
      case 12: {
        const ReadValue value = ReadValueInfo(in.get_message(), name);
        model.outputs[name] = value;
        break;
      }
      default:
        in.skip();
    }
  }
}

// Keys and values of a message of two fields (metadata, opsets).
template <typename Value, typename Get>
void ReadEntry(protozero::pbf_reader in, std::map<std::string, Value>& out,
               Get get) {
  std::string key;
  while (in.next()) {
    if (in.tag() == 1) {
      key = in.get_string();
    } else {
      out[key] = get(in);
    }
  }
}

inline ReadModel ReadOnnx(const std::string& bytes) {
  ReadModel model;
  protozero::pbf_reader in(bytes);
  while (in.next()) {
    switch (in.tag()) {
      case 1:
        model.ir_version = in.get_int64();
        break;
      case 2:
        model.producer = in.get_string();
        break;
      case 7:
        ReadGraph(in.get_message(), model);
        break;
      case 8:
        ReadEntry(in.get_message(), model.opsets,
                  [](auto& field) { return field.get_int64(); });
        break;
      case 14:
        ReadEntry(in.get_message(), model.metadata,
                  [](auto& field) { return field.get_string(); });
        break;
      default:
        in.skip();
    }
  }
  return model;
}

}  // namespace hone
