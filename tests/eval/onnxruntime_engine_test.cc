#include <chrono>
#include <csignal>
#include <fstream>
#include <set>

#include <gmock/gmock.h>
#include <unistd.h>

#include "eval/engine/cpu.h"
#include "eval/engine/worker_process.h"
#include "tests/eval/engine_testing.h"

namespace hone {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Executable text in place of a Python.
std::string Script(const ScratchFolder& folder, const std::string& text) {
  const std::filesystem::path file = folder / "python";
  WriteFileAtomic(file, "#!/bin/sh\n" + text + "\n");
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  return file.string();
}

// A Python that writes its number into the file `pid` first.
std::string NotingPython(const ScratchFolder& folder) {
  return Script(folder, "echo $$ > " + (folder / "pid").string() + "\nexec " +
                            HONE_PYTHON + " \"$@\"");
}

pid_t NotedProcess(const ScratchFolder& folder) {
  return std::stoi(ReadFile(folder / "pid"));
}

bool Runs(pid_t process) {
  std::ifstream stat("/proc/" + std::to_string(process) + "/stat");
  std::string number;
  std::string name;
  std::string state;
  stat >> number >> name >> state;
  return !state.empty() && state != "Z";
}

std::string FailureOf(const std::function<void()>& work, ErrorCode code) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

std::int64_t CountOf(const EngineModel& model, const std::string& layer,
                     const std::string& primitive,
                     const std::string& precision) {
  std::int64_t count = 0;
  for (const KernelCount& kernel : model.Kernels()) {
    if (kernel.layer == layer && kernel.primitive == primitive &&
        kernel.precision == precision) {
      count += kernel.count;
    }
  }
  return count;
}

std::string KernelText(const EngineModel& model) {
  std::string text;
  for (const KernelCount& kernel : model.Kernels()) {
    text += kernel.primitive + "." + kernel.layer + " " + kernel.precision +
            " x " + std::to_string(kernel.count) + "\n";
  }
  return text;
}

// With the packages of the tests.
class OnnxRuntimeEngine : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!MakeTestedEngine("onnxruntime")) GTEST_SKIP() << kNoOnnxRuntime;
  }

  // Of a Python that notes its number; the engine's own worker is gone.
  std::unique_ptr<Engine> NotingEngine() {
    OnnxRuntimeOptions options = TestedOnnxRuntime();
    options.python = NotingPython(folder_);
    return MakeOnnxRuntimeEngine(options);
  }

  Exported Export(Precision precision, std::int64_t d_model = 128) {
    return {folder_,
            Make(d_model, {Block(MultiHead(4), 2 * d_model, precision)})};
  }

  ScratchFolder folder_;
};

TEST_F(OnnxRuntimeEngine, FloatLayersAreProductsInFloat) {
  const Exported exported = Export(Precision::kF32);
  const auto engine = MakeTestedEngine("onnxruntime");
  const auto model = engine->Load(exported.file, {1, 1, 16});
  // Six linear layers and the classifier; two products of attention.
  std::int64_t products = 0;
  for (const KernelCount& kernel : model->Kernels()) {
    if (kernel.layer == "MatMul" || kernel.layer == "Gemm" ||
        kernel.layer == "FusedMatMul") {
      EXPECT_EQ(kernel.precision, "f32");
      products += kernel.count;
    }
  }
  EXPECT_EQ(products, 6 + 1 + 2) << KernelText(*model);
  EXPECT_EQ(CountOf(*model, "BiasGelu", "com.microsoft", "f32"), 1)
      << KernelText(*model);
}

TEST_F(OnnxRuntimeEngine, Int8LayersRunInInt8) {
  const Exported exported = Export(Precision::kW8A8);
  const auto engine = MakeTestedEngine("onnxruntime");
  for (const EngineOptions& options :
       {EngineOptions{1, 1, 16}, EngineOptions{1, 0, 0}}) {
    const auto model = engine->Load(exported.file, options);
    EXPECT_EQ(CountOf(*model, "MatMulIntegerToFloat", "com.microsoft", "u8") +
                  CountOf(*model, "QGemm", "com.microsoft", "u8"),
              6)
        << KernelText(*model);
  }
}

TEST_F(OnnxRuntimeEngine, FourBitLayersKeepTheirWeightsInFourBits) {
  const Exported exported = Export(Precision::kW4);
  const auto engine = MakeTestedEngine("onnxruntime");
  const auto model = engine->Load(exported.file, {1, 1, 16});
  EXPECT_EQ(CountOf(*model, "MatMulNBits", "com.microsoft", "i4"), 6)
      << KernelText(*model);
}

TEST_F(OnnxRuntimeEngine, MemoryFollowsTheWeights) {
  const auto engine = MakeTestedEngine("onnxruntime");
  const auto bytes = [&](std::int64_t d_model) {
    return engine->Load(Export(Precision::kF32, d_model).file, {1, 1, 16})
        ->MemoryBytes();
  };
  const std::int64_t small = bytes(64);
  if (small == 0) GTEST_SKIP() << "the system does not tell the resident set";
  // 1024 wide: 4 d^2 of attention and 2 d (2 d) of the feed-forward part.
  const std::int64_t weights = 4 * (4 + 4) * 1024 * 1024;
  EXPECT_GT(bytes(1024), small + weights * 9 / 10);
  EXPECT_LT(bytes(1024), small + 4 * weights);
}

