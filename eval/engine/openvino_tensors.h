#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "eval/engine/openvino_common.h"

namespace hone {

// f32 tensors of the engine as arrays: what the memory of a decoder needs.

inline std::int64_t Axis(const ov::Tensor& tensor, std::size_t axis) {
  return static_cast<std::int64_t>(tensor.get_shape()[axis]);
}

inline ov::Tensor NewTensor(const ov::Shape& shape) {
  ov::Tensor tensor(ov::element::f32, shape);
  if (tensor.get_size() > 0) {
    std::memset(tensor.data(), 0, tensor.get_byte_size());
  }
  return tensor;
}

// Rows of the first axis, in this order.
inline ov::Tensor RowsOf(const ov::Tensor& tensor,
                         const std::vector<std::int64_t>& rows) {
  ov::Shape shape = tensor.get_shape();
  const std::size_t bytes =
      shape[0] == 0 ? 0 : tensor.get_byte_size() / shape[0];
  shape[0] = rows.size();
  ov::Tensor chosen(ov::element::f32, shape);
  if (bytes == 0) return chosen;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::memcpy(static_cast<char*>(chosen.data()) + i * bytes,
                static_cast<const char*>(tensor.data()) +
                    static_cast<std::size_t>(rows[i]) * bytes,
                bytes);
  }
  return chosen;
}

// [A,...,N,E] seen as pieces of N rows of E numbers: cuts or zero-pads each
// piece to `size` rows. `pieces`: how many parts the axis before the last is
// made of, each of which is resized by itself.
inline ov::Tensor Resized(const ov::Tensor& tensor, std::size_t size,
                          std::size_t pieces) {
  ov::Shape shape = tensor.get_shape();
  const std::size_t columns = shape.back() * sizeof(float);
  std::size_t& axis = shape[shape.size() - 2];
  const std::size_t own = axis / pieces;
  if (own == size) return tensor;
  axis = size * pieces;
  ov::Tensor resized = NewTensor(shape);
  if (resized.get_size() == 0 || own == 0) return resized;
  const std::size_t count = tensor.get_byte_size() / (own * columns);
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(static_cast<char*>(resized.data()) + i * size * columns,
                static_cast<const char*>(tensor.data()) + i * own * columns,
                std::min(own, size) * columns);
  }
  return resized;
}

// Without the first `count` slots. Shapes: [B,K,S,E] -> [B,K,S-count,E].
inline ov::Tensor CutFront(const ov::Tensor& tensor, std::size_t count) {
  ov::Shape begin(tensor.get_shape().size(), 0);
  begin[2] = count;
  const ov::Tensor rest(tensor, begin, tensor.get_shape());
  ov::Tensor cut = NewTensor(rest.get_shape());
  rest.copy_to(cut);
  return cut;
}

inline ov::Tensor Joined(const ov::Tensor& a, const ov::Tensor& b) {
  ov::Shape shape = a.get_shape();
  shape[0] += b.get_shape()[0];
  ov::Tensor joined(ov::element::f32, shape);
  std::memcpy(joined.data(), a.data(), a.get_byte_size());
  std::memcpy(static_cast<char*>(joined.data()) + a.get_byte_size(), b.data(),
              b.get_byte_size());
  return joined;
}

}  // namespace hone
