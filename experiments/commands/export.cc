#include <algorithm>

#include "eval/faster_layers.h"
#include "experiments/commands/commands.h"
#include "experiments/model_folder.h"
#include "experiments/study_files.h"
#include "experiments/study_view.h"
#include "experiments/tensorrt_export.h"
#include "space/base/error.h"
#include "space/base/file.h"
#include "space/base/hash.h"

namespace hone {
namespace {

const Measurement& CompleteMeasurement(const Trial& trial) {
  if (const auto* failure = std::get_if<Failure>(&trial.outcome)) {
    throw Error(ErrorCode::kNotFound,
                "trial " + std::to_string(trial.number) +
                    " failed and has no model: " + failure->reason);
  }
  return std::get<Measurement>(trial.outcome);
}

std::string NextSteps(const ModelCard& card, const std::string& folder) {
  const std::string& kind = card.task.kind;
  std::string steps = "Next: hone eval " + folder;
  if (kind == "text-classification" || kind == "sequence-classification") {
    steps += "; hone classify " + folder + " TEXT";
  } else if (kind == "language-model") {
    steps += "; hone generate " + folder + " --prompt TEXT";
  } else if (kind == "translation") {
    steps += "; hone translate " + folder + " TEXT";
  }
  return steps + "\n";
}

bool ForTensorRt(const Arguments& arguments) {
  const std::string target = arguments.Text("target", "onnx");
  if (target != "onnx" && target != "tensorrt") {
    throw Error(ErrorCode::kUsage,
                "hone export: unknown target '" + target + "'" +
                    DidYouMean(target, {"onnx", "tensorrt"}));
  }
  if (arguments.Has("precision") && target == "onnx") {
    throw Error(ErrorCode::kUsage,
                "hone export: --precision is for --target tensorrt; 'hone "
                "compress' rounds a model anew and measures it");
  }
  return target == "tensorrt";
}

// Writes files, vocabulary and card, and says what to do with them.
void WriteFolder(const std::filesystem::path& folder,
                 std::map<std::string, std::string> files, ModelCard card,
                 const std::string& vocabulary, std::ostream& err) {
  if (!vocabulary.empty()) files[kVocabularyFile] = vocabulary;
  MakeParentFolder(folder / kCardFile);
  std::string names;
  for (const auto& [name, bytes] : files) {
    card.sha256[name] = Sha256(bytes);
    WriteFileAtomic(folder / name, bytes);
    names += name + ", ";
  }
  // Last, so that a folder with a card is whole.
  WriteFileAtomic(folder / kCardFile, ToJson(card).dump(2) + "\n");
  err << "Wrote " << folder.string() << ": " << names << kCardFile << "\n"
      << NextSteps(card, folder.string());
}

int RunExport(const Arguments& arguments, const CommandContext& context) {
  const std::filesystem::path path = arguments.positionals[0];
  const std::int64_t number = arguments.PositionalInteger(1, "N");
  if (!arguments.Has("out")) {
    throw Error(ErrorCode::kUsage,
                "hone export: needs --out DIR, the folder to write");
  }
  const StudyView study = ReadStudy(path);
  const Trial& trial = TrialNumbered(study, number);
  CompleteMeasurement(trial);
  const std::filesystem::path artifacts = ArtifactsPath(path);
  SearchSpec spec = SpecFromJson(study.info.spec);
  const bool for_tensorrt = ForTensorRt(arguments);
  if (for_tensorrt) {
    spec.quantization.symmetric_activations = true;
    // Its sums have 32 bits.
    spec.quantization.reduce_range = false;
  }
  const Workbench workbench(spec, artifacts, 1, {}, &context.cancelled);
  workbench.CheckData(trial);
  ModelCard card = CardOf(trial, spec, workbench);
  card.study = study.info.name;
  card.spec_hash = study.info.spec_hash;
  if (for_tensorrt) {
    TensorRtExport exported = ExportForTensorRt(
        trial, workbench, artifacts, arguments.Text("precision", ""));
    card.architecture = exported.architecture;
    // They are those of another file.
    card.metrics.clear();
    WriteFolder(arguments.Text("out", ""), std::move(exported.files), card,
                workbench.Vocabulary(), context.err);
    return kExitDone;
  }
  WriteModelFolder(arguments.Text("out", ""), trial, artifacts, card,
                   workbench.Vocabulary(), context.err);
  return kExitDone;
}

}  // namespace

ModelCard CardOf(const Trial& trial, const SearchSpec& spec,
                 const Workbench& workbench) {
  ModelCard card;
  card.study = spec.study.name;
  card.trial = trial.number;
  card.spec_hash = SpecHash(spec);
  card.program_version = ProgramVersion();
  card.architecture = ExportedArchitecture(trial.architecture, trial.outcome);
  card.task = spec.task;
  card.shape = workbench.task();
  // A row of pixels has as many as it has, whatever the spec says.
  if (card.shape.vocabulary > 0) card.task.max_tokens = card.shape.max_tokens;
  card.measurement = workbench.measurement();
  card.measurement.engine = EngineOf(card.measurement, trial.outcome);
  card.classes = workbench.Classes();
  card.pixels = workbench.Pixels();
  card.sound_rate = workbench.SoundRate();
  card.metrics = CompleteMeasurement(trial).metrics;
  return card;
}

void WriteModelFolder(const std::filesystem::path& folder, const Trial& trial,
                      const std::filesystem::path& artifacts, ModelCard card,
                      const std::string& vocabulary, std::ostream& err) {
  std::map<std::string, std::string> files;
  for (const Artifact& file : CompleteMeasurement(trial).artifacts) {
    if (file.role == kModelFile || file.role == kEncoderFile) {
      files[file.role] = ReadFile(CheckedPath(file, artifacts));
    }
  }
  if (!files.contains(kModelFile)) {
    throw Error(ErrorCode::kNotFound, "trial " + std::to_string(trial.number) +
                                          " has no model.onnx: at fidelity '" +
                                          std::string(Name(trial.fidelity)) +
                                          "' nothing is trained");
  }
  WriteFolder(folder, std::move(files), std::move(card), vocabulary, err);
}

Command ExportCommand() {
  return {{"export",
           "write a trial's model, vocabulary and card",
           "STUDY N",
           2,
           2,
           {{"out", "DIR", "folder to write; made when missing"},
            {"target", "NAME",
             "onnx, or tensorrt: its student rounded with symmetric "
             "activations and spelled as trtexec wants it"},
            {"precision", "WORD", "with tensorrt: of all blocks, f32 or w8a8"}},
           "hone export studies/gloss.db 12 --out exported/gloss-12"},
          RunExport};
}

}  // namespace hone
