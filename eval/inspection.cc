#include "eval/inspection.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include "eval/export/onnx_export.h"
#include "eval/export/onnx_reader.h"
#include "space/base/error.h"
#include "space/base/file.h"
#include "space/base/json.h"
#include "space/base/rng.h"

namespace hone {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kWarmUps = 3;
constexpr std::size_t kFewestRuns = 20;
constexpr double kMilliseconds = 100;
constexpr int kLoads = 3;
// Prompts whose steps are timed; one more warms up.
constexpr int kPrompts = 8;
constexpr std::uint64_t kInputSeed = 1;

bool IsInteger(const std::string& type) {
  return type.starts_with("u") || type.starts_with("i");
}

// "brgemm_avx512_I8" -> "int8", "jit_avx512_f32" -> "f32".
std::string PrecisionOf(const std::string& primitive) {
  const std::string last = primitive.substr(primitive.rfind('_') + 1);
  return last == "I8" ? "int8" : last;
}

// The operations of a chain, each once.
std::string ChainText(const std::vector<std::string>& chain) {
  std::set<std::string> seen;
  std::string text;
  for (const std::string& op : chain) {
    if (!seen.insert(op).second) continue;
    text += (text.empty() ? "" : ", ") + op;
  }
  return text;
}

// What a kernel reads, where it says so.
struct Operands {
  std::string activations;
  std::string weights;
};

std::optional<Operands> OperandsOf(const StoredProduct& product,
                                   const EngineNode& node) {
  const bool plain = node.layer == "FullyConnected" || node.layer == "MatMul" ||
                     node.layer == "Gemm";
  if (!plain || node.inputs.size() < 2) return std::nullopt;
  const std::size_t weight = product.weight ? product.weight->operand : 1;
  return Operands{node.inputs[1 - weight], node.inputs[weight]};
}

std::string RunsText(const StoredProduct& product, const EngineNode& node) {
  const auto operands = OperandsOf(product, node);
  if (!operands) return PrecisionOf(node.primitive);
  if (operands->activations == operands->weights) return operands->weights;
  return operands->activations + "/" + operands->weights;
}

// Nodes that unpack the weight at each inference.
std::int64_t Unpacking(const StoredWeight& weight, std::size_t product_node,
                       const std::vector<EngineNode>& nodes) {
  const std::set<std::string> values(weight.values.begin(),
                                     weight.values.end());
  std::int64_t count = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (i == product_node) continue;
    count += values.contains(nodes[i].values.front());
  }
  return count;
}

struct Verdict {
  bool miss = false;
  std::string why;
};

Verdict JudgeLowBit(const StoredProduct& product, const Operands& run,
                    std::int64_t unpacking) {
  const StoredWeight& weight = *product.weight;
  if (!IsInteger(run.weights)) {
    const std::string chain = ": the engine has no kernel for this chain (" +
                              ChainText(weight.chain) + ")";
    if (unpacking > 0) {
      return {true, "unpacked to " + run.weights + " at each inference by " +
                        std::to_string(unpacking) +
                        (unpacking == 1 ? " node" : " nodes") + chain};
    }
    return {true, "folded to " + run.weights + " when loaded" + chain};
  }
  if (IsInteger(run.activations)) return {false, "in int8"};
  const std::string held =
      run.weights == weight.type ? "" : "held as " + run.weights + "; ";
  if (product.activations != "f32") {
    return {true, held +
                      "weights decompressed on the fly: the engine did "
                      "not keep the activations in " +
                      product.activations};
  }
  return {true,
          held + "weights decompressed on the fly: activations come in float"};
}

