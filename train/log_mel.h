#pragma once

#include <cstdint>
#include <vector>

namespace hone {

// log(mel energy + 1e-6) of a sound, row major [T, bands], brought to mean 0
// and deviation 1 over the whole of it. Frames of 50 ms (a power of two
// samples), Hann window, one every 25 ms; triangular filters between 60 Hz and
// half the rate, evenly spaced by mel = 2595 log10(1 + f / 700) (O'Shaughnessy
// 1987), of height 1. Requires: at least one frame of samples.
std::vector<float> LogMel(const std::vector<float>& samples, std::int64_t rate,
                          std::int64_t bands);

}  // namespace hone
