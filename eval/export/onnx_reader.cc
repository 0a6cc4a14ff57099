#include "eval/export/onnx_reader.h"

#include <cstring>
#include <set>

#include <protozero/pbf_reader.hpp>

#include "space/base/error.h"

namespace hone {
namespace {

using Reader = protozero::pbf_reader;
using Wire = protozero::pbf_wire_type;

// More elements than any file can hold: sizes stay far from overflow.
constexpr std::int64_t kMostElements = std::int64_t{1} << 40;

// What is wrong; ReadOnnx adds where.
struct Malformed {
  std::string what;
};

struct TypeFacts {
  const char* name;
  std::int64_t bits;
};

// By TensorProto.DataType; 0 bits: of no fixed size.
constexpr TypeFacts kTypes[] = {
    {"", 0},       {"f32", 32},  {"u8", 8},     {"i8", 8},     {"u16", 16},
    {"i16", 16},   {"i32", 32},  {"i64", 64},   {"text", 0},   {"bool", 8},
    {"f16", 16},   {"f64", 64},  {"u32", 32},   {"u64", 64},   {"c64", 64},
    {"c128", 128}, {"bf16", 16}, {"f8e4m3", 8}, {"f8e4m3", 8}, {"f8e5m2", 8},
    {"f8e5m2", 8}, {"u4", 4},    {"i4", 4},     {"f4e2m1", 4}, {"f8e8m0", 8},
    {"u2", 2},     {"i2", 2}};

const TypeFacts* FindType(std::int32_t type) {
  const auto index = static_cast<std::size_t>(type);
  if (type <= 0 || index >= std::size(kTypes)) return nullptr;
  return kTypes[index].bits > 0 ? &kTypes[index] : nullptr;
}

const TypeFacts& FactsOf(std::int32_t type) {
  const TypeFacts* facts = FindType(type);
  if (facts != nullptr) return *facts;
  throw Malformed{"a constant has the element type " + std::to_string(type) +
                  ", which hone does not read"};
}

void Expect(const Reader& in, Wire wire) {
  if (in.wire_type() != wire) {
    throw Malformed{"field " + std::to_string(in.tag()) +
                    " is not of the type that the format gives it"};
  }
}

std::string Text(Reader& in) {
  Expect(in, Wire::length_delimited);
  return in.get_string();
}

Reader Message(Reader& in) {
  Expect(in, Wire::length_delimited);
  return in.get_message();
}

std::int64_t Whole(Reader& in) {
  Expect(in, Wire::varint);
  return in.get_int64();
}

std::int32_t Small(Reader& in) {
  Expect(in, Wire::varint);
  return in.get_int32();
}

// A repeated number, alone or packed with others.
void Append(Reader& in, std::vector<std::int64_t>& to) {
  if (in.wire_type() == Wire::varint) {
    to.push_back(in.get_int64());
    return;
  }
  Expect(in, Wire::length_delimited);
  for (const std::int64_t one : in.get_packed_int64()) to.push_back(one);
}

// Fixed-size numbers as they lie in the file.
template <typename Number>
void AppendFixed(Reader& in, Wire alone, std::string& to) {
  if (in.wire_type() == alone) {
    const Number one = [&] {
      if constexpr (sizeof(Number) == 4) return in.get_float();
      if constexpr (sizeof(Number) == 8) return in.get_double();
    }();
    to.append(reinterpret_cast<const char*>(&one), sizeof one);
    return;
  }
  Expect(in, Wire::length_delimited);
  to += in.get_bytes();
}

std::int64_t Elements(const std::vector<std::int64_t>& dims) {
  std::int64_t count = 1;
  for (const std::int64_t size : dims) {
    if (size < 0 || (size > 0 && count > kMostElements / size)) {
      throw Malformed{"a constant has the shape " + std::to_string(size) +
                      " in it; sizes are 0 or more, and their product at most "
                      "2^40"};
    }
    count *= size;
  }
  return count;
}

// The bytes of raw_data, whichever field the values came in.
std::string BytesOf(std::int32_t type, std::string raw,
                    const std::vector<std::int64_t>& whole) {
  if (!raw.empty() || whole.empty()) return raw;
  const auto width = static_cast<std::size_t>((FactsOf(type).bits + 7) / 8);
  for (const std::int64_t one : whole) {
    raw.append(reinterpret_cast<const char*>(&one), width);
  }
  return raw;
}

ReadTensor ReadTensorProto(Reader in, std::string& name) {
  ReadTensor tensor;
  std::string raw;
  std::vector<std::int64_t> whole;
  while (in.next()) {
    switch (in.tag()) {
      case 1:
        Append(in, tensor.dims);
        break;
      case 2:
        tensor.type = Small(in);
        break;
      case 4:
        AppendFixed<float>(in, Wire::fixed32, raw);
        break;
      case 5:
      case 7:
      case 11:
        Append(in, whole);
        break;
      case 8:
        name = Text(in);
        break;
      case 9:
        raw = Text(in);
        break;
      case 10:
        AppendFixed<double>(in, Wire::fixed64, raw);
        break;
      case 13:
      case 14:
        throw Malformed{
            "a constant lies in another file; hone reads files that hold "
            "their weights"};
      default:
        in.skip();
    }
  }
  tensor.bytes = BytesOf(tensor.type, std::move(raw), whole);
  const std::int64_t bits = Elements(tensor.dims) * FactsOf(tensor.type).bits;
  const auto wanted = static_cast<std::size_t>((bits + 7) / 8);
  if (tensor.bytes.size() != wanted) {
    throw Malformed{
        "constant '" + name + "' has " + std::to_string(tensor.bytes.size()) +
        " bytes; its type and shape ask for " + std::to_string(wanted)};
  }
  return tensor;
}

// A tensor among the attributes is the value of a Constant.
void ReadAttribute(Reader in, ReadNode& node, ReadTensor& value) {
  std::string name;
  std::vector<std::int64_t> list;
  while (in.next()) {
    switch (in.tag()) {
      case 1:
        name = Text(in);
        break;
      case 2:
        Expect(in, Wire::fixed32);
        node.floats[name] = in.get_float();
        break;
      case 3:
        node.integers[name] = Whole(in);
        break;
      case 5: {
        std::string ignored;
        value = ReadTensorProto(Message(in), ignored);
        break;
      }
      case 8:
        Append(in, list);
        break;
      case 20:
        node.types[name] = Small(in);
        break;
      default:
        in.skip();
    }
  }
  if (!list.empty()) node.lists[name] = std::move(list);
}

ReadNode ReadNodeProto(Reader in, ReadTensor& value) {
  ReadNode node;
  while (in.next()) {
    switch (in.tag()) {
      case 1:
        node.inputs.push_back(Text(in));
        break;
      case 2:
        node.outputs.push_back(Text(in));
        break;
      case 4:
        node.op = Text(in);
        break;
      case 5:
        ReadAttribute(Message(in), node, value);
        break;
      default:
        in.skip();
    }
  }
  return node;
}

void ReadShape(Reader in, ReadValue& value) {
  while (in.next(1)) {
    Reader dim = Message(in);
    std::string size;
    while (dim.next()) {
      if (dim.tag() == 1) {
        size = std::to_string(Whole(dim));
      } else if (dim.tag() == 2) {
        size = Text(dim);
      } else {
        dim.skip();
      }
    }
    value.dims.push_back(size);
  }
}

void ReadType(Reader in, ReadValue& value) {
  while (in.next(1)) {
    Reader tensor = Message(in);
    while (tensor.next()) {
      if (tensor.tag() == 1) {
        value.type = Small(tensor);
      } else if (tensor.tag() == 2) {
        ReadShape(Message(tensor), value);
      } else {
        tensor.skip();
      }
    }
  }
}

ReadValue ReadValueInfo(Reader in, std::string& name) {
  ReadValue value;
  while (in.next()) {
    if (in.tag() == 1) {
      name = Text(in);
    } else if (in.tag() == 2) {
      ReadType(Message(in), value);
    } else {
      in.skip();
    }
  }
  return value;
}

template <typename Value>
void Keep(std::map<std::string, Value>& all, const std::string& name,
          Value value) {
  if (!all.emplace(name, std::move(value)).second) {
    throw Malformed{"two values are called '" + name + "'"};
  }
}

void ReadNodeInto(Reader in, ReadModel& model) {
  ReadTensor value;
  ReadNode node = ReadNodeProto(in, value);
  if (node.op == "Constant" && value.type != 0 && node.outputs.size() == 1) {
    Keep(model.constants, node.outputs[0], std::move(value));
  } else {
    model.nodes.push_back(std::move(node));
  }
}

void ReadGraph(Reader in, ReadModel& model) {
  while (in.next()) {
    std::string name;
    switch (in.tag()) {
      case 1:
        ReadNodeInto(Message(in), model);
        break;
      case 2:
        model.graph_name = Text(in);
        break;
      case 5: {
        ReadTensor tensor = ReadTensorProto(Message(in), name);
        Keep(model.constants, name, std::move(tensor));
        break;
      }
      case 11: {
        ReadValue value = ReadValueInfo(Message(in), name);
        Keep(model.inputs, name, std::move(value));
        break;
      }
      case 12: {
        ReadValue value = ReadValueInfo(Message(in), name);
        Keep(model.outputs, name, std::move(value));
        break;
      }
      case 15:
        throw Malformed{"it holds sparse constants, which hone does not read"};
      default:
        in.skip();
    }
  }
}

// Key and value of a message of two fields (metadata, opsets).
template <typename Value, typename Get>
void ReadEntry(Reader in, std::map<std::string, Value>& out, Get get) {
  std::string key;
  Value value{};
  while (in.next()) {
    if (in.tag() == 1) {
      key = Text(in);
    } else if (in.tag() == 2) {
      value = get(in);
    } else {
      in.skip();
    }
  }
  out[key] = std::move(value);
}

ReadModel ReadModelProto(std::string_view bytes) {
  ReadModel model;
  Reader in(bytes.data(), bytes.size());
  while (in.next()) {
    switch (in.tag()) {
      case 1:
        model.ir_version = Whole(in);
        break;
      case 2:
        model.producer = Text(in);
        break;
      case 7:
        ReadGraph(Message(in), model);
        break;
      case 8:
        ReadEntry(Message(in), model.opsets, Whole);
        break;
      case 14:
        ReadEntry(Message(in), model.metadata, Text);
        break;
      default:
        in.skip();
    }
  }
  if (model.opsets.empty()) throw Malformed{"it names no opset"};
  return model;
}

void CheckOrder(const ReadModel& model) {
  std::set<std::string> made = {""};
  for (const auto& [name, value] : model.inputs) made.insert(name);
  for (const auto& [name, tensor] : model.constants) made.insert(name);
  for (const ReadNode& node : model.nodes) {
    for (const std::string& input : node.inputs) {
      if (made.contains(input)) continue;
      throw Malformed{"a node " + node.op + " reads '" + input +
                      "', which nothing before it makes"};
    }
    if (node.outputs.empty()) {
      throw Malformed{"a node " + node.op + " makes nothing"};
    }
    for (const std::string& output : node.outputs) {
      if (output.empty() || made.insert(output).second) continue;
      throw Malformed{"two values are called '" + output + "'"};
    }
  }
  for (const auto& [name, value] : model.outputs) {
    if (made.contains(name)) continue;
    throw Malformed{"nothing makes the output '" + name + "'"};
  }
}

}  // namespace

std::int64_t ReadModel::CountOps(const std::string& op) const {
  std::int64_t count = 0;
  for (const ReadNode& node : nodes) count += node.op == op;
  return count;
}

ReadModel ReadOnnx(std::string_view bytes, const std::string& where) {
  std::string what;
  try {
    ReadModel model = ReadModelProto(bytes);
    CheckOrder(model);
    return model;
  } catch (const Malformed& malformed) {
    what = malformed.what;
  } catch (const protozero::exception& exception) {
    what = std::string("it is cut short or no ONNX file (") + exception.what() +
           ")";
  }
  throw Error(ErrorCode::kIntegrity, where + ": damaged: " + what);
}

std::string OnnxTypeName(std::int32_t type) {
  HONE_CHECK(FindType(type) != nullptr);
  return FindType(type)->name;
}

std::int64_t OnnxTypeBits(std::int32_t type) {
  HONE_CHECK(FindType(type) != nullptr);
  return FindType(type)->bits;
}

}  // namespace hone
