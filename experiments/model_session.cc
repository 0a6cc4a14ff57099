#include "experiments/model_session.h"

#include <algorithm>
#include <cmath>

#include "space/base/file.h"

namespace hone {

ModelSession OpenModelFolder(const std::filesystem::path& folder,
                             const EngineOptions& options) {
  ModelSession session;
  session.card = ReadModelFolder(folder);
  session.vocabulary = ParseVocabulary(ReadFile(folder / kVocabularyFile));
  session.engine = MakeOpenVinoEngine();
  session.model = session.engine->Load(folder / kModelFile, options);
  return session;
}

std::vector<double> Probabilities(const std::vector<float>& logits_C) {
  const double largest = *std::max_element(logits_C.begin(), logits_C.end());
  std::vector<double> probabilities;
  double sum = 0;
  for (const float logit : logits_C) {
    probabilities.push_back(std::exp(static_cast<double>(logit) - largest));
    sum += probabilities.back();
  }
  for (double& probability : probabilities) probability /= sum;
  return probabilities;
}

}  // namespace hone
