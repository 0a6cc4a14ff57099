#include "space/precision.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "space/base/error.h"

namespace hone {
namespace {

constexpr std::int64_t kDefaultBlock = 32;

const std::vector<std::string>& LevelNames() {
  static const std::vector<std::string> names{"uniform", "asymmetric", "nf4",
                                              "kmeans",  "log2",       "apot"};
  return names;
}

[[noreturn]] void Refuse(std::string_view word, const std::string& what) {
  throw Error(ErrorCode::kUsage, "'" + std::string(word) + "': " + what);
}

std::int64_t DefaultBlock(const Precision& precision) {
  return precision.weight_bits >= 8 || precision.int8_activations
             ? Precision::kRow
             : kDefaultBlock;
}

std::int64_t ParseBlock(std::string_view text, std::string_view word) {
  if (text == "row") return Precision::kRow;
  if (text == "tensor") return Precision::kTensor;
  std::int64_t block = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), block);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || block < 16 || block > 1024 || (block & (block - 1)) != 0) {
    Refuse(word, "the block '" + std::string(text) +
                     "' is none of 16, 32, 64, 128, ..., row and tensor");
  }
  return block;
}

Levels ParseLevels(const std::string& text, std::string_view word) {
  const auto& names = LevelNames();
  const auto found = std::find(names.begin(), names.end(), text);
  if (found == names.end()) {
    Refuse(word, "unknown levels '" + text + "'" + DidYouMean(text, names));
  }
  return static_cast<Levels>(found - names.begin());
}

void CheckCombination(const Precision& precision, std::string_view word) {
  const bool table = precision.levels != Levels::kUniform &&
                     precision.levels != Levels::kAsymmetric;
  if (precision.levels == Levels::kKMeans
          ? precision.weight_bits != 4 && precision.weight_bits != 2
          : table && precision.weight_bits != 4) {
    Refuse(word,
           "such levels are for 4 bits" +
               std::string(precision.levels == Levels::kKMeans ? " or 2" : ""));
  }
  if (!precision.int8_activations) return;
  if (precision.levels == Levels::kAsymmetric) {
    Refuse(word,
           "integer products need weights without a zero point; leave out "
           "-asymmetric, or a8");
  }
  if (precision.block > 0) {
    Refuse(word,
           "integer products need one scale for each output; use :row or "
           ":tensor, or leave out a8");
  }
}

}  // namespace

bool Precision::StoresIntegers() const {
  if (levels != Levels::kUniform && levels != Levels::kAsymmetric) return false;
  return weight_bits == 8 || (weight_bits == 4 && !int8_activations);
}

std::string Name(const Precision& precision) {
  if (precision.IsFloat()) return "f32";
  std::string word = "w" + std::to_string(precision.weight_bits);
  if (precision.int8_activations) word += "a8";
  if (precision.levels != Levels::kUniform) {
    word += "-" + LevelNames()[static_cast<std::size_t>(precision.levels)];
  }
  if (precision.block == DefaultBlock(precision)) return word;
  if (precision.block == Precision::kRow) return word + ":row";
  if (precision.block == Precision::kTensor) return word + ":tensor";
  return word + ":" + std::to_string(precision.block);
}

Precision ParsePrecision(std::string_view word) {
  if (word == "f32") return Precision::kF32;
  Precision precision;
  std::string_view rest = word;
  const auto take = [&](std::string_view prefix) {
    if (!rest.starts_with(prefix)) return false;
    rest.remove_prefix(prefix.size());
    return true;
  };
  for (const std::int64_t bits : {8, 4, 3, 2}) {
    if (take("w" + std::to_string(bits))) {
      precision.weight_bits = bits;
      break;
    }
  }
  if (precision.IsFloat()) {
    throw Error(ErrorCode::kUsage,
                "unknown precision '" + std::string(word) + "'" +
                    DidYouMean(std::string(word),
                               {"f32", "w8a8", "w8", "w4", "w3", "w2"}));
  }
  precision.int8_activations = take("a8");
  if (take("-")) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    precision.levels = ParseLevels(std::string(rest.substr(0, end)), word);
    rest.remove_prefix(end);
  }
  precision.block = DefaultBlock(precision);
  if (take(":")) {
    precision.block = ParseBlock(rest, word);
    rest = {};
  }
  if (!rest.empty()) {
    Refuse(word, "'" + std::string(rest) + "' is too much; use " +
                     std::string(kPrecisionWords));
  }
  CheckCombination(precision, word);
  return precision;
}

bool IsForTables(const Precision& precision) {
  if (precision.IsFloat()) return true;
  return precision.levels == Levels::kUniform && !precision.int8_activations &&
         precision.block == Precision::kRow && precision.weight_bits != 3;
}

Precision ParseTablePrecision(std::string_view word) {
  const Precision precision = ParsePrecision(word);
  if (!IsForTables(precision)) {
    Refuse(word,
           "the rows of a table are read one by one, each with its own scale; "
           "use one of " +
               std::string(kTablePrecisionWords));
  }
  return precision;
}

std::int64_t BlockFor(const Precision& precision, std::int64_t in) {
  if (precision.block <= 0) return in;
  std::int64_t block = precision.block;
  while (block > 1 && in % block != 0) block /= 2;
  return block;
}

std::int64_t ScaleCount(const Precision& precision, std::int64_t out,
                        std::int64_t in) {
  if (precision.block == Precision::kTensor) return 1;
  return out * (in / BlockFor(precision, in));
}

std::int64_t CodeBytes(const Precision& precision, std::int64_t weights) {
  return (weights * precision.weight_bits + 7) / 8;
}

}  // namespace hone
