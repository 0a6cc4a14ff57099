#include "space/base/tensor_data.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "space/base/error.h"
#include "space/base/file.h"
#include "space/base/half.h"
#include "space/base/json.h"

namespace hone {
namespace {

static_assert(std::endian::native == std::endian::little);

struct DTypeName {
  DType dtype;
  const char* name;
  std::size_t bytes;
};
constexpr DTypeName kDTypes[] = {{DType::kF32, "F32", 4},
                                 {DType::kI64, "I64", 8},
                                 {DType::kI32, "I32", 4},
                                 {DType::kI8, "I8", 1},
                                 {DType::kU8, "U8", 1}};
// What is read as f32, and by which rule.
struct HalfFormat {
  const char* name;
  float (*widen)(std::uint16_t);
};
constexpr HalfFormat kHalfFormats[] = {{"F16", FromF16}, {"BF16", FromBf16}};
constexpr std::uint64_t kMaxHeader = 100'000'000;

const DTypeName& Info(DType dtype) {
  for (const DTypeName& info : kDTypes) {
    if (info.dtype == dtype) return info;
  }
  throw Error(ErrorCode::kInternal, "unknown dtype");
}

// The format of that name in `table`, or null.
template <typename Format, std::size_t N>
const Format* FindFormat(const Format (&table)[N], const std::string& name) {
  const auto* found =
      std::find_if(std::begin(table), std::end(table),
                   [&](const Format& format) { return format.name == name; });
  return found == std::end(table) ? nullptr : found;
}

std::vector<std::byte> Widened(const std::vector<std::byte>& halves,
                               const HalfFormat& format) {
  std::vector<std::byte> bytes(halves.size() / 2 * sizeof(float));
  for (std::size_t i = 0; i < halves.size() / 2; ++i) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, halves.data() + 2 * i, 2);
    const float value = format.widen(bits);
    std::memcpy(bytes.data() + i * sizeof(float), &value, sizeof(float));
  }
  return bytes;
}

// Refuses a file with the reason; every defect ends here.
class Reader {
 public:
  // `bytes` must outlive the reader.
  Reader(const std::filesystem::path& path, std::string_view bytes)
      : where_(path.string()), bytes_(bytes) {}

