#include "eval/bert_teacher.h"

#include <gtest/gtest.h>

#include "eval/trained_evaluator.h"
#include "space/base/error.h"
#include "tests/space/shapes.h"
#include "tests/train/bert_fixtures.h"
#include "tests/train_data/expect_error.h"
#include "train/distill/bert_encoder.h"
#include "train/distill/linear_head.h"

namespace hone {
namespace {

// Which of two pieces stands in a text is its class.
TaskData MakeRows(std::int64_t count, std::int64_t first) {
  TaskData data;
  data.unknown = 1;
  for (std::int64_t i = 0; i < count; ++i) {
    Rng rng(9, first + i, "row");
    const auto label = static_cast<std::int64_t>(rng.Below(2));
    std::vector<std::int64_t> tokens(4 + rng.Below(3));
    for (auto& token : tokens) {
      token = 10 + static_cast<std::int64_t>(rng.Below(8));
    }
    tokens[rng.Below(tokens.size())] = 8 + label;
    data.tokens.push_back(tokens);
    data.labels.push_back(label);
  }
  return data;
}

PreparedData MakeData() {
  PreparedData data;
  data.classes = {"one", "two"};
  data.train = MakeRows(400, 0);
  data.dev = MakeRows(100, 1000);
  data.vocabulary = TrainVocabulary(BertVocabulary(TinyBertFolder()), {});
  data.vocabulary_bytes = data.vocabulary->Serialize();
  data.content_hash = "made up";
  return data;
}

TrainingOptions HeadTraining() {
  TrainingOptions options;
  options.steps = 300;
  options.learning_rate = 0.03;
  options.warmup_steps = 4;
  return options;
}

class BertTeacherTest : public ::testing::Test {
 protected:
  BertTeacherOptions Options() {
    BertTeacherOptions options;
    options.folder = TinyBertFolder();
    options.training = HeadTraining();
    options.seed = 4;
    options.on_progress = [this](double done) { seen_.push_back(done); };
    return options;
  }
  StageResult Make(const BertTeacherOptions& options) {
    seen_.clear();
    return MakeBertTeacher(options, data_, store_);
  }

  ScratchFolder folder_;
  PreparedData data_ = MakeData();
  ArtifactStore store_{folder_ / "artifacts"};
  std::vector<double> seen_;
};

// The tiny BERT is random, so its features do not tell the classes apart. The
// best classifier over them, found by L-BFGS in double precision over the
// features of the Python library, has 317 of 400 right.
TEST_F(BertTeacherTest, ClassifiesAsWellAsFrozenFeaturesAllow) {
  BertTeacherOptions options = Options();
  options.training.dropout = 0;
  options.training.steps = 5000;
  options.training.batch_size = 400;
  const StageResult files = Make(options);
  const TensorData logits =
      ReadSafeTensors(files.PathOf(kLogitsFile)).tensors.at("logits");
  ASSERT_EQ(logits.shape, (std::vector<std::int64_t>{400, 2}));
  int right = 0;
  for (std::size_t i = 0; i < 400; ++i) {
    const float* row = logits.data<float>() + 2 * i;
    right += (row[1] > row[0]) == (data_.train.labels[i] == 1);
  }
  EXPECT_NEAR(right, 317, 4);
}

TEST_F(BertTeacherTest, LogitsAreThoseOfTheFiledWeights) {
  const StageResult files = Make(Options());
  const SafeTensors teacher = ReadSafeTensors(files.PathOf(kTeacherFile));
  const auto bert = BertFromMetadata(teacher.metadata, "teacher");
  ASSERT_TRUE(bert);
  const TensorData again =
      ApplyLinearHead(BertFeatures({*bert, teacher.tensors}, "mean",
                                   data_.train, 64, [](double) {}),
                      teacher.tensors);
  EXPECT_EQ(again,
            ReadSafeTensors(files.PathOf(kLogitsFile)).tensors.at("logits"));
}

TEST_F(BertTeacherTest, FeaturesAndTeacherAreMadeOnce) {
  const StageResult first = Make(Options());
  EXPECT_LT(seen_.front(), 0.9);
  EXPECT_NEAR(seen_.back(), 1, 1e-12);
  EXPECT_EQ(Make(Options()).artifacts, first.artifacts);
  EXPECT_TRUE(seen_.empty());
  BertTeacherOptions other = Options();
  other.training.steps = 100;
  EXPECT_NE(Make(other).artifacts, first.artifacts);
  EXPECT_GT(seen_.front(), 0.95);  // the features were there
  other.pooling = "cls";
  Make(other);
  EXPECT_LT(seen_.front(), 0.9);
}

TEST_F(BertTeacherTest, TokensMustBeTheBerts) {
  TaskOptions cased = BertVocabulary(TinyBertFolder());
  cased.fold_case = false;
  data_.vocabulary_bytes = TrainVocabulary(cased, {})->Serialize();
  ExpectError(ErrorCode::kUsage, "task.fold_case = true",
              [&] { Make(Options()); });
  TaskOptions words;
  data_.vocabulary_bytes = TrainVocabulary(words, {"a a"})->Serialize();
  ExpectError(ErrorCode::kUsage, "task.vocabulary = \"wordpiece\"",
              [&] { Make(Options()); });
}

TEST_F(BertTeacherTest, ADamagedCheckpointMakesNothing) {
  const TinyBertCopy copy;
  BertTeacherOptions options = Options();
  options.folder = copy.path();
  NamedTensors tensors = copy.ReadTensors();
  tensors.erase("embeddings.word_embeddings.weight");
  copy.WriteTensors(tensors);
  ExpectError(ErrorCode::kIntegrity,
              "'embeddings.word_embeddings.weight' is missing",
              [&] { Make(options); });
  EXPECT_FALSE(std::filesystem::exists(folder_ / "artifacts" / "teacher"));
}

// The whole chain: logits, hidden states and embedding of a BERT teach.
TEST_F(BertTeacherTest, TeachesStudentsOfAStudy) {
  TrainedEvaluatorOptions options;
  options.study_seed = 3;
  options.task = ClassifierShape(20, 2, 8);
  options.teacher.checkpoint = TinyBertFolder().string();
  options.teacher_training = HeadTraining();
  options.training = HeadTraining();
  options.training.steps = 60;
  options.training.word_dropout = 0.1;
  options.distillation.hidden_weight = 1;
  options.measurement.tokens = 6;
  options.artifacts = folder_ / "study";
  options.lock_folder = folder_.path();
  const std::vector<Candidate> batch = {
      {0, {{8}, {{MultiHead(2), {32}}}}, 11, Fidelity::kTrained}};
  const auto outcomes =
      TrainedEvaluator(options, data_, nullptr).Evaluate(batch);
  const auto& metrics = std::get<Measurement>(outcomes[0]).metrics;
  EXPECT_GT(metrics.at("accuracy").value, 0.7);
  EXPECT_EQ(TrainedEvaluator(options, data_, nullptr).Evaluate(batch),
            outcomes);
  const std::atomic<bool> cancelled = true;
  options.cancelled = &cancelled;
  options.study_seed = 4;
  ExpectError(ErrorCode::kCancelled, "interrupted", [&] {
    TrainedEvaluator(options, data_, nullptr).Evaluate(batch);
  });
}

}  // namespace
}  // namespace hone
