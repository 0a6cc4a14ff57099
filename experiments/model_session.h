#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "eval/engine/engine.h"
#include "experiments/model_card.h"
#include "train/data/vocabulary.h"

namespace hone {

// An exported folder, checked and ready for use.
struct ModelSession {
  ModelCard card;
  std::unique_ptr<Vocabulary> vocabulary;
  std::unique_ptr<Engine> engine;
  std::unique_ptr<EngineModel> model;
};

// Throws as ReadModelFolder and Engine::Load.
ModelSession OpenModelFolder(const std::filesystem::path& folder,
                             const EngineOptions& options);

// Softmax of one row of logits.
std::vector<double> Probabilities(const std::vector<float>& logits_C);

}  // namespace hone