// The worker has as many threads as it is told, and what ONNX Runtime has for
// itself.
TEST_F(OnnxRuntimeEngine, ThreadsAreFixed) {
  const Exported exported = Export(Precision::kF32);
  const auto engine = NotingEngine();
  const auto threads = [&](std::int64_t count) {
    const auto model = engine->Load(exported.file, {count, 1, 16});
    const std::filesystem::directory_iterator tasks(
        "/proc/" + std::to_string(NotedProcess(folder_)) + "/task");
    return std::distance(begin(tasks), end(tasks));
  };
  EXPECT_EQ(threads(3), threads(1) + 2);
}

TEST_F(OnnxRuntimeEngine, AWorkerEndsWithItsModel) {
  const Exported exported = Export(Precision::kF32);
  const auto engine = NotingEngine();
  EXPECT_FALSE(Runs(NotedProcess(folder_)));
  pid_t worker = 0;
  {
    const auto model = engine->Load(exported.file, {});
    worker = NotedProcess(folder_);
    EXPECT_TRUE(Runs(worker));
    EXPECT_EQ(getpgid(worker), worker);
  }
  EXPECT_FALSE(Runs(worker));
}

TEST_F(OnnxRuntimeEngine, ADeadWorkerIsAnErrorOfItsModel) {
  const Exported exported = Export(Precision::kF32);
  const auto engine = NotingEngine();
  const auto model = engine->Load(exported.file, {});
  kill(NotedProcess(folder_), SIGKILL);
  const std::vector<std::int64_t> tokens = {1, 2, 3};
  for (const char* words : {"killed by signal 9", "ended before"}) {
    EXPECT_THAT(FailureOf([&] { model->Run(tokens, 1, 3); }, ErrorCode::kUsage),
                AllOf(HasSubstr(exported.file.string()), HasSubstr(words)));
  }
  // Others go on.
  EXPECT_EQ(engine->Load(exported.file, {})->Run(tokens, 1, 3).size(), 7u);
}

// Without any package.

TEST(OnnxRuntimeAbsent, SaysWhichPythonLacksWhat) {
  EXPECT_THAT(
      FailureOf(
          [] {
            MakeOnnxRuntimeEngine({HONE_PYTHON, "/nonexistent/packages"});
          },
          ErrorCode::kNotFound),
      AllOf(HasSubstr("No module named"), HasSubstr(HONE_PYTHON),
            HasSubstr("/nonexistent/packages"), HasSubstr("onnxruntime")));
  EXPECT_THAT(FailureOf(
                  [] {
                    MakeOnnxRuntimeEngine({"/nonexistent/python", ""});
                  },
                  ErrorCode::kNotFound),
              HasSubstr("cannot start '/nonexistent/python'"));
}

TEST(OnnxRuntimeAbsent, QuotesWhatADyingWorkerSaid) {
  const ScratchFolder folder;
  const std::string python = Script(folder, "echo out of luck >&2; exit 3");
  EXPECT_THAT(
      FailureOf(
          [&] {
            MakeOnnxRuntimeEngine({python, ""});
          },
          ErrorCode::kNotFound),
      AllOf(HasSubstr("ended with status 3"), HasSubstr("out of luck")));
}

TEST(WorkerProcess, CarriesMessagesBothWays) {
  WorkerProcess mirror({"sh", "-c", "exec cat <&0 >&0"}, 10);
  std::string body(1'000'000, 'x');
  body[17] = '\0';
  for (int i = 0; i < 3; ++i) {
    mirror.Send({{{"number", i}}, body.substr(0, 1000)});
    const WorkerMessage message = mirror.Receive();
    EXPECT_EQ(message.header, Json({{"number", i}}));
    EXPECT_EQ(message.body, body.substr(0, 1000));
  }
}

TEST(WorkerProcess, RefusesWhatIsNoMessage) {
  WorkerProcess talker({"sh", "-c", "echo this is not a message >&0; sleep 9"},
                       10);
  EXPECT_THAT(FailureOf([&] { talker.Receive(); }, ErrorCode::kResource),
              HasSubstr("something else than a message"));
}

TEST(WorkerProcess, GivesUpOnOneThatHangsAndLeavesNothing) {
  const ScratchFolder folder;
  const std::string pid = (folder / "pid").string();
  WorkerProcess sleeper(
      {"sh", "-c", "sleep 1000 & echo $! > " + pid + "; wait"}, 1);
  const double begin = SteadyMs();
  EXPECT_THAT(FailureOf([&] { sleeper.Receive(); }, ErrorCode::kResource),
              HasSubstr("no answer for 1 s"));
  EXPECT_GE(SteadyMs() - begin, 1000);
  // Its child too.
  for (int i = 0; i < 100 && Runs(NotedProcess(folder)); ++i) usleep(10'000);
  EXPECT_FALSE(Runs(NotedProcess(folder)));
}

// Nothing that is sent to the dead ends this process.
TEST(WorkerProcess, SendingToTheDeadIsAnError) {
  WorkerProcess dead({"true"}, 10);
  const std::string body(10'000'000, 'x');
  EXPECT_THAT(FailureOf(
                  [&] {
                    for (int i = 0; i < 100; ++i) dead.Send({{}, body});
                  },
                  ErrorCode::kResource),
              HasSubstr("ended with status 0"));
}

}  // namespace
}  // namespace hone
