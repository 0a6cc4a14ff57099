// Writes exported networks with the logits that they must give, for programs
// that do not share our code: tests/eval/onnx_check.py (check) and
// experiments/bench/: latency_peers.py and linear_spellings.py (peers),
// attention_products.py (products), bf16.py (bf16). Usage:
// write_fixtures DIR SET
//
// NAME/*.onnx               the exported files
// NAME/fixture.safetensors  the f32 weights that they were made from; "tokens"
//                           i64 [B,T] or "features" f32 [B,T,F], and "logits"
//                           f32 of the plain reference on what the files
//                           state; metadata: architecture, precision

#include <cstring>
#include <filesystem>
#include <iostream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "eval/export/onnx_export.h"
#include "space/base/file.h"
#include "tests/eval/reference_network.h"
#include "tests/space/kinds.h"

namespace hone {
namespace {

struct Fixture {
  NetworkCase network;  // its name is the folder's
  Precision precision = Precision::kF32;
  std::int64_t batch = 1;
  std::int64_t tokens = 1;
};

void AddInput(const TaskShape& task, std::int64_t batch, std::int64_t length,
              const std::vector<std::int64_t>& numbers, NamedTensors& tensors) {
  if (task.features > 0) {
    tensors["features"] = TensorData::FromFloats(
        {batch, length, task.features}, {numbers.begin(), numbers.end()});
    return;
  }
  TensorData tokens_BT{DType::kI64, {batch, length}, {}};
  tokens_BT.bytes.resize(numbers.size() * sizeof(std::int64_t));
  std::memcpy(tokens_BT.bytes.data(), numbers.data(), tokens_BT.bytes.size());
  tensors["tokens"] = std::move(tokens_BT);
}

void Write(const std::filesystem::path& folder, const Fixture& fixture) {
  const auto& [name, architecture, task] = fixture.network;
  const std::int64_t batch = fixture.batch;
  const std::int64_t length = fixture.tokens;
  const auto numbers = RandomInput(batch * length, task, 11);
  SafeTensors file{RandomWeights(architecture, task, 12), {}};
  const NamedTensors quantized =
      QuantizeByRange(architecture, task, file.tensors, numbers, batch, length);
  std::filesystem::create_directories(folder);
  for (const auto& [file_name, bytes] :
       ExportOnnx(architecture, task, quantized, {})) {
    WriteFileAtomic(folder / file_name, bytes);
  }
  AddInput(task, batch, length, numbers, file.tensors);
  const auto logits =
      ReferenceLogits(architecture, task, quantized, numbers, batch, length);
  file.tensors["logits"] = TensorData::FromFloats(
      {batch, static_cast<std::int64_t>(logits.size()) / batch}, logits);
  file.metadata["architecture"] = CanonicalText(architecture);
  file.metadata["precision"] = std::string(Name(fixture.precision));
  WriteSafeTensors(folder / "fixture.safetensors", file);
}

Fixture Named(NetworkCase network, Precision precision, std::int64_t batch,
              std::int64_t tokens) {
  network.name = TestName(network) + "_" + TestName(precision) + "_" +
                 std::to_string(batch) + "x" + std::to_string(tokens);
  return {std::move(network), precision, batch, tokens};
}

// Every kind there is in f32, and every precision in every topology.
std::vector<Fixture> CheckFixtures() {
  std::vector<Fixture> fixtures;
  for (const NetworkCase& one : NetworkCases(32, Precision::kF32)) {
    fixtures.push_back(Named(one, Precision::kF32, 2, 17));
  }
  for (const Precision& precision : EveryPrecision()) {
    fixtures.push_back(
        Named(EncoderCase("full", {48}, precision), precision, 2, 9));
  }
  for (const NetworkCase& one : TableCases(32)) {
    fixtures.push_back(Named(one, one.architecture.stem.embedding, 2, 9));
  }
  for (const Precision precision :
       {Precision::kF32, Precision::kW8A8, Precision::kW4}) {
    for (const auto& [batch, tokens] :
         {std::pair{1, 1}, std::pair{3, 16}, std::pair{1, 20}}) {
      for (const NetworkCase& one : {EncoderCase("full", {64}, precision),
                                     EncoderCase("local:3", {64}, precision),
                                     DecoderCase("full:2", {64}, precision),
                                     TranslationCase({64}, precision)}) {
        fixtures.push_back(Named(one, precision, batch, tokens));
      }
    }
  }
  // Of which some layers or products are quantized.
  for (const NetworkCase& one : CasesInA8(32, Precision::kF32)) {
    fixtures.push_back(Named(one, Precision::kW8A8, 2, 17));
  }
  for (const NetworkCase& one : MixedCases(40)) {
    fixtures.push_back(Named(one, Precision::kW8A8, 2, 17));
  }
  for (const NetworkCase& one : Bf16Cases(48)) {
    Architecture rounded = one.architecture;
    rounded.stem.compute = Compute::kF32;
    const bool exact = rounded == WithoutPrecision(rounded);
    fixtures.push_back(
        Named(one, exact ? Precision::kF32 : Precision::kW8A8, 2, 17));
  }
  return fixtures;
}

// Text classifiers of two blocks: 4 heads, FFN 4 d_model.
std::vector<Fixture> PeerFixtures() {
  const TaskShape task = ClassifierShape(8000, 45, 128);
  std::vector<Fixture> fixtures;
  for (const std::int64_t d_model : {64, 128, 256, 512}) {
    for (const std::int64_t tokens : {16, 32, 64, 128}) {
      const auto add = [&](const std::string& name, const BlockSpec& block) {
        fixtures.push_back({{"d" + std::to_string(d_model) + "_t" +
                                 std::to_string(tokens) + "_" + name,
                             {{d_model}, {block, block}},
                             task},
                            block.precision,
                            1,
                            tokens});
      };
      BlockSpec block{MultiHead(4), {4 * d_model}, Precision::kF32};
      add("f32", block);
      block.precision = Precision::kW8A8;
      add("w8a8", block);
      block.products = AttentionProducts::kA8;
      add("w8a8_a8", block);
    }
  }
  return fixtures;
}

// The same in f32, bf16, w8a8, and w8a8 with the rest in bf16.
std::vector<Fixture> Bf16Fixtures() {
  std::vector<Fixture> fixtures;
  for (const std::int64_t d_model : {64, 128, 256, 512}) {
    for (const std::int64_t tokens : {16, 128}) {
      for (const Precision precision : {Precision::kF32, Precision::kW8A8}) {
        for (const Compute compute : {Compute::kF32, Compute::kBf16}) {
          StemSpec stem{d_model};
          stem.compute = compute;
          std::string kind = Name(precision);
          if (compute == Compute::kBf16) {
            kind = precision.IsFloat() ? "bf16" : kind + "-bf16";
          }
          fixtures.push_back(
              {{"d" + std::to_string(d_model) + "_t" + std::to_string(tokens) +
                    "_" + kind,
                {stem, std::vector<BlockSpec>(
                           2, {MultiHead(4), {4 * d_model}, precision})},
                ClassifierShape(8000, 45, 128)},
               precision,
               1,
               tokens});
        }
      }
    }
  }
  return fixtures;
}

// Two blocks with products of attention in f32 and in a8, at several lengths.
std::vector<Fixture> ProductFixtures() {
  std::vector<Fixture> fixtures;
  for (const std::int64_t d_model : {64, 128, 256}) {
    for (const std::int64_t tokens : {16, 64, 128, 256, 512}) {
      for (const std::string& products : NamesOf<AttentionProducts>()) {
        BlockSpec block{MultiHead(4), {2 * d_model}, Precision::kW8A8};
        block.products = Parse<AttentionProducts>(products);
        fixtures.push_back({{"d" + std::to_string(d_model) + "_t" +
                                 std::to_string(tokens) + "_" + products,
                             {{d_model}, {block, block}},
                             ClassifierShape(500, 5, tokens)},
                            Precision::kW8A8,
                            1,
                            tokens});
      }
    }
  }
  return fixtures;
}

using Fixtures = std::vector<Fixture> (*)();
const std::map<std::string, Fixtures> kSets = {{"check", CheckFixtures},
                                               {"peers", PeerFixtures},
                                               {"bf16", Bf16Fixtures},
                                               {"products", ProductFixtures}};

}  // namespace
}  // namespace hone

int main(int argc, char** argv) {
  const auto set = hone::kSets.find(argc == 3 ? argv[2] : "");
  if (set == hone::kSets.end()) {
    std::cerr << "usage: write_fixtures DIR SET, with one of the sets:";
    for (const auto& [name, fixtures] : hone::kSets) std::cerr << " " << name;
    std::cerr << "\n";
    return 2;
  }
  for (const hone::Fixture& fixture : set->second()) {
    hone::Write(std::filesystem::path(argv[1]) / fixture.network.name, fixture);
  }
  return 0;
}