  SafeTensors Read() {
    const Json header = Header();
    SafeTensors content;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> spans;
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") {
        content.metadata = Metadata(entry);
      } else {
        content.tensors[name] = Tensor(name, entry, spans);
      }
    }
    CheckTiling(spans);
    return content;
  }

 private:
  [[noreturn]] void Refuse(const std::string& defect) const {
    throw Error(ErrorCode::kIntegrity,
                where_ + ": not a sound safetensors file: " + defect);
  }

  Json Header() {
    if (bytes_.size() < 8) Refuse("shorter than its 8-byte length");
    std::uint64_t size = 0;
    std::memcpy(&size, bytes_.data(), 8);
    if (size > kMaxHeader || size > bytes_.size() - 8) {
      Refuse("a header of " + std::to_string(size) + " bytes in a file of " +
             std::to_string(bytes_.size()));
    }
    buffer_ = 8 + size;
    if (size == 0 || bytes_[8] != '{') Refuse("the header is no JSON object");
    try {
      return ParseJson(bytes_.substr(8, size), where_);
    } catch (const Error& error) {
      Refuse(error.what());
    }
  }

  std::map<std::string, std::string> Metadata(const Json& entry) const {
    std::map<std::string, std::string> metadata;
    if (!entry.is_object()) Refuse("__metadata__ is no object");
    for (const auto& [key, value] : entry.items()) {
      if (!value.is_string()) Refuse("__metadata__." + key + " is no string");
      metadata[key] = value.get<std::string>();
    }
    return metadata;
  }

  static bool IsCount(const Json& value) { return value.is_number_unsigned(); }

  TensorData Tensor(
      const std::string& name, const Json& entry,
      std::vector<std::pair<std::uint64_t, std::uint64_t>>& spans) const {
    if (!entry.is_object() || entry.size() != 3 || !entry.contains("dtype") ||
        !entry.contains("shape") || !entry.contains("data_offsets") ||
        !entry["dtype"].is_string() || !entry["shape"].is_array() ||
        !entry["data_offsets"].is_array() ||
        entry["data_offsets"].size() != 2) {
      Refuse("tensor " + name + " is malformed");
    }
    TensorData tensor;
    const auto dtype = entry["dtype"].get<std::string>();
    const DTypeName* info = FindFormat(kDTypes, dtype);
    const HalfFormat* half = FindFormat(kHalfFormats, dtype);
    if (info == nullptr && half == nullptr) {
      Refuse("tensor " + name + " has the unsupported dtype " + dtype);
    }
    tensor.dtype = half ? DType::kF32 : info->dtype;
    std::uint64_t size = half ? 2 : info->bytes;
    for (const Json& dimension : entry["shape"]) {
      if (!IsCount(dimension)) Refuse("tensor " + name + " has a bad shape");
      const auto extent = dimension.get<std::uint64_t>();
      if (extent > 0 && size > bytes_.size() / extent) {
        Refuse("tensor " + name + " is larger than the file");
      }
      size *= extent;
      tensor.shape.push_back(static_cast<std::int64_t>(extent));
    }
    const Json& offsets = entry["data_offsets"];
    if (!IsCount(offsets[0]) || !IsCount(offsets[1])) {
      Refuse("tensor " + name + " has bad offsets");
    }
    const auto begin = offsets[0].get<std::uint64_t>();
    const auto end = offsets[1].get<std::uint64_t>();
    if (begin > end || end > bytes_.size() - buffer_ || end - begin != size) {
      Refuse("tensor " + name + " has offsets that do not match its shape");
    }
    spans.emplace_back(begin, end);
    tensor.bytes.resize(size);
    if (size > 0) {
      std::memcpy(tensor.bytes.data(), bytes_.data() + buffer_ + begin, size);
    }
    if (half) tensor.bytes = Widened(tensor.bytes, *half);
    return tensor;
  }

  void CheckTiling(
      std::vector<std::pair<std::uint64_t, std::uint64_t>>& spans) const {
    std::sort(spans.begin(), spans.end());
    std::uint64_t at = 0;
    for (const auto& [begin, end] : spans) {
      if (begin != at) Refuse("its tensors overlap or leave a gap");
      at = end;
    }
    if (at != bytes_.size() - buffer_) {
      Refuse("its tensors do not fill the buffer");
    }
  }

  std::string where_;
  std::string_view bytes_;
  std::uint64_t buffer_ = 0;
};

}  // namespace

std::size_t BytesOf(DType dtype) { return Info(dtype).bytes; }

TensorData TensorData::FromFloats(std::vector<std::int64_t> shape,
                                  const std::vector<float>& values) {
  TensorData tensor;
  tensor.shape = std::move(shape);
  HONE_CHECK_EQ(tensor.elements(), static_cast<std::int64_t>(values.size()));
  tensor.bytes.resize(values.size() * sizeof(float));
  if (!values.empty()) {
    std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
  }
  return tensor;
}

std::int64_t TensorData::elements() const {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  return count;
}

SafeTensors ReadSafeTensors(const std::filesystem::path& path) {
  const std::string bytes = ReadFile(path);
  return Reader(path, bytes).Read();
}

std::string SerializeSafeTensors(const SafeTensors& content) {
  // Widest elements first, so that every tensor is aligned; then by name.
  std::vector<std::pair<std::string, const TensorData*>> order;
  for (const auto& [name, tensor] : content.tensors) {
    order.emplace_back(name, &tensor);
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) {
                     return BytesOf(a.second->dtype) > BytesOf(b.second->dtype);
                   });
  Json header = Json::object();
  if (!content.metadata.empty()) header["__metadata__"] = content.metadata;
  std::uint64_t at = 0;
  for (const auto& [name, tensor] : order) {
    const std::uint64_t end = at + tensor->bytes.size();
    header[name] = {{"dtype", Info(tensor->dtype).name},
                    {"shape", tensor->shape},
                    {"data_offsets", {at, end}}};
    at = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  const std::uint64_t size = text.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &size, 8);
  bytes += text;
  bytes.reserve(bytes.size() + at);
  for (const auto& [name, tensor] : order) {
    bytes.append(reinterpret_cast<const char*>(tensor->bytes.data()),
                 tensor->bytes.size());
  }
  return bytes;
}

void WriteSafeTensors(const std::filesystem::path& path,
                      const SafeTensors& content) {
  WriteFileAtomic(path, SerializeSafeTensors(content));
}

}  // namespace hone
