// The hidden states of a BERT, for a program that shares no code with Hone:
// tests/train/bert_check.py.
// Usage: write_bert FOLDER TEXTS OUT
// TEXTS: a JSON list. OUT: a safetensors file with tokens.N, hidden.N [T+2,D]
// and, where there is a pooler, pooled.N [D] of text N.

#include <iostream>
#include <string>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>

#include "space/base/file.h"
#include "space/base/json.h"
#include "train/data/vocabulary.h"
#include "train/distill/bert_encoder.h"
#include "train/trainer.h"

namespace hone {
namespace {

NamedTensors Run(const std::string& folder, const Json& texts) {
  InitializeTorch();
  const at::NoGradGuard no_grad;
  const BertCheckpoint checkpoint = ReadBertCheckpoint(folder);
  const auto vocabulary = TrainVocabulary(BertVocabulary(folder), {});
  StoredWeights weights(checkpoint.weights, at::kCPU);
  BertEncoder encoder(weights, checkpoint.bert);
  NamedTensors results;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::string name = "." + std::to_string(i);
    const at::Tensor tokens_T = at::tensor(vocabulary->Encode(
        texts[i].get<std::string>(), checkpoint.bert.places - 2));
    const at::Tensor hidden_BTD = encoder.HiddenStates(tokens_T.unsqueeze(0));
    results["tokens" + name] = ToTensorData(tokens_T);
    results["hidden" + name] = ToTensorData(hidden_BTD[0]);
    if (checkpoint.weights.contains("pooler.weight")) {
      results["pooled" + name] = ToTensorData(encoder.Pooled(hidden_BTD)[0]);
    }
  }
  return results;
}

}  // namespace
}  // namespace hone

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: write_bert FOLDER TEXTS OUT\n";
    return 2;
  }
  try {
    hone::WriteSafeTensors(
        argv[3],
        {hone::Run(argv[1], hone::ParseJson(hone::ReadFile(argv[2]), argv[2])),
         {}});
  } catch (const std::exception& error) {
    std::cerr << "write_bert: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
