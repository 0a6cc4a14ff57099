#include <gtest/gtest.h>

#include "eval/trained_evaluator.h"
#include "space/base/error.h"
#include "space/base/file.h"
#include "tests/space/shapes.h"

namespace hone {
namespace {

// OpenVINO under another name, with a clock that goes on by as much as it is
// told for each inference, and answers that may be wrong.
struct Pace {
  std::string name;
  // Of a model, by the size of its file.
  std::function<double(std::uintmax_t)> milliseconds;
  float error = 0;  // added to the first logit of each inference
  bool loads = true;
  // Inferences of a loaded model whose file is not large, before it dies.
  int lives = 1 << 30;
};

class PacedModel : public EngineModel {
 public:
  PacedModel(std::unique_ptr<EngineModel> inner, double milliseconds,
             const Pace& pace, int lives)
      : inner_(std::move(inner)),
        milliseconds_(milliseconds),
        pace_(pace),
        lives_(lives) {}
  std::vector<float> Run(const ModelInput& input, std::int64_t batch,
                         std::int64_t length) override {
    if (lives_-- == 0) throw Error(ErrorCode::kUsage, "the worker died");
    clock_ += milliseconds_;
    auto logits = inner_->Run(input, batch, length);
    logits[0] += pace_.error;
    return logits;
  }
  std::vector<KernelCount> Kernels() const override {
    return {{pace_.name, "", "f32", 1}};
  }
  std::int64_t MemoryBytes() const override { return 1; }
  double ClockMs() const override { return clock_; }

 private:
  std::unique_ptr<EngineModel> inner_;
  double milliseconds_;
  Pace pace_;
  int lives_;
  double clock_ = 0;
};

constexpr std::uintmax_t kLarge = 50'000;

class PacedEngine : public Engine {
 public:
  explicit PacedEngine(Pace pace) : pace_(std::move(pace)) {}
  std::map<std::string, std::string> Describe() const override {
    return {{"engine", pace_.name}};
  }
  std::unique_ptr<EngineModel> Load(const std::filesystem::path& file,
                                    const EngineOptions& options) override {
    if (!pace_.loads) throw Error(ErrorCode::kUsage, "cannot load");
    const std::uintmax_t size = std::filesystem::file_size(file);
    return std::make_unique<PacedModel>(engine_->Load(file, options),
                                        pace_.milliseconds(size), pace_,
                                        size > kLarge ? 1 << 30 : pace_.lives);
  }
  std::unique_ptr<EngineDecoder> LoadDecoder(const std::filesystem::path&,
                                             const EngineOptions&) override {
    throw Error(ErrorCode::kUsage, "encoders only");
  }

 private:
  Pace pace_;
  std::unique_ptr<Engine> engine_ = MakeOpenVinoEngine();
};

class AutoEngine : public ::testing::Test {
 protected:
  AutoEngine() {
    for (TaskData* split : {&data_.train, &data_.dev}) {
      Rng rng(1);
      for (int row = 0; row < 40; ++row) {
        split->tokens.emplace_back(6, static_cast<std::int64_t>(rng.Below(20)));
        split->labels.push_back(row % 2);
      }
    }
    data_.classes = {"one", "two"};
    data_.content_hash = "made up";
    options_.task = ClassifierShape(20, 2, 8);
    options_.teacher.d_model = 16;
    options_.teacher.layers = 1;
    options_.teacher.heads = 2;
    options_.teacher.feed_forward = 32;
    options_.teacher_training.steps = 4;
    options_.teacher_training.warmup_steps = 1;
    options_.training = options_.teacher_training;
    options_.measurement.tokens = 6;
    options_.measurement.rounds = 3;
    options_.artifacts = folder_ / "artifacts";
    options_.lock_folder = folder_.path();
  }

