#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "eval/export/onnx_reader.h"

namespace hone {

// What an exported file stores for each of its matrix products, read from the
// file alone.

// The weights of one product: the constants that a chain of nodes turns into
// its operand.
struct StoredWeight {
  std::string label;               // "f32", "w8a8", "w4", "w4 table"
  std::string type;                // of the stored codes: "i4", "u8", "f32"
  std::vector<std::int64_t> dims;  // of the operand; empty if not known
  double bits = 0;                 // of codes for each weight
  std::int64_t bytes = 0;          // codes, scales, zero points, tables
  bool low_bit = false;            // codes are integers
  std::size_t operand = 1;         // which one of the product's
  // Nodes between the constants and the product: what they do and what the
  // values that they make are called.
  std::vector<std::string> chain;
  std::vector<std::string> values;
};

struct StoredProduct {
  // "encoder.0.attention.query"; of a product without weights the part of the
  // network that it stands in, and its value: "encoder.0.attention (MatMul_7)".
  std::string layer;
  std::string value;        // what the product makes
  std::string activations;  // "f32", or "u8" where the file quantizes them
  std::optional<StoredWeight> weight;
  // `value`, and what it becomes while nobody else reads it: an engine names a
  // kernel after any of them.
  std::vector<std::string> values;
  // Known once the shapes of the inputs are: a mask made of products.
  bool of_shapes = false;
};

// Bytes of a file by what they are for: "tables" (looked up by tokens or
// places, shared with products or not), "linears" (weights and biases of
// products), "rest" (norms, masks and the graph itself), and how they are
// stored.
struct StoredBytes {
  std::string what;
  std::string label;
  std::int64_t bytes = 0;
  bool operator==(const StoredBytes&) const = default;
};

struct StoredModel {
  std::vector<StoredProduct> products;  // in the order of the file
  std::vector<StoredBytes> bytes;       // they add up to the file
};

// Labels: the element type of float weights; wN for codes of N bits, followed
// by aM where the file also quantizes the other operand to M bits, and by
// "table" where the codes are looked up in a table. Codes are those constants
// with more than a sixteenth as many elements as the product has weights.
StoredModel ReadStored(const ReadModel& model, std::int64_t file_bytes);

}  // namespace hone
