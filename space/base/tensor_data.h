#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace hone {

enum class DType { kF32, kI64, kI32, kI8, kU8 };
std::size_t BytesOf(DType dtype);

// A dense row-major array in host memory: what is stored in files and handed
// between folders that do not share LibTorch.
struct TensorData {
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;

  static TensorData FromFloats(std::vector<std::int64_t> shape,
                               const std::vector<float>& values);
  std::int64_t elements() const;
  // Requires: dtype matches T.
  template <typename T>
  const T* data() const {
    return reinterpret_cast<const T*>(bytes.data());
  }
  template <typename T>
  T* data() {
    return reinterpret_cast<T*>(bytes.data());
  }
  bool operator==(const TensorData&) const = default;
};

using NamedTensors = std::map<std::string, TensorData>;

// safetensors (u64 header size, JSON header, one gap-free buffer), with string
// metadata. The file's bytes are a function of the content alone.
struct SafeTensors {
  NamedTensors tensors;
  std::map<std::string, std::string> metadata;
};

// Strict reader: header within 100 MB and the file, no duplicate keys, offsets
// that tile the buffer exactly, sizes that match shape x dtype. F16 and BF16
// become f32, which holds them exactly.
// Throws: Error{kIntegrity} naming file and defect, Error{kNotFound}.
SafeTensors ReadSafeTensors(const std::filesystem::path& path);
std::string SerializeSafeTensors(const SafeTensors& content);
void WriteSafeTensors(const std::filesystem::path& path,
                      const SafeTensors& content);

}  // namespace hone
