#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hone {

// Where the values lie that a code of a weight can stand for, in units of the
// scale.
//   uniform     evenly, around zero
//   asymmetric  evenly, around a zero point of each block
//   nf4         quantiles of the normal distribution (Dettmers et al. 2023)
//   kmeans      where the matrix's own weights cluster (Lloyd 1982)
//   log2        powers of two
//   apot        sums of two powers of two (Li et al. 2020)
enum class Levels { kUniform, kAsymmetric, kNf4, kKMeans, kLog2, kApot };

// What a linear layer stores and computes with. Spelled as one word:
//   f32           float weights and activations
//   w8 w4 w3 w2   weights of so many bits, float activations
//   w8a8 w4a8 ... activations of 8 bits too: u8, asymmetric, one static
//                 calibrated scale a tensor; integer products
//   w4-nf4 ...    other levels than uniform ones
//   w4:64         64 inputs share one scale; ":row" all inputs of an output,
//                 ":tensor" all weights. Default: a row with 8 bits or 8-bit
//                 activations, else 32 inputs
struct Precision {
  static constexpr std::int64_t kRow = 0;
  static constexpr std::int64_t kTensor = -1;

  std::int64_t weight_bits = 32;  // 32: float
  bool int8_activations = false;
  Levels levels = Levels::kUniform;
  std::int64_t block = kRow;  // inputs that share a scale

  auto operator<=>(const Precision&) const = default;
  bool IsFloat() const { return weight_bits == 32; }
  // Whether weights are stored as their codes, which an engine multiplies, and
  // not as numbers of a table of levels.
  bool StoresIntegers() const;

  static const Precision kF32;
  static const Precision kW8A8;
  static const Precision kW4;
};
inline constexpr Precision Precision::kF32{};
inline constexpr Precision Precision::kW8A8{8, true};
inline constexpr Precision Precision::kW4{4, false, Levels::kUniform, 32};

// The word, without what is the default.
std::string Name(const Precision& precision);
// Throws Error{kUsage}: unknown words, and combinations that no engine has a
// kernel for: 8-bit activations need uniform levels or a table of them and one
// scale for each output or for all.
Precision ParsePrecision(std::string_view word);
// Whether a table whose rows are read one by one can be stored so: in float, or
// in uniform codes of 8, 4 or 2 bits with one scale for each row.
bool IsForTables(const Precision& precision);
inline constexpr char kTablePrecisionWords[] =
    "\"f32\", \"w8\", \"w4:row\", \"w2:row\"";
// A few words that ParsePrecision takes, for documents.
inline constexpr char kPrecisionWords[] =
    "\"f32\", \"w8a8\", \"w8\", \"w4\", \"w3\", \"w2\"; with 8-bit activations "
    "\"w4a8\"; other levels \"w4-asymmetric\", \"w4-nf4\", \"w4-kmeans\", "
    "\"w4-log2\", \"w4-apot\"; other blocks \"w4:64\", \"w4:row\", "
    "\"w4:tensor\"";

// As ParsePrecision, of those words alone.
Precision ParseTablePrecision(std::string_view word);

// How many of `in` inputs share one scale: all of them for kRow and kTensor,
// else the block, or the largest power of two below it that divides `in`.
std::int64_t BlockFor(const Precision& precision, std::int64_t in);
// How many scales a matrix has.
std::int64_t ScaleCount(const Precision& precision, std::int64_t out,
                        std::int64_t in);
// The bytes that codes of so many weights take in a file.
std::int64_t CodeBytes(const Precision& precision, std::int64_t weights);

}  // namespace hone
