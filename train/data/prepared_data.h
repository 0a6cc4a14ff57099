#pragma once

#include <memory>
#include <string>
#include <vector>

#include "space/cost.h"
#include "train/data/token_data.h"

namespace hone {

// Everything about a task's data that training and measuring need. Immutable.
struct PreparedData {
  std::vector<std::string> classes;
  std::shared_ptr<const Vocabulary> vocabulary;
  std::string vocabulary_bytes;  // as Vocabulary::Serialize
  TokenData train;
  TokenData dev;
  // SHA-256 over texts, labels and vocabulary: the identity of the data.
  std::string content_hash;
};

// Loads the data set, trains the vocabulary on its training split and tokenizes
// both splits. Throws as LoadDataset.
PreparedData PrepareData(const TaskOptions& options);

// What the network's size depends on. w4_block from the quantization options.
TaskShape ShapeOf(const PreparedData& data, const TaskOptions& options,
                  std::int64_t w4_block);

}  // namespace hone
