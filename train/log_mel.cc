#include "train/log_mel.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/hann_window.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/std.h>
#include <ATen/ops/stft.h>
#include <ATen/ops/tensor.h>

#include "space/base/error.h"
#include "train/torch_boundary.h"

namespace hone {
namespace {

constexpr double kLowest = 60;  // Hz

double MelOf(double hertz) { return 2595 * std::log10(1 + hertz / 700); }
double HertzOf(double mel) { return 700 * (std::pow(10, mel / 2595) - 1); }

// [bands, bins]: how much each bin of the spectrum counts in each band.
at::Tensor Filters(std::int64_t bands, std::int64_t size, double rate) {
  const double low = MelOf(kLowest);
  const double step = (MelOf(rate / 2) - low) / static_cast<double>(bands + 1);
  std::vector<float> values;
  for (std::int64_t band = 0; band < bands; ++band) {
    const double left = HertzOf(low + step * static_cast<double>(band));
    const double peak = HertzOf(low + step * static_cast<double>(band + 1));
    const double right = HertzOf(low + step * static_cast<double>(band + 2));
    for (std::int64_t bin = 0; bin <= size / 2; ++bin) {
      const double hertz =
          static_cast<double>(bin) * rate / static_cast<double>(size);
      const double rise = (hertz - left) / (peak - left);
      const double fall = (right - hertz) / (right - peak);
      values.push_back(static_cast<float>(std::max(0., std::min(rise, fall))));
    }
  }
  return at::tensor(values).view({bands, size / 2 + 1});
}

}  // namespace

std::vector<float> LogMel(const std::vector<float>& samples, std::int64_t rate,
                          std::int64_t bands) {
  return AtTorchBoundary("a spectrogram", [&] {
    const at::NoGradGuard no_grad;
    const auto size = static_cast<std::int64_t>(
        std::bit_floor(static_cast<std::uint64_t>(rate / 20)));
    const std::int64_t hop = rate / 40;
    HONE_CHECK_LE(size, static_cast<std::int64_t>(samples.size()));
    const at::Tensor spectrum =
        at::stft(at::tensor(samples), size, hop, size, at::hann_window(size),
                 /*center=*/false, "reflect", /*normalized=*/false,
                 /*onesided=*/true, /*return_complex=*/true);
    const at::Tensor energies_MT =
        at::matmul(Filters(bands, size, static_cast<double>(rate)),
                   spectrum.abs().square());
    at::Tensor log_TM = energies_MT.add(1e-6).log().t().contiguous();
    log_TM = log_TM.sub(log_TM.mean()).div(log_TM.std().clamp_min(1e-6));
    const float* values = log_TM.const_data_ptr<float>();
    return std::vector<float>(values, values + log_TM.numel());
  });
}

}  // namespace hone
