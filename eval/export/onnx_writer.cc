#include "eval/export/onnx_writer.h"

#include <protozero/pbf_writer.hpp>

#include "space/base/error.h"

namespace hone {
namespace {

// Field numbers of onnx.proto3, message by message.
namespace model {
enum { kIrVersion = 1, kProducer = 2, kGraph = 7, kOpset = 8, kMetadata = 14 };
}
namespace opset {
enum { kDomain = 1, kVersion = 2 };
}
namespace entry {
enum { kKey = 1, kValue = 2 };
}
namespace graph {
enum { kNode = 1, kName = 2, kInitializer = 5, kInput = 11, kOutput = 12 };
}
namespace node {
enum { kInput = 1, kOutput = 2, kOp = 4, kAttribute = 5 };
}
namespace attribute {
enum { kName = 1, kFloat = 2, kInt = 3, kInts = 8, kType = 20 };
enum { kTypeFloat = 1, kTypeInt = 2, kTypeInts = 7 };
}  // namespace attribute
namespace tensor {
enum { kDims = 1, kType = 2, kName = 8, kRawData = 9 };
}
namespace value_info {
enum { kName = 1, kType = 2 };
enum { kTensorType = 1 };
enum { kElementType = 1, kShape = 2 };
enum { kDim = 1 };
enum { kDimValue = 1, kDimName = 2 };
}  // namespace value_info

std::string EncodeAttribute(const std::string& name,
                            const OnnxAttribute& value) {
  std::string bytes;
  protozero::pbf_writer out(bytes);
  out.add_string(attribute::kName, name);
  if (const auto* real = std::get_if<float>(&value)) {
    out.add_float(attribute::kFloat, *real);
    out.add_enum(attribute::kType, attribute::kTypeFloat);
  } else if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    out.add_int64(attribute::kInt, *integer);
    out.add_enum(attribute::kType, attribute::kTypeInt);
  } else {
    for (const std::int64_t one : std::get<std::vector<std::int64_t>>(value)) {
      out.add_int64(attribute::kInts, one);
    }
    out.add_enum(attribute::kType, attribute::kTypeInts);
  }
  return bytes;
}

std::string EncodeShape(const std::vector<OnnxDim>& shape) {
  std::string bytes;
  protozero::pbf_writer out(bytes);
  for (const OnnxDim& dim : shape) {
    protozero::pbf_writer one(out, value_info::kDim);
    if (const auto* size = std::get_if<std::int64_t>(&dim)) {
      one.add_int64(value_info::kDimValue, *size);
    } else {
      one.add_string(value_info::kDimName, std::get<std::string>(dim));
    }
  }
  return bytes;
}

std::string EncodeValueInfo(const std::string& name, OnnxType type,
                            const std::vector<OnnxDim>& shape) {
  std::string bytes;
  protozero::pbf_writer out(bytes);
  out.add_string(value_info::kName, name);
  protozero::pbf_writer type_out(out, value_info::kType);
  protozero::pbf_writer tensor_out(type_out, value_info::kTensorType);
  tensor_out.add_int32(value_info::kElementType,
                       static_cast<std::int32_t>(type));
  tensor_out.add_message(value_info::kShape, EncodeShape(shape));
  return bytes;
}

void AddEach(protozero::pbf_writer& out, int field,
             const std::vector<std::string>& messages) {
  for (const std::string& message : messages) {
    out.add_message(static_cast<protozero::pbf_tag_type>(field), message);
  }
}

}  // namespace

std::string PackCodes(std::span<const std::uint8_t> values, std::int64_t bits) {
  HONE_CHECK_EQ(8 % bits, 0);
  const auto per_byte = static_cast<std::size_t>(8 / bits);
  const int mask = (1 << bits) - 1;
  std::string bytes((values.size() + per_byte - 1) / per_byte, '\0');
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto shift = bits * static_cast<std::int64_t>(i % per_byte);
    bytes[i / per_byte] |= static_cast<char>((values[i] & mask) << shift);
  }
  return bytes;
}

void OnnxWriter::Claim(const std::string& name) {
  if (!names_.insert(name).second) {
    throw Error(ErrorCode::kInternal,
                "the ONNX graph has two values called '" + name + "'");
  }
}

void OnnxWriter::AddInput(const std::string& name, OnnxType type,
                          const std::vector<OnnxDim>& shape) {
  Claim(name);
  inputs_.push_back(EncodeValueInfo(name, type, shape));
}

void OnnxWriter::AddOutput(const std::string& name, OnnxType type,
                           const std::vector<OnnxDim>& shape) {
  HONE_CHECK(Has(name));
  outputs_.push_back(EncodeValueInfo(name, type, shape));
}

std::string OnnxWriter::AddConstant(const std::string& name,
                                    const OnnxTensor& tensor) {
  Claim(name);
  std::string bytes;
  protozero::pbf_writer out(bytes);
  for (const std::int64_t size : tensor.shape) {
    out.add_int64(tensor::kDims, size);
  }
  out.add_int32(tensor::kType, static_cast<std::int32_t>(tensor.type));
  out.add_string(tensor::kName, name);
  out.add_bytes(tensor::kRawData, tensor.bytes);
  constants_.push_back(std::move(bytes));
  return name;
}

std::string OnnxWriter::AddNode(const std::string& op, const std::string& name,
                                const std::vector<std::string>& inputs,
                                const OnnxAttributes& attributes) {
  for (const std::string& input : inputs) HONE_CHECK(Has(input));
  Claim(name);
  std::string bytes;
  protozero::pbf_writer out(bytes);
  for (const std::string& input : inputs) out.add_string(node::kInput, input);
  out.add_string(node::kOutput, name);
  out.add_string(node::kOp, op);
  for (const auto& [key, value] : attributes) {
    out.add_message(node::kAttribute, EncodeAttribute(key, value));
  }
  nodes_.push_back(std::move(bytes));
  return name;
}

std::string OnnxWriter::Serialize(
    const std::map<std::string, std::string>& metadata) const {
  std::string bytes;
  protozero::pbf_writer out(bytes);
  out.add_int64(model::kIrVersion, versions_.ir);
  out.add_string(model::kProducer, "hone");
  {
    protozero::pbf_writer graph_out(out, model::kGraph);
    AddEach(graph_out, graph::kNode, nodes_);
    graph_out.add_string(graph::kName, "classifier");
    AddEach(graph_out, graph::kInitializer, constants_);
    AddEach(graph_out, graph::kInput, inputs_);
    AddEach(graph_out, graph::kOutput, outputs_);
  }
  {
    protozero::pbf_writer opset_out(out, model::kOpset);
    opset_out.add_string(opset::kDomain, "");
    opset_out.add_int64(opset::kVersion, versions_.opset);
  }
  for (const auto& [key, value] : metadata) {
    protozero::pbf_writer entry_out(out, model::kMetadata);
    entry_out.add_string(entry::kKey, key);
    entry_out.add_string(entry::kValue, value);
  }
  return bytes;
}

}  // namespace hone
