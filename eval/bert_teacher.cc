#include "eval/bert_teacher.h"

#include "space/base/error.h"
#include "space/base/hash.h"
#include "train/distill/bert.h"
#include "train/distill/bert_encoder.h"
#include "train/distill/linear_head.h"

namespace hone {
namespace {

constexpr char kFeaturesFile[] = "features.safetensors";
constexpr std::int64_t kBatch = 64;
constexpr double kFeaturesShare = 0.95;  // of the time

// The hash of every file of the checkpoint that is read.
Json CheckpointHashes(const std::filesystem::path& folder) {
  Json hashes = Json::object();
  for (const char* file : {"config.json", "model.safetensors", "vocab.txt",
                           "tokenizer_config.json"}) {
    if (std::filesystem::exists(folder / file)) {
      hashes[file] = Sha256File(folder / file);
    }
  }
  return hashes;
}

void CheckVocabulary(const std::filesystem::path& folder,
                     const PreparedData& data) {
  const TaskOptions wanted = BertVocabulary(folder);
  if (TrainVocabulary(wanted, {})->Serialize() == data.vocabulary_bytes) return;
  throw Error(ErrorCode::kUsage,
              "teacher.checkpoint: the task's tokens are not those that the "
              "BERT in " +
                  folder.string() +
                  " reads; set task.vocabulary = \"wordpiece\", "
                  "task.vocabulary_file = \"" +
                  wanted.vocabulary_file + "\" and task.fold_case = " +
                  (wanted.fold_case ? "true" : "false"));
}

class BertTeacher {
 public:
  BertTeacher(const BertTeacherOptions& options, const PreparedData& data,
              const ArtifactStore& store)
      : options_(options),
        data_(data),
        store_(store),
        shared_inputs_({{"checkpoint", CheckpointHashes(options.folder)},
                        {"pooling", options.pooling},
                        {"data", data.content_hash},
                        {"libtorch", TorchVersion()}}) {}

  StageResult Make() const {
    Json inputs = shared_inputs_;
    inputs["training"] = FieldsToJson(options_.training);
    inputs["seed"] = options_.seed;
    if (auto found = store_.Find("teacher", inputs)) return *found;
    BertCheckpoint checkpoint = ReadBertCheckpoint(options_.folder);
    CheckVocabulary(options_.folder, data_);
    const TensorData features_ND = Features(checkpoint);
    NamedTensors head = TrainLinearHead(
        features_ND, data_.train.labels,
        static_cast<std::int64_t>(data_.classes.size()), options_.training,
        options_.seed, [&](std::int64_t step, std::int64_t steps) {
          const double done =
              static_cast<double>(step) / static_cast<double>(steps);
          options_.on_progress(kFeaturesShare + (1 - kFeaturesShare) * done);
        });
    std::map<std::string, std::string> files;
    files[kLogitsFile] = SerializeSafeTensors(
        {{{"logits", ApplyLinearHead(features_ND, head)}}, {}});
    checkpoint.weights.merge(head);
    files[kTeacherFile] = SerializeSafeTensors(
        {std::move(checkpoint.weights), BertToMetadata(checkpoint.bert)});
    return store_.Put("teacher", inputs, files);
  }

 private:
  TensorData Features(const BertCheckpoint& checkpoint) const {
    if (const auto found = store_.Find("features", shared_inputs_)) {
      return ReadSafeTensors(found->PathOf(kFeaturesFile))
          .tensors.at("features");
    }
    TensorData features_ND = BertFeatures(
        checkpoint, options_.pooling, data_.train, kBatch,
        [&](double done) { options_.on_progress(kFeaturesShare * done); });
    store_.Put("features", shared_inputs_,
               {{kFeaturesFile,
                 SerializeSafeTensors({{{"features", features_ND}}, {}})}});
    return features_ND;
  }

  const BertTeacherOptions& options_;
  const PreparedData& data_;
  const ArtifactStore& store_;
  Json shared_inputs_;
};

}  // namespace

StageResult MakeBertTeacher(const BertTeacherOptions& options,
                            const PreparedData& data,
                            const ArtifactStore& store) {
  return BertTeacher(options, data, store).Make();
}

}  // namespace hone
