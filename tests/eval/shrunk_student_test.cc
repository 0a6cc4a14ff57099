#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eval/trained_evaluator.h"
#include "space/base/error.h"
#include "space/base/file.h"
#include "space/base/tensor_data.h"
#include "tests/eval/toy_rows.h"
#include "tests/space/shapes.h"
#include "train/compress/shrink.h"

namespace hone {
namespace {

Architecture Of(std::int64_t d_model, std::size_t layers, std::int64_t width) {
  BlockSpec block{MultiHead(2), {width}};
  block.head_dim = d_model == 16 ? 0 : 8;
  return {{d_model}, std::vector<BlockSpec>(layers, block)};
}

class ShrunkStudent : public ::testing::Test {
 protected:
  ShrunkStudent() {
    data_.classes = {"one", "two"};
    data_.train = ToyRows(300, 0, 5);
    data_.dev = ToyRows(60, 1000, 5);
    data_.content_hash = "made up";
  }

  TrainedEvaluatorOptions Options(const std::string& artifacts) const {
    TrainedEvaluatorOptions options;
    options.task = ClassifierShape(20, 2, 8);
    options.distillation.logits_weight = 0;
    options.distillation.hidden_weight = 0;
    options.distillation.embedding_from_teacher = false;
    options.training.steps = 20;
    options.training.warmup_steps = 2;
    options.compression.steps = 90;
    options.compression.examples = 40;
    options.measurement.tokens = 5;
    options.artifacts = folder_ / artifacts;
    options.lock_folder = folder_.path();
    return options;
  }

  std::vector<Outcome> Shrink(const TrainedEvaluatorOptions& options,
                              const Architecture& smaller,
                              const std::string& dropped = "") const {
    Candidate candidate{1, smaller, 11, Fidelity::kTrained, Of(16, 3, 32)};
    candidate.dropped = dropped;
    return TrainedEvaluator(options, data_, nullptr)
        .Evaluate({{0, Of(16, 3, 32), 11, Fidelity::kTrained}, candidate});
  }

  // How many students are filed.
  static std::ptrdiff_t Students(const TrainedEvaluatorOptions& options) {
    using Files = std::filesystem::directory_iterator;
    return std::distance(Files(options.artifacts / "student"), Files());
  }

  static NamedTensors Student(const TrainedEvaluatorOptions& options,
                              const Outcome& outcome) {
    for (const Artifact& one : std::get<Measurement>(outcome).artifacts) {
      if (one.role != "student.safetensors") continue;
      return ReadSafeTensors(options.artifacts / one.path).tensors;
    }
    return {};
  }

  ScratchFolder folder_;
  PreparedData data_;
};

TEST_F(ShrunkStudent, GoesThroughRoundsThatAreFiled) {
  TrainedEvaluatorOptions options = Options("whole");
  options.compression.rounds = 3;
  const Architecture smaller = Of(8, 1, 8);
  const auto whole = Shrink(options, smaller);
  // The parent, and three rounds.
  EXPECT_EQ(Students(options), 4);
  EXPECT_GT(std::get<Measurement>(whole[1]).metrics.at("accuracy").value, 0.7);

  // Interrupted in the last round: the first two are found again.
  TrainedEvaluatorOptions stopped = Options("stopped");
  stopped.compression.rounds = 3;
  std::atomic<bool> cancelled = false;
  stopped.cancelled = &cancelled;
  stopped.progress = [&](const std::string& phase, double done, double) {
    if (phase == "training" && done > 1.7) cancelled = true;
  };
  try {
    Shrink(stopped, smaller);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCancelled);
  }
  EXPECT_EQ(Students(stopped), 3);
  cancelled = false;
  double first = 2;
  stopped.progress = [&](const std::string& phase, double done, double) {
    if (phase == "training" && done > 1) first = std::min(first, done);
  };
  EXPECT_EQ(Shrink(stopped, smaller), whole);
  EXPECT_GT(first, 1.6);
  EXPECT_EQ(Students(stopped), 4);
}

// Rounds are another way, of as many steps, to the same size.
TEST_F(ShrunkStudent, OneRoundIsTheDefault) {
  TrainedEvaluatorOptions options = Options("one");
  const auto one = Shrink(options, Of(8, 1, 8));
  EXPECT_EQ(Students(options), 2);
  options.compression.rounds = 2;
  const auto two = Shrink(options, Of(8, 1, 8));
  EXPECT_EQ(Students(options), 4);
  EXPECT_NE(Student(options, one[1]), Student(options, two[1]));
}

// What a candidate names as its parent may be cut in another way than what a
// study's students are cut out of.
TEST_F(ShrunkStudent, ParentsMayBeCutAnotherWayThanTheLargest) {
  TrainedEvaluatorOptions options = Options("largest");
  options.largest = Candidate{0, Of(16, 3, 32), 11, Fidelity::kTrained};
  const Candidate student{1, Of(8, 1, 8), 11, Fidelity::kTrained};
  const auto cut =
      TrainedEvaluator(options, data_, nullptr).Evaluate({student});
  EXPECT_EQ(Students(options), 2);
  options.parent_compression = options.compression;
  options.parent_compression->steps = 0;
  EXPECT_EQ(TrainedEvaluator(options, data_, nullptr).Evaluate({student}), cut);
  EXPECT_EQ(Students(options), 2);
  const auto named = Shrink(options, Of(8, 1, 8));
  EXPECT_EQ(Students(options), 3);
  EXPECT_NE(Student(options, named[1]), Student(options, cut[0]));
}

// Nothing is trained, and the block is the one that was named.
TEST_F(ShrunkStudent, LosesTheBlockThatIsNamed) {
  TrainedEvaluatorOptions options = Options("dropped");
  options.compression.steps = 0;
  for (const char* name : {"encoder.0", "encoder.1", "encoder.2"}) {
    const auto outcomes = Shrink(options, Of(16, 2, 32), name);
    EXPECT_EQ(Student(options, outcomes[1]),
              WithoutBlock(Student(options, outcomes[0]), name));
  }
  EXPECT_THROW(Shrink(options, Of(16, 2, 33), "encoder.0"), Error);
}

}  // namespace
}  // namespace hone
