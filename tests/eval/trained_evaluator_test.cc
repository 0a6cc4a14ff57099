#include "eval/trained_evaluator.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "eval/export/onnx_export.h"
#include "eval/export/onnx_reader.h"
#include "eval/faster_layers.h"
#include "eval/latency_probe.h"
#include "eval/latency_table.h"
#include "eval/latency_timer.h"
#include "eval/libtorch_engine.h"
#include "space/base/error.h"
#include "space/base/file.h"
#include "space/block_layers.h"
#include "tests/eval/toy_rows.h"
#include "tests/space/shapes.h"

namespace hone {
namespace {

PreparedData MakeData() {
  PreparedData data;
  data.classes = {"one", "two"};
  data.train = ToyRows(400, 0);
  data.dev = ToyRows(100, 1000);
  data.content_hash = "made up";
  return data;
}

TrainedEvaluatorOptions MakeOptions(const ScratchFolder& folder, int workers) {
  TrainedEvaluatorOptions options;
  options.study_seed = 3;
  options.task = ClassifierShape(20, 2, 8);
  options.teacher.d_model = 16;
  options.teacher.layers = 1;
  options.teacher.heads = 2;
  options.teacher.feed_forward = 32;
  options.teacher_training.steps = 40;
  options.teacher_training.warmup_steps = 4;
  options.training = options.teacher_training;
  options.training.steps = 20;
  options.training.learning_rate = 5e-3;
  options.measurement.tokens = 6;
  options.artifacts = folder / ("artifacts-" + std::to_string(workers));
  options.lock_folder = folder.path();
  options.workers = workers;
  return options;
}

std::vector<Candidate> Batch() {
  std::vector<Candidate> batch;
  for (const Precision precision :
       {Precision::kF32, Precision::kW8A8, Precision::kW4}) {
    batch.push_back({static_cast<std::int64_t>(batch.size()),
                     {{16}, {{MultiHead(2), {32}, precision}}},
                     11,
                     Fidelity::kTrained});
  }
  batch.push_back({3,
                   {{16}, {{LocalAttention{2, 1}, {16}, Precision::kW8A8}}},
                   12,
                   Fidelity::kTrained});
  return batch;
}

class TrainedEvaluatorTest : public ::testing::Test {
 protected:
  ScratchFolder folder_;
  PreparedData data_ = MakeData();
};

const Measurement& Measured(const Outcome& outcome) {
  return std::get<Measurement>(outcome);
}

std::string Sha(const Outcome& outcome, const std::string& role) {
  for (const Artifact& artifact : Measured(outcome).artifacts) {
    if (artifact.role == role) return artifact.sha256;
  }
  return "";
}

TEST_F(TrainedEvaluatorTest, SameOutcomesForAnyNumberOfWorkers) {
  TrainedEvaluator one(MakeOptions(folder_, 1), data_, nullptr);
  TrainedEvaluator three(MakeOptions(folder_, 3), data_, nullptr);
  const auto outcomes = one.Evaluate(Batch());
  EXPECT_EQ(outcomes, three.Evaluate(Batch()));
  EXPECT_GT(Measured(outcomes[0]).metrics.at("accuracy").value, 0.6);
}

TEST_F(TrainedEvaluatorTest, PrecisionsShareOneStudent) {
  TrainedEvaluator evaluator(MakeOptions(folder_, 2), data_, nullptr);
  const auto outcomes = evaluator.Evaluate(Batch());
  EXPECT_EQ(Sha(outcomes[0], "student.safetensors"),
            Sha(outcomes[2], "student.safetensors"));
  EXPECT_NE(Sha(outcomes[0], "quantized.safetensors"),
            Sha(outcomes[1], "quantized.safetensors"));
  EXPECT_NE(Sha(outcomes[0], "student.safetensors"),
            Sha(outcomes[3], "student.safetensors"));
  EXPECT_GT(Measured(outcomes[0]).metrics.at("file_bytes").value,
            Measured(outcomes[1]).metrics.at("file_bytes").value);
}

// bf16 is another rounding of the same student, and QAT has nothing to train in
// it; the file is half as long, and its parity is that of the file.
TEST_F(TrainedEvaluatorTest, Bf16SharesTheStudentAndIsMeasured) {
  const auto engine = MakeOpenVinoEngine();
  if (!engine->ComputesInBf16()) {
    GTEST_SKIP() << "this CPU has neither avx512_bf16 nor amx_bf16";
  }
  TrainedEvaluatorOptions options = MakeOptions(folder_, 1);
  options.measurement.rounds = 3;
  options.measurement.round_milliseconds = 1;
  options.quantization.qat_steps = 10;
  std::vector<Candidate> batch = {Batch()[0], Batch()[1]};
  for (const std::size_t i : {0, 1}) {
    batch.push_back(batch[i]);
    batch.back().architecture.stem.compute = Compute::kBf16;
  }
  const auto outcomes =
      TrainedEvaluator(options, data_, engine.get()).Evaluate(batch);
  for (const std::size_t i : {0, 1}) {
    const Measurement& plain = Measured(outcomes[i]);
    const Measurement& half = Measured(outcomes[i + 2]);
    EXPECT_EQ(Sha(outcomes[i], "student.safetensors"),
              Sha(outcomes[i + 2], "student.safetensors"));
    EXPECT_LT(half.metrics.at("weight_bytes").value,
              plain.metrics.at("weight_bytes").value);
    EXPECT_LT(half.metrics.at("parity_error").value, 0.01);
    EXPECT_NEAR(half.metrics.at("accuracy").value,
                plain.metrics.at("accuracy").value, 0.05);
    EXPECT_TRUE(std::any_of(
        half.kernels.begin(), half.kernels.end(), [](const KernelCount& one) {
          return one.layer == "FullyConnected" && one.precision == "bf16";
        }));
  }
}

// Latencies that are filed already, made up so that the output layer is faster
// in f32: file, costs and record say so, and a repeat does what they say.
TEST_F(TrainedEvaluatorTest, LayersThatAreFasterInF32AreLeftSo) {
  const auto engine = MakeOpenVinoEngine();
  TrainedEvaluatorOptions options = MakeOptions(folder_, 1);
  options.measurement.rounds = 3;
  options.measurement.round_milliseconds = 1;
  options.quantization.f32_where_faster = true;
  std::vector<Candidate> batch = {Batch()[1]};
  const LatencyTimer timer(engine.get(), options.task, data_.train,
                           options.measurement, LatencyProbe::kCoarseRounds,
                           options.lock_folder);
  const ArtifactStore store(options.artifacts);
  const LatencyTable made_up(
      store, timer.device(), [](const std::vector<Architecture>& networks) {
        std::vector<ProbedLatency> latencies;
        for (const Architecture& one : networks) {
          const bool low =
              !PrecisionOf(one.encoder[0], LinearRole::kOutput).IsFloat();
          const bool others =
              !PrecisionOf(one.encoder[0], LinearRole::kUp).IsFloat();
          latencies.push_back({1, 1 + 0.1 * low - 0.3 * others});
        }
        return latencies;
      });
  WithF32WhereFaster(batch[0].architecture, made_up);
  Architecture made = batch[0].architecture;
  made.encoder[0].linears[LinearRole::kOutput] = Precision::kF32;

  TrainedEvaluator evaluator(options, data_, engine.get());
  const auto outcomes = evaluator.Evaluate(batch);
  const Measurement& measured = Measured(outcomes[0]);
  EXPECT_EQ(measured.environment.at("precision of encoder.0"),
            "w8a8 output=f32");
  EXPECT_EQ(ExportedArchitecture(batch[0].architecture, outcomes[0]), made);
  EXPECT_EQ(measured.metrics.at("weight_bytes").value,
            static_cast<double>(CostOf(made, options.task, 1, 6).weight_bytes));
  const auto& artifacts = measured.artifacts;
  const auto file =
      std::find_if(artifacts.begin(), artifacts.end(),
                   [](const Artifact& one) { return one.role == kModelFile; });
  ASSERT_NE(file, artifacts.end());
  const auto metadata =
      ReadOnnx(ReadFile(options.artifacts / file->path)).metadata;
  EXPECT_EQ(metadata.at("architecture"), CanonicalText(made));
  EXPECT_EQ(metadata.at(kLeftInF32Key), R"(["encoder.0.attention.output"])");

  // The file that such a candidate names, whatever is faster here.
  options.artifacts = folder_ / "elsewhere";
  batch[0].exported = made;
  const auto again =
      TrainedEvaluator(options, data_, engine.get()).Evaluate(batch);
  EXPECT_EQ(Sha(again[0], kModelFile), Sha(outcomes[0], kModelFile));
}

// What is given as the largest stands in for a parent; what cannot be cut out
// of it is trained from the start.
TEST_F(TrainedEvaluatorTest, StudentsAreCutOutOfTheLargest) {
  const auto of_width = [](std::int64_t d_model, std::int64_t width) {
    return Architecture{{d_model}, {{MultiHead(2), {width}, Precision::kF32}}};
  };
  TrainedEvaluatorOptions options = MakeOptions(folder_, 2);
  options.compression.steps = 10;
  const Candidate plain{0, of_width(16, 16), 7};
  Candidate cut = plain;
  cut.parent = of_width(16, 32);
  const Candidate other{0, of_width(32, 16), 7};
  TrainedEvaluator without(options, data_, nullptr);
  const auto expected = without.Evaluate({cut, plain, other});
  options.largest = Candidate{0, of_width(16, 32), 7};
  options.artifacts = folder_ / "anew";
  TrainedEvaluator with(options, data_, nullptr);
  const auto found = with.Evaluate({plain, other, *options.largest});
  EXPECT_EQ(Sha(found[0], "student.safetensors"),
            Sha(expected[0], "student.safetensors"));
  EXPECT_NE(Sha(found[0], "student.safetensors"),
            Sha(expected[1], "student.safetensors"));
  EXPECT_EQ(Sha(found[1], "student.safetensors"),
            Sha(expected[2], "student.safetensors"));
}

// Of the integers in the file and of the fake-quantized network: a tenth of a
// point.
TEST_F(TrainedEvaluatorTest, ExportedAccuracyIsThatOfTheFakeQuantizedNetwork) {
  data_.dev = ToyRows(3000, 5000);
  TrainedEvaluatorOptions options = MakeOptions(folder_, 1);
  options.measurement.rounds = 3;
  options.measurement.round_milliseconds = 1;
  std::vector<Candidate> batch;
  for (const Candidate& candidate : Batch()) {
    if (candidate.architecture.encoder[0].precision == Precision::kW8A8) {
      batch.push_back(candidate);
    }
  }
  const auto eager = TrainedEvaluator(options, data_, nullptr).Evaluate(batch);
  for (const bool openvino : {true, false}) {
    const auto engine = openvino ? MakeOpenVinoEngine() : MakeLibTorchEngine();
    const auto exported =
        TrainedEvaluator(options, data_, engine.get()).Evaluate(batch);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const double accuracy = Measured(eager[i]).metrics.at("accuracy").value;
      EXPECT_LT(accuracy, 1) << "too easy to tell anything";
      EXPECT_NEAR(Measured(exported[i]).metrics.at("accuracy").value, accuracy,
                  0.001);
    }
  }
}

TEST_F(TrainedEvaluatorTest, StagesAreMadeOnce) {
  const TrainedEvaluatorOptions options = MakeOptions(folder_, 1);
  const auto first =
      TrainedEvaluator(options, data_, nullptr).Evaluate(Batch());
  TrainedEvaluatorOptions again = options;
  int trained = 0;
  again.progress = [&](const std::string&, double done, double) {
    trained += done > 0 && done < 1 && done != static_cast<int>(done);
  };
  EXPECT_EQ(TrainedEvaluator(again, data_, nullptr).Evaluate(Batch()), first);
  EXPECT_EQ(trained, 0);
}

TEST_F(TrainedEvaluatorTest, DivergenceIsARowAndNotACrash) {
  TrainedEvaluatorOptions options = MakeOptions(folder_, 1);
  options.training.learning_rate = 1e30;
  options.training.clip_norm = 0;
  const auto outcomes =
      TrainedEvaluator(options, data_, nullptr).Evaluate(Batch());
  for (const Outcome& outcome : outcomes) {
    EXPECT_EQ(std::get<Failure>(outcome).code, "diverged");
  }
}

TEST_F(TrainedEvaluatorTest, CancelsWithinAStep) {
  TrainedEvaluatorOptions options = MakeOptions(folder_, 1);
  const std::atomic<bool> cancelled = true;
  options.cancelled = &cancelled;
  TrainedEvaluator evaluator(options, data_, nullptr);
  try {
    evaluator.Evaluate(Batch());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCancelled);
  }
}

