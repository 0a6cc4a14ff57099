#pragma once

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "eval/engine/engine.h"
#include "space/base/error.h"

namespace hone {

// The ONNX Runtime that the tests' packages hold.
inline OnnxRuntimeOptions TestedOnnxRuntime() {
  return {HONE_PYTHON, HONE_TEST_PYTHON};
}

// An engine by name; null where its packages are not installed.
inline std::unique_ptr<Engine> MakeTestedEngine(const std::string& name) {
  if (name == "openvino") return MakeOpenVinoEngine();
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
