#include "train/data/prepared_data.h"

#include "space/base/hash.h"

namespace hone {

PreparedData PrepareData(const TaskOptions& options) {
  TextDataset dataset = LoadDataset(options);
  PreparedData data;
  data.vocabulary = TrainVocabulary(options, dataset.train);
  data.vocabulary_bytes = data.vocabulary->Serialize();
  data.train = Tokenize(dataset.train, *data.vocabulary, options.max_tokens);
  data.dev = Tokenize(dataset.dev, *data.vocabulary, options.max_tokens);
  data.content_hash =
      Sha256(dataset.content_hash + "\n" + Sha256(data.vocabulary_bytes) +
             "\n" + std::to_string(options.max_tokens));
  data.classes = std::move(dataset.classes);
  return data;
}

TaskShape ShapeOf(const PreparedData& data, const TaskOptions& options,
                  std::int64_t w4_block) {
  return {data.vocabulary->size(),
          static_cast<std::int64_t>(data.classes.size()), options.max_tokens,
          w4_block};
}

}  // namespace hone