TEST_F(TrainedEvaluatorTest, RefusesACheckpointThatDoesNotFit) {
  TrainedEvaluatorOptions options = MakeOptions(folder_, 1);
  const auto outcomes =
      TrainedEvaluator(options, data_, nullptr).Evaluate(Batch());
  for (const Artifact& artifact : Measured(outcomes[0]).artifacts) {
    if (artifact.role == "teacher.safetensors") {
      options.teacher.checkpoint = (options.artifacts / artifact.path).string();
    }
  }
  EXPECT_NO_THROW(TrainedEvaluator(options, data_, nullptr).Evaluate(Batch()));
  options.teacher.d_model = 32;
  EXPECT_THROW(TrainedEvaluator(options, data_, nullptr).Evaluate(Batch()),
               Error);
}

// Two teachers of one architecture; a third of another is refused.
TEST_F(TrainedEvaluatorTest, TeachersOfOneArchitectureTeachTogether) {
  const auto teacher = [&](std::uint64_t seed, const Outcome& outcome) {
    for (const Artifact& artifact : Measured(outcome).artifacts) {
      if (artifact.role != "teacher.safetensors") continue;
      return (folder_ / ("artifacts-" + std::to_string(seed)) / artifact.path)
          .string();
    }
    return std::string();
  };
  std::vector<std::string> files;
  std::vector<std::string> students;
  for (const int seed : {1, 2}) {
    TrainedEvaluatorOptions options = MakeOptions(folder_, seed);
    options.study_seed = static_cast<std::uint64_t>(seed);
    const auto outcomes =
        TrainedEvaluator(options, data_, nullptr).Evaluate(Batch());
    files.push_back(teacher(options.study_seed, outcomes[0]));
    students.push_back(Sha(outcomes[0], "student.safetensors"));
  }
  TrainedEvaluatorOptions options = MakeOptions(folder_, 1);
  options.teacher.checkpoints = files;
  const auto outcomes =
      TrainedEvaluator(options, data_, nullptr).Evaluate(Batch());
  EXPECT_FALSE(Sha(outcomes[0], "teacher-2.safetensors").empty());
  for (const std::string& student : students) {
    EXPECT_NE(Sha(outcomes[0], "student.safetensors"), student);
  }
  // Found again, with the same result.
  EXPECT_EQ(TrainedEvaluator(options, data_, nullptr).Evaluate(Batch()),
            outcomes);
  std::swap(options.teacher.checkpoints[0], options.teacher.checkpoints[1]);
  EXPECT_NE(Sha(TrainedEvaluator(options, data_, nullptr).Evaluate(Batch())[0],
                "student.safetensors"),
            Sha(outcomes[0], "student.safetensors"));
  options.teacher.d_model = 32;
  EXPECT_THROW(TrainedEvaluator(options, data_, nullptr).Evaluate(Batch()),
               Error);
}