Verdict Judge(const StoredProduct& product, std::size_t index,
              const std::vector<EngineNode>& nodes) {
  const EngineNode& node = nodes[index];
  const std::string runs = RunsText(product, node);
  if (!product.weight) {
    if (product.activations == "f32") return {false, "no weights; float"};
    if (runs == "int8" || IsInteger(runs)) return {false, "in int8"};
    return {true, "quantized operands, run in " + runs};
  }
  const auto operands = OperandsOf(product, node);
  const StoredWeight& weight = *product.weight;
  if (!operands) {
    return {weight.low_bit && runs != "int8",
            "in a fused kernel, which does not tell how it reads weights"};
  }
  if (weight.low_bit) {
    return JudgeLowBit(product, *operands, Unpacking(weight, index, nodes));
  }
  if (operands->weights == weight.type) {
    return {false, "kept " + weight.type + ": stored so"};
  }
  return {false, "stored in " + weight.type + ", held as " + operands->weights};
}

// A product's node: the first that is named after one of its values and does
// more than move or combine elements.
std::optional<std::size_t> FindNode(
    const StoredProduct& product, const std::vector<EngineNode>& nodes,
    const std::map<std::string, std::size_t>& owners) {
  static const std::set<std::string> kOthers = {
      "Concat",  "Convert", "Eltwise",  "Gather",
      "Reorder", "Reshape", "Transpose"};
  for (const std::string& value : product.values) {
    const auto found = owners.find(value);
    if (found == owners.end()) continue;
    if (!kOthers.contains(nodes[found->second].layer)) return found->second;
  }
  return std::nullopt;
}

double Milliseconds(Clock::time_point start, Clock::time_point end) {
  return std::chrono::duration<double, std::milli>(end - start).count();
}

double Mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) /
         static_cast<double>(values.size());
}

// What the nodes of one file did between two looks, for one run.
std::vector<EngineNode> Between(const std::string& file,
                                const std::vector<EngineNode>& before,
                                const std::vector<EngineNode>& after,
                                std::size_t runs) {
  HONE_CHECK_EQ(before.size(), after.size());
  std::vector<EngineNode> nodes;
  for (std::size_t i = 0; i < after.size(); ++i) {
    HONE_CHECK_EQ(before[i].values.front(), after[i].values.front());
    if (after[i].file != file) continue;
    nodes.push_back(after[i]);
    nodes.back().microseconds =
        std::max(0.0, after[i].microseconds - before[i].microseconds) /
        static_cast<double>(runs);
  }
  return nodes;
}

// Requires: `nodes` looks at the model that `run` runs.
InspectedPhase Profiled(const std::string& file, const std::string& what,
                        const TimedRun& run,
                        const std::function<std::vector<EngineNode>()>& nodes) {
  for (int i = 0; i < kWarmUps; ++i) run();
  const auto before = nodes();
  std::vector<double> times;
  double spent = 0;
  while (times.size() < kFewestRuns || spent < kMilliseconds) {
    times.push_back(run());
    spent += times.back();
  }
  InspectedPhase phase{file, what, Mean(times), {}, {}};
  phase.nodes = Between(file, before, nodes(), times.size());
  return phase;
}

EngineOptions LoadOptions(const MeasurementOptions& options) {
  EngineOptions load{options.threads, options.batch, options.tokens};
  load.profile = true;
  return load;
}

std::vector<InspectedPhase> EncoderPhases(Engine& engine,
                                          const std::filesystem::path& folder,
                                          const TaskShape& task,
                                          const MeasurementOptions& options) {
  const auto model = engine.Load(folder / kModelFile, LoadOptions(options));
  return {Profiled(kModelFile, "one inference",
                   ClassifyRun(*model, task, options, kInputSeed),
                   [&] { return model->Nodes(); })};
}