  // A small model and one whose file is larger than kLarge.
  std::vector<Outcome> Evaluate(std::vector<Pace> paces) {
    std::vector<std::unique_ptr<Engine>> engines;
    std::vector<Engine*> pointers;
    for (Pace& pace : paces) {
      engines.push_back(std::make_unique<PacedEngine>(std::move(pace)));
      pointers.push_back(engines.back().get());
    }
    return TrainedEvaluator(options_, data_, pointers)
        .Evaluate({{0,
                    {{16}, {{MultiHead(2), {32}, Precision::kF32}}},
                    1,
                    Fidelity::kTrained},
                   {1,
                    {{64}, {{MultiHead(2), {256}, Precision::kF32}}},
                    1,
                    Fidelity::kTrained}});
  }

  static const Measurement& Of(const Outcome& outcome) {
    return std::get<Measurement>(outcome);
  }
  static double Value(const Outcome& outcome, const std::string& metric) {
    return Of(outcome).metrics.at(metric).value;
  }

  ScratchFolder folder_;
  PreparedData data_;
  TrainedEvaluatorOptions options_;
};

double Two(std::uintmax_t) { return 2; }

TEST_F(AutoEngine, KeepsTheFasterForEachModel) {
  const auto outcomes =
      Evaluate({{"steady", Two, 0, true},
                {"light", [](auto size) { return size > kLarge ? 8.0 : 0.5; },
                 1e-4F, true}});
  const Outcome& small = outcomes.at(0);
  const Outcome& large = outcomes.at(1);
  EXPECT_EQ(Of(small).environment.at("engine"), "light");
  EXPECT_DOUBLE_EQ(Value(small, "latency_ms"), 0.5);
  EXPECT_EQ(Of(small).kernels.at(0).layer, "light");
  EXPECT_EQ(Of(small).latency_rounds_ms.size(), 3u);
  EXPECT_EQ(Of(large).environment.at("engine"), "steady");
  EXPECT_DOUBLE_EQ(Value(large, "latency_ms"), 2);
  // The unit of both is the reference in the first engine.
  EXPECT_DOUBLE_EQ(Value(small, "latency_ratio"), 0.25);
  EXPECT_DOUBLE_EQ(Value(large, "latency_ratio"), 1);
  // Quality and parity are those of the engine that is kept.
  EXPECT_LT(Value(large, "parity_error"), 1e-5);
  EXPECT_GT(Value(small, "parity_error"), 1e-5);
  EXPECT_TRUE(Of(small).metrics.contains("accuracy"));
}

TEST_F(AutoEngine, AnEngineThatIsWrongOrRefusesIsNotKept) {
  const auto fast = [](std::uintmax_t) { return 0.1; };
  for (const Outcome& outcome :
       Evaluate({{"steady", Two, 0, true}, {"wrong", fast, 100, true}})) {
    EXPECT_EQ(Of(outcome).environment.at("engine"), "steady");
    EXPECT_LT(Value(outcome, "parity_error"), 0.01);
  }
  for (const Outcome& outcome :
       Evaluate({{"steady", Two, 0, true}, {"refuses", fast, 0, false}})) {
    EXPECT_EQ(Of(outcome).environment.at("engine"), "steady");
  }
}

// It lives long enough to score the dev split, and not to be timed.
TEST_F(AutoEngine, AnEngineThatDiesWhileItIsTimedFailsItsTrialAlone) {
  const auto alone = Evaluate({{"dies", Two, 0, true, 20}});
  EXPECT_EQ(std::get<Failure>(alone.at(0)).code, "engine");
  EXPECT_EQ(std::get<Failure>(alone.at(0)).reason, "the worker died");
  EXPECT_DOUBLE_EQ(Value(alone.at(1), "latency_ms"), 2);
  const auto fast = [](std::uintmax_t) { return 0.1; };
  const auto both =
      Evaluate({{"steady", Two, 0, true}, {"dies", fast, 0, true, 20}});
  EXPECT_EQ(Of(both.at(0)).environment.at("engine"), "steady");
  EXPECT_EQ(Of(both.at(1)).environment.at("engine"), "dies");
}

TEST_F(AutoEngine, FailsWhenNoEngineServes) {
  for (const Outcome& outcome :
       Evaluate({{"wrong", Two, 100, true}, {"refuses", Two, 0, false}})) {
    EXPECT_EQ(std::get<Failure>(outcome).code, "parity");
  }
}

}  // namespace
}  // namespace hone
