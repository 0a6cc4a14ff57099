#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "eval/exported_network.h"
#include "experiments/arguments.h"
#include "experiments/model_card.h"
#include "train/data/task.h"

namespace hone {

// An exported folder, checked and ready for use.
struct ModelSession {
  ModelCard card;
  std::unique_ptr<Vocabulary> vocabulary;  // null for images and sounds
  std::unique_ptr<Engine> engine;
  std::unique_ptr<ExportedNetwork> network;
};

// What the model's task needs to turn examples into numbers; refers to the
// session.
Preparation PreparationOf(const ModelSession& session);

// In the engine of the card, or the named one. Throws as ReadModelFolder,
// MakeEngine and Engine::Load.
ModelSession OpenModelFolder(const std::filesystem::path& folder,
                             const EngineOptions& options,
                             const std::string& engine = "");

// --engine, for commands that run a model in the card's engine or another;
// `fallback` says in their help which one runs it without.
OptionSpec EngineOption(const std::string& fallback = "as in the card");
// The options by which commands say how a model is to be measured, and --json
// with this help.
std::vector<OptionSpec> MeasuringOptions(
    const std::string& json_help, const std::string& engine = "as in the card");
// The card's measurement, but for what the command line says otherwise.
MeasurementOptions MeasurementFor(const Arguments& arguments,
                                  const ModelCard& card);

// Throws Error{kUsage} saying what `command` is for and which command serves
// this model.
void RequireKind(const ModelSession& session, const std::string& command,
                 const std::vector<std::string>& kinds);

// Softmax of one row of logits.
std::vector<double> Probabilities(const std::vector<float>& logits_C);

}  // namespace hone