// A decoder's texts: `batch` of them side by side.
class Texts {
 public:
  Texts(const TaskShape& task, const MeasurementOptions& options)
      : options_(options),
        translates_(task.topology == Topology::kEncoderDecoder),
        sources_(static_cast<std::size_t>(options.batch)) {
    Rng rng(kInputSeed, 0, "tokens");
    const auto draw = [&](std::int64_t count) {
      std::vector<std::int64_t> tokens;
      for (std::int64_t i = 0; i < count; ++i) {
        tokens.push_back(static_cast<std::int64_t>(
            rng.Below(static_cast<std::uint64_t>(task.vocabulary))));
      }
      return tokens;
    };
    for (auto& source : sources_) {
      if (translates_) source = draw(options.tokens);
    }
    prompt_ = draw(options.batch * options.tokens);
    one_ = draw(options.batch);
  }

  // A source, or a prompt, that was read.
  std::unique_ptr<DecodeBatch> Begin(StepModel& model) const {
    auto batch = model.Start(sources_);
    if (!translates_) batch->Extend(prompt_, options_.tokens);
    return batch;
  }
  void Step(DecodeBatch& batch) const { batch.Extend(one_, 1); }
  bool translates() const { return translates_; }

 private:
  const MeasurementOptions& options_;
  bool translates_;
  std::vector<std::vector<std::int64_t>> sources_;
  std::vector<std::int64_t> prompt_;
  std::vector<std::int64_t> one_;
};

InspectedPhase StepPhase(EngineDecoder& model, const Texts& texts,
                         std::int64_t steps) {
  std::vector<std::unique_ptr<DecodeBatch>> batches;
  for (int i = 0; i <= kPrompts; ++i) batches.push_back(texts.Begin(model));
  for (std::int64_t i = 0; i < steps; ++i) texts.Step(*batches[0]);
  const auto before = model.Nodes();
  std::vector<double> times;
  for (std::size_t i = 1; i < batches.size(); ++i) {
    for (std::int64_t step = 0; step < steps; ++step) {
      const Clock::time_point start = Clock::now();
      texts.Step(*batches[i]);
      times.push_back(Milliseconds(start, Clock::now()));
    }
  }
  InspectedPhase phase{kModelFile, "a step", Mean(times), {}, {}};
  phase.nodes = Between(kModelFile, before, model.Nodes(), times.size());
  return phase;
}

std::vector<InspectedPhase> DecoderPhases(Engine& engine,
                                          const std::filesystem::path& folder,
                                          const TaskShape& task,
                                          const MeasurementOptions& options) {
  const Texts texts(task, options);
  const auto model = engine.LoadDecoder(folder, LoadOptions(options));
  const TimedRun begin = [&] {
    const Clock::time_point start = Clock::now();
    texts.Begin(*model);
    return Milliseconds(start, Clock::now());
  };
  const char* file = texts.translates() ? kEncoderFile : kModelFile;
  const char* what = texts.translates() ? "a source" : "a prompt";
  std::vector<InspectedPhase> phases = {
      Profiled(file, what, begin, [&] { return model->Nodes(); })};
  // The counts of nodes begin anew, so that prompts do not blur steps.
  const auto another = engine.LoadDecoder(folder, LoadOptions(options));
  phases.push_back(StepPhase(
      *another, texts, std::max<std::int64_t>(options.new_tokens - 1, 1)));
  return phases;
}

// The same phases of several loads as one: the median of each time.
std::vector<InspectedPhase> Merged(
    const std::vector<std::vector<InspectedPhase>>& loads) {
  std::vector<InspectedPhase> merged = loads.front();
  for (std::size_t i = 0; i < merged.size(); ++i) {
    std::vector<double> times;
    for (const auto& phases : loads) times.push_back(phases[i].run_ms);
    merged[i].run_ms = Median(times);
    for (std::size_t n = 0; n < merged[i].nodes.size(); ++n) {
      std::vector<double> own;
      for (const auto& phases : loads) {
        HONE_CHECK_EQ(phases[i].nodes.size(), merged[i].nodes.size());
        own.push_back(phases[i].nodes[n].microseconds);
      }
      merged[i].nodes[n].microseconds = Median(own);
    }
  }
  return merged;
}

