#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "space/architecture.h"
#include "space/base/tensor_data.h"
#include "train/data/task_options.h"

namespace hone {

// A BERT (Devlin et al. 2019): an encoder of ours with learned positions and
// norms after each sublayer, and one more norm behind the embedding.
struct Bert {
  Architecture architecture;
  double norm_epsilon = 1e-12;
  std::int64_t vocabulary = 0;  // V
  // P: the longest text with [CLS] and [SEP].
  std::int64_t places = 0;
  // [CLS] and [SEP], which stand around each text that it reads.
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

// A BERT as a checkpoint holds it, its weights under our names:
//   embedding.weight [V,D]   as many rows as vocab.txt has pieces
//   position.weight [P,D]    with the row of token type 0 added to each
//   embedding_norm, encoder.N.attention.query and so on, encoder.N.
//   feed_forward.up and .down, encoder.N.attention_norm and
//   .feed_forward_norm; pooler, where there is one
struct BertCheckpoint {
  Bert bert;
  NamedTensors weights;
};

// A folder with config.json, model.safetensors and vocab.txt, as the Python
// library transformers writes it for its models of type "bert". Names may begin
// with "bert."; the heads of pre-training and of other tasks are left out. The
// files are read strictly.
// Throws: Error{kUsage} for a config.json that is malformed or of another
// network than BERT with absolute positions and GELU (erf) or ReLU;
// Error{kIntegrity} naming the tensor that is missing, unknown, of another
// shape than config.json says, or not finite; Error{kNotFound}.
BertCheckpoint ReadBertCheckpoint(const std::filesystem::path& folder);

// The vocabulary keys of a task whose texts become what the BERT reads: its
// vocab.txt, and fold_case as in tokenizer_config.json where there is one.
// Throws: Error{kUsage}.
TaskOptions BertVocabulary(const std::filesystem::path& folder);

// A BERT as metadata of a safetensors file, and back; FromMetadata is empty
// where nothing of the kind stands there. Throws: Error{kIntegrity} naming
// `where` for a damaged one.
std::map<std::string, std::string> BertToMetadata(const Bert& bert);
std::optional<Bert> BertFromMetadata(
    const std::map<std::string, std::string>& metadata,
    const std::string& where);

}  // namespace hone
