#include "experiments/tensorrt_export.h"

#include <optional>

#include "eval/export/onnx_export.h"
#include "eval/stages.h"
#include "experiments/study_files.h"
#include "space/base/error.h"
#include "space/block_layers.h"

namespace hone {
namespace {

StageResult StudentOf(const Trial& trial,
                      const std::filesystem::path& artifacts) {
  for (const Artifact& file : std::get<Measurement>(trial.outcome).artifacts) {
    if (file.role != kStudentFile) continue;
    return {CheckedPath(file, artifacts).parent_path(), {file}};
  }
  throw Error(ErrorCode::kNotFound, "trial " + std::to_string(trial.number) +
                                        " has no trained model: at fidelity '" +
                                        std::string(Name(trial.fidelity)) +
                                        "' nothing is trained");
}

}  // namespace

TensorRtExport ExportForTensorRt(const Trial& trial, const Workbench& workbench,
                                 const std::filesystem::path& artifacts,
                                 const std::string& precision) {
  TensorRtExport result{trial.architecture, {}};
  Architecture& architecture = result.architecture;
  if (!precision.empty()) {
    architecture = WithPrecision(WithoutPrecision(architecture),
                                 ParsePrecision(precision));
  }
  CheckServed(architecture, ExportTarget::kTensorRt);
  const StageResult student = StudentOf(trial, artifacts);
  const TrainedEvaluatorOptions options = workbench.StageOptions();
  const Stages stages(options, workbench.data());
  const Stages::OnProgress ignored = [](double) {};
  Stages::Sources sources;
  if (options.quantization.qat_steps > 0 &&
      options.quantization.qat_guide == "teacher") {
    sources.teacher_files = stages.TeacherFiles(ignored);
    sources.teacher = stages.LoadTeacher(sources.teacher_files);
  }
  const auto rounded =
      stages.Quantized({trial.number, architecture, trial.seed, trial.fidelity},
                       student, sources, ignored);
  if (const auto* failure = std::get_if<Failure>(&rounded)) {
    throw Error(ErrorCode::kUsage,
                "rounding " + failure->code + ": " + failure->reason);
  }
  const auto path = std::get<StageResult>(rounded).PathOf(kQuantizedFile);
  result.files = ExportOnnx(
      architecture, options.task, ReadSafeTensors(path).tensors,
      {{"architecture", CanonicalText(architecture)}}, ExportTarget::kTensorRt);
  return result;
}

}  // namespace hone
