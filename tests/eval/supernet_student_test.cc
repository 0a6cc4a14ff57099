#include <gtest/gtest.h>

#include "eval/stages.h"
#include "eval/trained_evaluator.h"
#include "space/base/error.h"
#include "space/base/file.h"
#include "space/base/hash.h"
#include "tests/eval/toy_rows.h"
#include "tests/space/shapes.h"
#include "train/shared_weights.h"
#include "train/supernet.h"

namespace hone {
namespace {

constexpr TaskShape kTask = ClassifierShape(20, 2, 8);

SearchSpace ToySpace() {
  SearchSpaceOptions options;
  options.d_model = {8, 16};
  options.layers = {1, 2};
  options.heads = {2};
  options.feed_forward = {16, 32};
  options.precision = {"f32", "w8a8", "w4"};
  return SearchSpace(options, kTask);
}

class SupernetStudent : public testing::Test {
 protected:
  SupernetStudent() {
    data_.classes = {"one", "two"};
    data_.train = ToyRows(400, 0);
    data_.dev = ToyRows(200, 1000);
    data_.content_hash = "made up";
  }

  TrainedEvaluatorOptions Options(const std::string& artifacts,
                                  int workers = 2) const {
    TrainedEvaluatorOptions options;
    options.study_seed = 3;
    options.task = kTask;
    options.teacher.d_model = 16;
    options.teacher.layers = 1;
    options.teacher.heads = 2;
    options.teacher.feed_forward = 32;
    options.teacher_training.steps = 40;
    options.teacher_training.warmup_steps = 4;
    options.training = options.teacher_training;
    options.training.steps = 30;
    options.training.learning_rate = 5e-3;
    options.short_steps = 5;
    options.supernet = SupernetPlan{ToySpace(), {}, options.training, 17};
    options.measurement.tokens = 6;
    options.artifacts = folder_ / artifacts;
    options.lock_folder = folder_.path();
    options.workers = workers;
    return options;
  }

  static Architecture Member(std::int64_t d_model, const Precision& precision) {
    return {{d_model}, {{MultiHead(2), {16}, precision}}};
  }

  // One architecture at every fidelity, and another.
  static std::vector<Candidate> Batch() {
    const Architecture one = Member(8, Precision::kW8A8);
    return {{0, one, 11, Fidelity::kInherited},
            {1, one, 11, Fidelity::kShort},
            {2, one, 11, Fidelity::kTrained},
            {3, Member(16, Precision::kW4), 12, Fidelity::kInherited},
            {4, Member(8, Precision::kF32), 11, Fidelity::kInherited}};
  }

  static Artifact Of(const Outcome& outcome, const std::string& role) {
    for (const Artifact& artifact : std::get<Measurement>(outcome).artifacts) {
      if (artifact.role == role) return artifact;
    }
    throw Error(ErrorCode::kInternal, role + " is missing");
  }

  // What a member has of the supernet that was filed.
  static NamedTensors Inherited(const Architecture& member,
                                const TrainedEvaluatorOptions& options) {
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(options.artifacts)) {
      if (entry.path().filename() != kSupernetFile) continue;
      return ExtractSubnet(ReadSafeTensors(entry.path()).tensors, member, kTask,
                           StreamSeed(options.study_seed, 0, "supernet"));
    }
    throw Error(ErrorCode::kInternal, "no supernet was filed");
  }

  ScratchFolder folder_;
  PreparedData data_;
};

TEST_F(SupernetStudent, SameOutcomesForAnyNumberOfWorkers) {
  TrainedEvaluator one(Options("one", 1), data_, nullptr);
  TrainedEvaluator three(Options("three", 3), data_, nullptr);
  const auto outcomes = one.Evaluate(Batch());
  EXPECT_EQ(outcomes, three.Evaluate(Batch()));
  for (const Outcome& outcome : outcomes) {
    EXPECT_GT(std::get<Measurement>(outcome).metrics.at("accuracy").value, 0.6);
  }
}

TEST_F(SupernetStudent, InheritedWeightsAreThoseOfTheSupernet) {
  const TrainedEvaluatorOptions options = Options("files");
  TrainedEvaluator evaluator(options, data_, nullptr);
  const auto batch = Batch();
  const auto outcomes = evaluator.Evaluate(batch);
  for (const std::size_t i : {0u, 3u, 4u}) {
    EXPECT_EQ(Of(outcomes[i], kStudentFile).sha256,
              Sha256(SerializeSafeTensors(
                  {Inherited(batch[i].architecture, options), {}})));
  }
}

// Options of what is made of it do not train it again; how its members are
// rounded does.
TEST_F(SupernetStudent, IsTrainedOnceForWhatItDependsOn) {
  TrainedEvaluatorOptions options = Options("once");
  const auto supernets = [&] {
    TrainedEvaluator(options, data_, nullptr).Evaluate({Batch()[0]});
    using Files = std::filesystem::directory_iterator;
    return std::distance(Files(options.artifacts / "supernet"), Files());
  };
  EXPECT_EQ(supernets(), 1);
  options.compression.steps = 3;
  options.compression.rounds = 2;
  options.supernet->options.warm_learning_rate = 1e-5;
  options.supernet->options.warm_start = false;
  options.quantization.calibration = "entropy";
  EXPECT_EQ(supernets(), 1);
  options.quantization.reduce_range = false;
  EXPECT_EQ(supernets(), 2);
}

TEST_F(SupernetStudent, FilesOfPartsAreNotKept) {
  const TrainedEvaluatorOptions options = Options("kept");
  TrainedEvaluator evaluator(options, data_, nullptr);
  const auto outcomes = evaluator.Evaluate(Batch());
  for (const char* role : {kStudentFile, kQuantizedFile, "model.onnx"}) {
    EXPECT_EQ(Of(outcomes[0], role).path, "");
    EXPECT_EQ(Sha256File(options.artifacts / Of(outcomes[2], role).path),
              Of(outcomes[2], role).sha256);
  }
  EXPECT_EQ(outcomes, evaluator.Evaluate(Batch()));
}

TEST_F(SupernetStudent, WarmStudentsBeginWithTheSupernet) {
  TrainedEvaluatorOptions options = Options("warm");
  options.supernet->options.warm_learning_rate = 1e-8;
  TrainedEvaluator warm(options, data_, nullptr);
  const auto batch = Batch();
  const auto outcomes = warm.Evaluate(batch);
  const NamedTensors trained =
      ReadSafeTensors(options.artifacts / Of(outcomes[2], kStudentFile).path)
          .tensors;
  for (const auto& [name, tensor] : Inherited(batch[2].architecture, options)) {
    EXPECT_LT(ToTensor(tensor, at::kCPU)
                  .sub(ToTensor(trained.at(name), at::kCPU))
                  .abs()
                  .max()
                  .item<double>(),
              1e-4)
        << name;
  }
  options.supernet->options.warm_start = false;
  TrainedEvaluator cold(options, data_, nullptr);
  options.supernet.reset();
  TrainedEvaluator without(options, data_, nullptr);
  const Candidate full = batch[2];
  EXPECT_EQ(cold.Evaluate({full}), without.Evaluate({full}));
}

}  // namespace
}  // namespace hone
