#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "space/base/error.h"

namespace hone {

// A 64-bit seed for one labelled random stream. Streams with different
// (study seed, number, purpose) are independent; the same label always gives
// the same seed, on every machine. First 8 bytes of SHA-256, little endian, of
// "hone-stream\n<study_seed>\n<number>\n<purpose>".
std::uint64_t StreamSeed(std::uint64_t study_seed, std::int64_t number,
                         std::string_view purpose);

// xoshiro256++ (Blackman & Vigna 2019) seeded through SplitMix64. All draws are
// written here, so that sequences do not depend on the standard library.
class Rng {
 public:
  explicit Rng(std::uint64_t seed);
  // The stream of `purpose` for trial or suggestion `number`.
  Rng(std::uint64_t study_seed, std::int64_t number, std::string_view purpose)
      : Rng(StreamSeed(study_seed, number, purpose)) {}

  std::uint64_t Next();
  // Uniform in [0, 1), 53 bits.
  double Uniform();
  // Uniform in [0, bound), without modulo bias (Lemire 2019). bound >= 1.
  std::uint64_t Below(std::uint64_t bound);
  // Standard normal (Marsaglia polar method).
  double Normal();
  bool Bernoulli(double probability) { return Uniform() < probability; }

  template <typename T>
  const T& Pick(const std::vector<T>& choices) {
    HONE_CHECK(!choices.empty());
    return choices[Below(choices.size())];
  }

  // Fisher-Yates.
  template <typename T>
  void Shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i > 1; --i) {
      std::swap(items[i - 1], items[Below(i)]);
    }
  }

 private:
  std::array<std::uint64_t, 4> state_;
};

}  // namespace hone
