#include "experiments/tensorrt_export.h"

#include <optional>

#include "eval/export/onnx_export.h"
#include "eval/stages.h"
#include "space/base/error.h"
#include "space/base/hash.h"
#include "space/block_layers.h"

namespace hone {
namespace {

constexpr char kStudentFile[] = "student.safetensors";
constexpr char kQuantizedFile[] = "quantized.safetensors";

void CheckWord(const std::string& what, const Precision& precision,
               bool served) {
  if (served) return;
  throw Error(ErrorCode::kUsage,
              what + " is " + Name(precision) +
                  ", which has no spelling for TensorRT; --precision f32 and "
                  "--precision w8a8 round the trial's model to one that has");
}

void CheckServed(const Architecture& architecture) {
  CheckWord("the token table", architecture.stem.embedding,
            architecture.stem.embedding.IsFloat());
  for (const BlockSpec& block : AllBlocks(architecture)) {
    for (const auto& [role, precision] : PrecisionsOf(block)) {
      CheckWord("a layer", precision,
                precision.IsFloat() ||
                    (precision.weight_bits == 8 && precision.int8_activations));
    }
    if (block.products != AttentionProducts::kF32) {
      throw Error(ErrorCode::kUsage,
                  "products of attention in 8 bits have no spelling for "
                  "TensorRT; --precision computes them in f32");
    }
  }
}

// All linear layers at the precision, everything else in f32.
Architecture Rounded(Architecture architecture, const Precision& precision) {
  architecture = WithoutPrecision(std::move(architecture));
  for (auto* blocks : {&architecture.encoder, &architecture.decoder}) {
    for (BlockSpec& block : *blocks) block.precision = precision;
  }
  return architecture;
}

StageResult StudentOf(const Trial& trial,
                      const std::filesystem::path& artifacts) {
  for (const Artifact& file : std::get<Measurement>(trial.outcome).artifacts) {
    if (file.role != kStudentFile) continue;
    const std::filesystem::path path = artifacts / file.path;
    if (Sha256File(path) != file.sha256) {
      throw Error(ErrorCode::kIntegrity,
                  path.string() +
                      ": does not match the hash in the study; 'hone rerun' "
                      "makes it again");
    }
    return {path.parent_path(), {file}};
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
    architecture = Rounded(architecture, ParsePrecision(precision));
  }
  CheckServed(architecture);
  const StageResult student = StudentOf(trial, artifacts);
  const TrainedEvaluatorOptions options = workbench.StageOptions();
  const Stages stages(options, workbench.data());
  const Stages::OnProgress ignored = [](double) {};
  StageResult teacher_files;
  std::optional<Teacher> teacher;
  if (options.quantization.qat_steps > 0 &&
      options.quantization.qat_guide == "teacher") {
    teacher_files = stages.TeacherFiles(ignored);
    teacher = stages.LoadTeacher(teacher_files);
  }
  const auto rounded = stages.Quantized(architecture, student, trial.seed,
                                        teacher, teacher_files, ignored);
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
