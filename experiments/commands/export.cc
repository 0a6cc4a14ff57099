#include <algorithm>

#include "experiments/build_study.h"
#include "experiments/commands/commands.h"
#include "experiments/model_card.h"
#include "experiments/study_files.h"
#include "experiments/study_view.h"
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

// The stored model, checked against its hash.
std::string ReadModel(const Trial& trial,
                      const std::filesystem::path& artifacts) {
  const auto& files = CompleteMeasurement(trial).artifacts;
  const auto model = std::find_if(
      files.begin(), files.end(),
      [](const Artifact& artifact) { return artifact.role == kModelFile; });
  if (model == files.end()) {
    throw Error(ErrorCode::kNotFound, "trial " + std::to_string(trial.number) +
                                          " has no model.onnx: at fidelity '" +
                                          std::string(Name(trial.fidelity)) +
                                          "' nothing is trained");
  }
  const std::filesystem::path path = artifacts / model->path;
  std::string bytes = ReadFile(path);
  if (Sha256(bytes) != model->sha256) {
    throw Error(ErrorCode::kIntegrity,
                path.string() +
                    ": does not match the hash in the study; 'hone rerun' "
                    "makes it again");
  }
  return bytes;
}

ModelCard MakeCard(const StudyView& study, const Trial& trial,
                   const SearchSpec& spec, const Workbench& workbench) {
  ModelCard card;
  card.study = study.info.name;
  card.trial = trial.number;
  card.spec_hash = study.info.spec_hash;
  card.program_version = ProgramVersion();
  card.architecture = trial.architecture;
  card.task = spec.task;
  card.shape = workbench.task();
  card.measurement = spec.measurement;
  card.classes = workbench.Classes();
  card.metrics = CompleteMeasurement(trial).metrics;
  return card;
}

int RunExport(const Arguments& arguments, const CommandContext& context) {
  const std::filesystem::path path = arguments.positionals[0];
  const std::int64_t number = arguments.PositionalInteger(1, "N");
  if (!arguments.Has("out")) {
    throw Error(ErrorCode::kUsage,
                "hone export: needs --out DIR, the folder to write");
  }
  const std::filesystem::path folder = arguments.Text("out", "");
  const StudyView study = ReadStudy(path);
  const Trial& trial = TrialNumbered(study, number);
  const std::filesystem::path artifacts = ArtifactsPath(path);
  const std::string model = ReadModel(trial, artifacts);
  const SearchSpec spec = SpecFromJson(study.info.spec);
  const Workbench workbench(spec, artifacts, 1, {}, &context.cancelled);
  const std::string vocabulary = workbench.Vocabulary();
  ModelCard card = MakeCard(study, trial, spec, workbench);
  card.sha256 = {{kModelFile, Sha256(model)},
                 {kVocabularyFile, Sha256(vocabulary)}};
  MakeParentFolder(folder / kCardFile);
  WriteFileAtomic(folder / kModelFile, model);
  WriteFileAtomic(folder / kVocabularyFile, vocabulary);
  // Last, so that a folder with a card is whole.
  WriteFileAtomic(folder / kCardFile, ToJson(card).dump(2) + "\n");
  context.err << "Wrote " << folder.string() << ": " << kModelFile << ", "
              << kVocabularyFile << ", " << kCardFile << "\nNext: hone eval "
              << folder.string() << "; hone classify " << folder.string()
              << " TEXT\n";
  return kExitDone;
}

}  // namespace

Command ExportCommand() {
  return {{"export",
           "write a trial's model, vocabulary and card",
           "STUDY N",
           2,
           2,
           {{"out", "DIR", "folder to write; made when missing"}},
           "hone export studies/gloss.db 12 --out exported/gloss-12"},
          RunExport};
}

}  // namespace hone
