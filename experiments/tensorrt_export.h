#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "experiments/build_study.h"
#include "search/trial.h"

namespace hone {

struct TensorRtExport {
  Architecture architecture;
  std::map<std::string, std::string> files;  // name -> bytes
};

// A trial's network spelled for TensorRT (docs/tensorrt.md): its trained
// student, rounded anew as the workbench's spec says, which must ask for
// symmetric activations; at the trial's precisions or, unless empty, with all
// layers of blocks at `precision` and everything else in f32. Rounding is a
// stage of the study's artifacts and made once. Requires: a trial that is
// complete. Throws Error{kUsage} as CheckServed (eval/export/onnx_export.h)
// does, Error{kNotFound} when nothing was trained, Error{kIntegrity} when the
// student does not match its hash.
TensorRtExport ExportForTensorRt(const Trial& trial, const Workbench& workbench,
                                 const std::filesystem::path& artifacts,
                                 const std::string& precision);

}  // namespace hone
