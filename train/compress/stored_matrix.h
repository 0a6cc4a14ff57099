#pragma once

#include <string>
#include <vector>

#include "space/base/tensor_data.h"
#include "space/network/network_ops.h"
#include "train/compress/calibrate.h"
#include "train/compress/matrix_quantization.h"

namespace hone {

// A tensor of these values. Requires: T has the size of dtype's elements.
template <typename T>
TensorData Stored(DType dtype, std::vector<std::int64_t> shape,
                  const std::vector<T>& values) {
  const auto* bytes = reinterpret_cast<const std::byte*>(values.data());
  return {dtype, std::move(shape), {bytes, bytes + values.size() * sizeof(T)}};
}

std::vector<float> Floats(const NamedTensors& tensors, const std::string& name);

// A table as a matrix with an output for each row.
inline LinearSpec AsMatrix(const TableSpec& table) {
  return {table.dim, table.rows, table.precision};
}

// Writes a layer's codes, scales, zero points and levels as QuantizeNetwork
// lays them out.
void StoreMatrix(const std::string& name, const LinearSpec& spec,
                 const QuantizedMatrix& matrix, NamedTensors& tensors);
// Writes what a layer with 8-bit activations needs beside: the scale and zero
// point of its input, and its bias in units of the products.
void StoreInput(const std::string& name, const LinearSpec& spec,
                const ActivationQuantization& input,
                const std::vector<float>& bias, NamedTensors& tensors);

}  // namespace hone
