#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "eval/engine/engine.h"
#include "space/base/error.h"
#ifdef HONE_WITH_TORCH
#include "eval/libtorch_engine.h"
#endif

namespace hone {

// The ONNX Runtime that the tests' packages hold.
inline OnnxRuntimeOptions TestedOnnxRuntime() {
  return {HONE_PYTHON, HONE_TEST_PYTHON};
}

// The names of all engines that this build has.
inline std::vector<std::string> TestedEngines() {
#ifdef HONE_WITH_TORCH
  return {"openvino", "onnxruntime", "libtorch"};
#else
  return {"openvino", "onnxruntime"};
#endif
}

// An engine by name; null where its packages are not installed.
inline std::unique_ptr<Engine> MakeTestedEngine(const std::string& name) {
  if (name == "openvino") return MakeOpenVinoEngine();
#ifdef HONE_WITH_TORCH
  if (name == "libtorch") return MakeLibTorchEngine();
#endif
  try {
    return MakeOnnxRuntimeEngine(TestedOnnxRuntime());
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound) << error.what();
    return nullptr;
  }
}

inline constexpr char kNoOnnxRuntime[] =
    "onnxruntime is not installed; scripts/setup --tests installs it";

}  // namespace hone
