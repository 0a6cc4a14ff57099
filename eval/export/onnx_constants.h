#pragma once

#include <bit>
#include <cstring>
#include <string>
#include <vector>

#include "eval/export/onnx_writer.h"
#include "space/base/tensor_data.h"

namespace hone {

// Constants and attributes of a graph, for the parts of OnnxOps.

static_assert(std::endian::native == std::endian::little,
              "raw_data is little endian");

inline OnnxType TypeOf(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return OnnxType::kFloat;
    case DType::kI64:
      return OnnxType::kInt64;
    case DType::kI32:
      return OnnxType::kInt32;
    case DType::kI8:
      return OnnxType::kInt8;
    case DType::kU8:
      return OnnxType::kUint8;
  }
  return OnnxType::kFloat;
}

template <typename T>
OnnxTensor Tensor(OnnxType type, const std::vector<std::int64_t>& shape,
                  const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return {type, shape, std::move(bytes)};
}

template <typename T>
std::vector<T> Transposed(const T* values, std::int64_t rows,
                          std::int64_t columns) {
  std::vector<T> out(static_cast<std::size_t>(rows * columns));
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) {
      out[static_cast<std::size_t>(j * rows + i)] = values[i * columns + j];
    }
  }
  return out;
}

inline OnnxAttributes Permutation(std::vector<std::int64_t> axes) {
  return {{"perm", std::move(axes)}};
}

inline OnnxAttributes CastTo(OnnxType type) {
  return {{"to", static_cast<std::int64_t>(type)}};
}

inline std::string ShapeText(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const std::int64_t size : shape) {
    if (text.size() > 1) text += ",";
    text += std::to_string(size);
  }
  return text + "]";
}

}  // namespace hone