// A language model and a translator through the whole chain, in the engine.
TEST_F(TrainedEvaluatorTest, DecodersAreTrainedExportedAndMeasured) {
  PreparedData data;
  TaskOptions characters;
  characters.vocabulary = "character";
  data.vocabulary = TrainVocabulary(characters, {"abcdefghijklmnopqr"});
  Rng rng(1);
  for (TaskData* split : {&data.train, &data.dev}) {
    for (int row = 0; row < 40; ++row) {
      std::vector<std::int64_t> tokens;
      for (std::uint64_t i = 0; i < 2 + rng.Below(4); ++i) {
        tokens.push_back(static_cast<std::int64_t>(rng.Below(18)));
      }
      split->references.push_back(data.vocabulary->Decode(tokens));
      split->targets.push_back(tokens);
      split->tokens.push_back(std::move(tokens));
    }
  }
  const auto engine = MakeOpenVinoEngine();
  TrainedEvaluatorOptions options = MakeOptions(folder_, 1);
  options.task = TranslationShape(data.vocabulary->size() + 2, 8, 8);
  options.measurement.new_tokens = 3;
  options.measurement.rounds = 3;
  options.measurement.round_milliseconds = 1;
  const BlockSpec block{MultiHead(2), {32}, Precision::kW8A8};
  BlockSpec crossed = block;
  crossed.cross = CrossAttentionSpec{2, 1};
  TrainedEvaluator translator(options, data, engine.get());
  const auto translated = translator.Evaluate(
      {{0, {{16}, {block}, {crossed}}, 1, Fidelity::kTrained}});
  const auto& metrics = Measured(translated.at(0)).metrics;
  for (const char* name : {"bleu", "nats_per_token", "generate_ms",
                           "prefill_ms", "ms_per_token", "cache_bytes"}) {
    EXPECT_TRUE(metrics.contains(name)) << name;
  }
  EXPECT_FALSE(Sha(translated[0], "encoder.onnx").empty());
  EXPECT_LT(metrics.at("parity_error").value, 0.02);

  // The same with the teacher's likeliest tokens from disk: another student.
  const auto top_targets = [&] {
    return std::filesystem::exists(options.artifacts / "top_targets");
  };
  EXPECT_FALSE(top_targets());
  options.distillation.top_k = 3;
  TrainedEvaluator brief(options, data, engine.get());
  const auto told =
      brief.Evaluate({{0, {{16}, {block}, {crossed}}, 1, Fidelity::kTrained}});
  EXPECT_TRUE(top_targets());
  EXPECT_NE(Sha(told.at(0), "student.safetensors"),
            Sha(translated[0], "student.safetensors"));
  options.distillation.top_k = 0;

  PreparedData stream;
  for (TaskData* split : {&stream.train, &stream.dev}) {
    for (int i = 0; i < 400; ++i) split->stream.push_back(i * i % 20);
    split->window = 8;
    split->characters = 400;
  }
  options.task = DecoderShape(20, 8);
  TrainedEvaluator model(options, stream, engine.get());
  const auto modelled =
      model.Evaluate({{0, {{16}, {}, {block}}, 1, Fidelity::kTrained}});
  EXPECT_LT(Measured(modelled.at(0)).metrics.at("nats_per_token").value, 3);
  // The simulated engine scores the same weights.
  TrainedEvaluator eager(options, stream, nullptr);
  const auto simulated =
      eager.Evaluate({{0, {{16}, {}, {block}}, 1, Fidelity::kTrained}});
  EXPECT_NEAR(Measured(simulated.at(0)).metrics.at("nats_per_token").value,
              Measured(modelled[0]).metrics.at("nats_per_token").value, 1e-2);
}

}  // namespace
}  // namespace hone
