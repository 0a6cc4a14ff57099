// Writes exported classifiers with the logits that they must give, for programs
// that do not share our code: tests/eval/onnx_check.py and
// experiments/bench/latency_peers.py. Usage: write_fixtures DIR check|peers
//
// NAME.onnx         the exported file
// NAME.safetensors  the f32 weights that it was made from; "tokens" i64 [B,T]
//                   and "logits" f32 [B,C] of the plain reference on what the
//                   file states; metadata: architecture, precision

#include <cstring>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "eval/export/onnx_export.h"
#include "space/base/file.h"
#include "tests/eval/reference_network.h"
#include "tests/space/shapes.h"

namespace hone {
namespace {

struct Fixture {
  std::string name;
  Architecture architecture;
  TaskShape task;
  std::int64_t batch = 1;
  std::int64_t tokens = 1;
};

void Write(const std::filesystem::path& folder, const Fixture& fixture) {
  const auto& [name, architecture, task, batch, length] = fixture;
  const auto tokens = RandomTokens(batch * length, task.vocabulary, 11);
  SafeTensors file{RandomWeights(architecture, task, 12), {}};
  const NamedTensors quantized =
      QuantizeByRange(architecture, task, file.tensors, tokens, batch, length);
  WriteFileAtomic(folder / (name + ".onnx"),
                  ExportOnnx(architecture, task, quantized, {}).at(kModelFile));
  TensorData tokens_BT{DType::kI64, {batch, length}, {}};
  tokens_BT.bytes.resize(tokens.size() * sizeof(std::int64_t));
  std::memcpy(tokens_BT.bytes.data(), tokens.data(), tokens_BT.bytes.size());
  file.tensors["tokens"] = std::move(tokens_BT);
  file.tensors["logits"] = TensorData::FromFloats(
      {batch, task.classes},
      ReferenceLogits(architecture, task, quantized, tokens, batch, length));
  file.metadata["architecture"] = CanonicalText(architecture);
  file.metadata["precision"] =
      std::string(Name(architecture.encoder[0].precision));
  WriteSafeTensors(folder / (name + ".safetensors"), file);
}

std::vector<Fixture> CheckFixtures() {
  const TaskShape task = ClassifierShape(300, 9, 48, 32);
  std::vector<Fixture> fixtures;
  for (const Precision precision :
       {Precision::kF32, Precision::kW8A8, Precision::kW4}) {
    for (const AttentionSpec& attention :
         {AttentionSpec(MultiHead(4)), AttentionSpec(LocalAttention{2, 3})}) {
      const Architecture architecture{
          {64}, {2, BlockSpec{attention, {160}, precision}}};
      for (const auto& [batch, tokens] :
           {std::pair{1, 1}, std::pair{3, 16}, std::pair{1, 48}}) {
        fixtures.push_back({std::string(Name(precision)) + "_" +
                                AttentionName(attention).substr(0, 4) + "_" +
                                std::to_string(batch) + "x" +
                                std::to_string(tokens),
                            architecture, task, batch, tokens});
      }
    }
  }
  return fixtures;
}

// Models of the size that a search on glosses proposes: 4 heads, FFN 4 d_model.
std::vector<Fixture> PeerFixtures() {
  const TaskShape task = ClassifierShape(8000, 45, 64, 32);
  std::vector<Fixture> fixtures;
  for (const std::int64_t d_model : {64, 128, 256}) {
    for (const std::int64_t layers : {2, 4}) {
      for (const std::int64_t tokens : {16, 32}) {
        for (const Precision precision : {Precision::kF32, Precision::kW8A8}) {
          const std::vector<BlockSpec> blocks(
              static_cast<std::size_t>(layers),
              BlockSpec{MultiHead(4), {4 * d_model}, precision});
          fixtures.push_back({"d" + std::to_string(d_model) + "_l" +
                                  std::to_string(layers) + "_t" +
                                  std::to_string(tokens) + "_" +
                                  std::string(Name(precision)),
                              {{d_model}, blocks},
                              task,
                              1,
                              tokens});
        }
      }
    }
  }
  return fixtures;
}

}  // namespace
}  // namespace hone

int main(int argc, char** argv) {
  const std::string set = argc == 3 ? argv[2] : "";
  if (set != "check" && set != "peers") {
    std::cerr << "usage: write_fixtures DIR check|peers\n";
    return 2;
  }
  std::filesystem::create_directories(argv[1]);
  for (const hone::Fixture& fixture :
       set == "check" ? hone::CheckFixtures() : hone::PeerFixtures()) {
    hone::Write(argv[1], fixture);
  }
  return 0;
}
