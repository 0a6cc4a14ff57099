#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <string>

#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "eval/engine/cpu.h"
#include "eval/torch_int8_linear.h"
#include "space/base/rng.h"

namespace hone {
namespace {

constexpr std::int64_t kRows = 8;
constexpr std::int64_t kIn = 128;
constexpr std::int64_t kOut = 64;

// Root mean square error of oneDNN's u8 x s8 product over that of the sums,
// against loops, with weights of both signs up to +-limit.
double ProductError(int limit) {
  Rng rng(3, 0, "saturation");
  std::vector<std::uint8_t> x;
  std::vector<std::int8_t> w;
  for (std::int64_t i = 0; i < kRows * kIn; ++i) {
    x.push_back(static_cast<std::uint8_t>(rng.Below(256)));
  }
  for (std::int64_t i = 0; i < kOut * kIn; ++i) {
    const auto draw = static_cast<int>(rng.Below(2 * limit + 1));
    w.push_back(static_cast<std::int8_t>(draw - limit));
  }
  const TorchInt8Linear linear(at::tensor(w, at::kChar).view({kOut, kIn}),
                               at::full({kOut}, 1.0f), at::zeros({kOut}), 1, 0);
  const at::Tensor y = linear.Run(at::tensor(x, at::kByte).view({kRows, kIn}));
  double error = 0;
  double power = 0;
  for (std::int64_t row = 0; row < kRows; ++row) {
    for (std::int64_t o = 0; o < kOut; ++o) {
      std::int64_t sum = 0;
      for (std::int64_t i = 0; i < kIn; ++i) {
        sum += std::int64_t{x[static_cast<std::size_t>(row * kIn + i)]} *
               w[static_cast<std::size_t>(o * kIn + i)];
      }
      const double off =
          y.const_data_ptr<float>()[row * kOut + o] - static_cast<double>(sum);
      error += off * off;
      power += static_cast<double>(sum) * static_cast<double>(sum);
    }
  }
  return std::sqrt(error / power);
}

// Run by the test below in a process of its own, since oneDNN reads the
// variable once.
TEST(Saturation, DISABLED_Child) {
  std::cout << "errors " << ProductError(127) << " " << ProductError(63)
            << std::endl;
}

struct Errors {
  double full = -1;
  double reduced = -1;
};

Errors ErrorsUnder(const std::string& isa) {
  const std::string program =
      std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string command = "ONEDNN_MAX_CPU_ISA=" + isa + " '" + program +
                              "' --gtest_also_run_disabled_tests "
                              "--gtest_filter=Saturation.DISABLED_Child 2>&1";
  Errors errors;
  FILE* output = popen(command.c_str(), "r");
  if (output == nullptr) return errors;
  std::array<char, 4096> line{};
  while (std::fgets(line.data(), line.size(), output) != nullptr) {
    std::sscanf(line.data(), "errors %lf %lf", &errors.full, &errors.reduced);
  }
  pclose(output);
  return errors;
}

bool HasFlag(const std::string& flag) {
  const auto facts = DescribeCpu();
  const auto isa = facts.find("isa");
  return isa != facts.end() &&
         (" " + isa->second + " ").find(" " + flag + " ") != std::string::npos;
}

// Without VNNI pairs of products are added in 16 bits, where 2 x 255 x 127 does
// not fit and 2 x 255 x 63 does.
TEST(Saturation, IsWhatSevenBitWeightsAvoid) {
  const bool wide = HasFlag("avx512f");
  if (!wide && !HasFlag("avx2")) {
    GTEST_SKIP() << "the CPU has neither AVX512 nor AVX2";
  }
  const Errors errors = ErrorsUnder(wide ? "AVX512_CORE" : "AVX2");
  ASSERT_GE(errors.full, 0) << "the child did not answer";
  RecordProperty("full_range", std::to_string(errors.full));
  std::cout << "error with 8-bit weights " << errors.full << ", with 7-bit "
            << errors.reduced << std::endl;
  EXPECT_GT(errors.full, 0.01);
  EXPECT_LT(errors.reduced, 1e-6);
}

TEST(Saturation, IsNotThereWithVnni) {
  if (!HasFlag("avx512_vnni") && !HasFlag("avx_vnni")) {
    GTEST_SKIP() << "the CPU has no VNNI";
  }
  EXPECT_LT(ProductError(127), 1e-6);
}

}  // namespace
}  // namespace hone
