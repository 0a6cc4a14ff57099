#include "space/base/rng.h"

#include <bit>
#include <cmath>
#include <string>

#include "space/base/hash.h"

namespace hone {

std::uint64_t StreamSeed(std::uint64_t study_seed, std::int64_t number,
                         std::string_view purpose) {
  const std::string hex =
      Sha256("hone-stream\n" + std::to_string(study_seed) + "\n" +
             std::to_string(number) + "\n" + std::string(purpose));
  std::uint64_t seed = 0;
  for (int byte = 7; byte >= 0; --byte) {
    seed = seed << 8 | std::stoul(hex.substr(2 * byte, 2), nullptr, 16);
  }
  return seed;
}

Rng::Rng(std::uint64_t seed) {
  for (std::uint64_t& word : state_) {  // SplitMix64
    seed += 0x9e3779b97f4a7c15;
    std::uint64_t z = seed;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    word = z ^ (z >> 31);
  }
}

std::uint64_t Rng::Next() {
  const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
  const std::uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

double Rng::Uniform() { return static_cast<double>(Next() >> 11) * 0x1p-53; }

std::uint64_t Rng::Below(std::uint64_t bound) {
  HONE_CHECK_LE(1u, bound);
  __extension__ using Wide = unsigned __int128;
  Wide product = static_cast<Wide>(Next()) * bound;
  if (static_cast<std::uint64_t>(product) < bound) {
    const std::uint64_t threshold = -bound % bound;
    while (static_cast<std::uint64_t>(product) < threshold) {
      product = static_cast<Wide>(Next()) * bound;
    }
  }
  return static_cast<std::uint64_t>(product >> 64);
}

double Rng::Normal() {
  while (true) {
    const double u = 2 * Uniform() - 1;
    const double v = 2 * Uniform() - 1;
    const double s = u * u + v * v;
    if (s > 0 && s < 1) return u * std::sqrt(-2 * std::log(s) / s);
  }
}

}  // namespace hone