// The layers that a file says were left in f32.
std::vector<std::string> LeftInF32(const ReadModel& model,
                                   const std::string& where) {
  const auto found = model.metadata.find(kLeftInF32Key);
  if (found == model.metadata.end()) return {};
  const Json layers = ParseJson(found->second, where);
  const bool names =
      layers.is_array() &&
      std::all_of(layers.begin(), layers.end(),
                  [](const Json& one) { return one.is_string(); });
  if (!names) {
    throw Error(ErrorCode::kIntegrity, where + ": the metadata entry " +
                                           kLeftInF32Key +
                                           " is no list of layers");
  }
  return layers.get<std::vector<std::string>>();
}

void ExplainF32(const std::vector<std::string>& layers,
                std::vector<InspectedProduct>& products) {
  for (InspectedProduct& product : products) {
    for (const std::string& layer : layers) {
      const bool own = product.stored.layer == layer ||
                       product.stored.layer.starts_with(layer + ".");
      if (own) product.why = "kept f32: timed, and faster than in fewer bits";
    }
  }
}

}  // namespace

std::vector<InspectedProduct> MatchProducts(
    const std::vector<StoredProduct>& stored,
    const std::vector<EngineNode>& nodes) {
  std::map<std::string, std::size_t> owners;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (const std::string& value : nodes[i].values) owners.emplace(value, i);
  }
  std::vector<InspectedProduct> products;
  std::map<std::size_t, std::size_t> first;
  for (std::size_t i = 0; i < stored.size(); ++i) {
    InspectedProduct product;
    product.stored = stored[i];
    product.node = FindNode(stored[i], nodes, owners);
    if (product.node) {
      const auto [at, is_new] = first.emplace(*product.node, i);
      if (!is_new) product.shares_with = at->second;
      product.runs = RunsText(stored[i], nodes[*product.node]);
      const Verdict verdict = Judge(stored[i], *product.node, nodes);
      product.miss = verdict.miss;
      product.why = verdict.why;
    } else {
      product.runs = "-";
      product.why = stored[i].of_shapes
                        ? "follows from the shape: computed when loaded"
                        : "not found: no kernel says that it computes this";
    }
    products.push_back(std::move(product));
  }
  return products;
}

Inspection Inspect(Engine& engine, const std::filesystem::path& folder,
                   const TaskShape& task, const MeasurementOptions& options) {
  Inspection inspection;
  std::map<std::string, StoredModel> stored;
  std::map<std::string, std::vector<std::string>> left_in_f32;
  std::vector<std::string> names = {kModelFile};
  if (task.topology == Topology::kEncoderDecoder) {
    names.insert(names.begin(), kEncoderFile);
  }
  for (const std::string& name : names) {
    const std::filesystem::path path = folder / name;
    const std::string bytes = ReadFile(path);
    const auto size = static_cast<std::int64_t>(bytes.size());
    const ReadModel model = ReadOnnx(bytes, path.string());
    stored[name] = ReadStored(model, size);
    left_in_f32[name] = LeftInF32(model, path.string());
    inspection.files.push_back({name, size, stored[name].bytes});
  }
  std::vector<std::vector<InspectedPhase>> loads;
  for (int i = 0; i < kLoads; ++i) {
    loads.push_back(task.topology == Topology::kEncoder
                        ? EncoderPhases(engine, folder, task, options)
                        : DecoderPhases(engine, folder, task, options));
  }
  inspection.phases = Merged(loads);
  for (InspectedPhase& phase : inspection.phases) {
    if (phase.nodes.empty()) {
      throw Error(ErrorCode::kUsage,
                  (folder / phase.file).string() +
                      ": the engine does not tell its nodes; use openvino");
    }
    phase.products = MatchProducts(stored.at(phase.file).products, phase.nodes);
    ExplainF32(left_in_f32.at(phase.file), phase.products);
  }
  return inspection;
}

}  // namespace hone
