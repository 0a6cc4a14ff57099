#include "eval/export/onnx_export.h"

#include <algorithm>
#include <optional>
#include <variant>

#include "eval/export/onnx_ops.h"
#include "space/base/error.h"
#include "space/block_layers.h"
#include "space/network/transformer.h"

namespace hone {
namespace {

using Memory = SourceMemory<OnnxOps::Value>;

// Of Gelu, and the IR version that goes with it: older releases read no more.
constexpr OnnxVersions kTensorRtVersions{9, 20};

OnnxVersions VersionsFor(ExportTarget target) {
  return target == ExportTarget::kTensorRt ? kTensorRtVersions : OnnxVersions{};
}

[[noreturn]] void RefuseForTensorRt(const std::string& part,
                                    const std::string& is) {
  throw Error(ErrorCode::kUsage,
              part + " is " + is +
                  ", which has no spelling for TensorRT; use f32 or w8a8 for "
                  "layers, and f32 for everything else");
}

std::string ExportClassifier(const Architecture& architecture,
                             const TaskShape& task,
                             const NamedTensors& quantized,
                             const std::map<std::string, std::string>& entries,
                             ExportTarget target) {
  OnnxWriter writer(VersionsFor(target));
  OnnxOps ops(writer, quantized,
              {.target = target, .compute = architecture.stem.compute});
  const auto input =
      task.features > 0 ? ops.FeaturesInput(task.features) : ops.TokensInput();
  ops.Output(kLogitsOutput, Classifier(ops, architecture, task, input),
             {"batch", task.classes});
  return writer.Serialize(entries);
}

std::string ExportEncoder(const Architecture& architecture,
                          const TaskShape& task, const NamedTensors& quantized,
                          const std::map<std::string, std::string>& entries,
                          ExportTarget target) {
  OnnxWriter writer(VersionsFor(target));
  OnnxOps ops(writer, quantized,
              {.target = target, .compute = architecture.stem.compute});
  const auto memories =
      EncodeSource(ops, architecture, task, ops.TokensInput());
  for (std::size_t i = 0; i < memories.size(); ++i) {
    const auto output = [&](const char* role, const OnnxOps::Value& x) {
      const std::string name = SourceName(i, role);
      ops.Output(name, x, {"batch", x.shape[1], name + ".tokens", x.shape[3]});
    };
    output("key", memories[i].key);
    output("value", memories[i].value);
  }
  return writer.Serialize(entries);
}

// The widest window, where no kind of attention sees further.
std::optional<std::int64_t> ReachOf(const Architecture& architecture) {
  std::int64_t reach = 0;
  for (const BlockSpec& block : architecture.decoder) {
    if (const auto* local = std::get_if<LocalAttention>(&block.attention)) {
      reach = std::max(reach, local->window);
    } else if (std::holds_alternative<FullAttention>(block.attention) ||
               std::holds_alternative<StridedAttention>(block.attention)) {
      return std::nullopt;
    }
  }
  return reach;
}

std::string ExportDecoder(const Architecture& architecture,
                          const TaskShape& task, const NamedTensors& quantized,
                          std::map<std::string, std::string> entries,
                          ExportTarget target) {
  if (const auto reach = ReachOf(architecture)) {
    entries[kReachKey] = std::to_string(*reach);
  }
  OnnxWriter writer(VersionsFor(target));
  OnnxOps ops(
      writer, quantized,
      {.steps = true, .target = target, .compute = architecture.stem.compute});
  const auto tokens_BT = ops.TokensInput();
  std::vector<Memory> memories;
  for (std::size_t i = 0; i < architecture.decoder.size(); ++i) {
    const auto& cross = architecture.decoder[i].cross;
    if (!cross) continue;
    const std::int64_t head_dim = architecture.stem.d_model / cross->heads;
    const auto input = [&](const char* role) {
      return ops.SourceInput(SourceName(i, role), cross->heads, head_dim);
    };
    auto key = input("key");
    memories.push_back({key, input("value")});
  }
  ops.Output(kLogitsOutput,
             Decoder(ops, architecture, task, memories, tokens_BT),
             {"batch", "tokens", task.vocabulary});
  return writer.Serialize(entries);
}

std::string SourceLayers(const Architecture& architecture) {
  std::string text;
  for (const BlockSpec& block : architecture.decoder) {
    text += (text.empty() ? "" : ",") + std::to_string(block.cross->layers);
  }
  return text;
}

}  // namespace

std::string SourceName(std::size_t block, const char* role) {
  return kSourcePrefix + std::to_string(block) + "." + role;
}

void CheckServed(const Architecture& architecture, ExportTarget target) {
  if (target != ExportTarget::kTensorRt) return;
  const Compute compute = architecture.stem.compute;
  if (compute != Compute::kF32) {
    RefuseForTensorRt("the network", "computed in " + Name(compute));
  }
  const Precision& table = architecture.stem.embedding;
  if (!table.IsFloat()) RefuseForTensorRt("the token table", Name(table));
  for (const auto& [name, block] : NamedBlocks(architecture)) {
    for (const auto& [role, precision] : PrecisionsOf(block)) {
      const bool served =
          precision.IsFloat() ||
          (precision.weight_bits == 8 && precision.int8_activations &&
           precision.levels == Levels::kUniform);
      if (served) continue;
      RefuseForTensorRt("layer '" + name + "." + Name(role) + "'",
                        Name(precision));
    }
    if (block.products != AttentionProducts::kF32) {
      RefuseForTensorRt("the attention of '" + name + "'",
                        "computed in " + Name(block.products));
    }
  }
}

std::map<std::string, std::string> ExportOnnx(
    const Architecture& architecture, const TaskShape& task,
    const NamedTensors& quantized,
    const std::map<std::string, std::string>& metadata, ExportTarget target) {
  CheckServed(architecture, target);
  std::map<std::string, std::string> entries = metadata;
  entries[kMaxTokensKey] = std::to_string(task.max_tokens);
  if (architecture.stem.compute != Compute::kF32) {
    entries[kComputeKey] = Name(architecture.stem.compute);
  }
  switch (TopologyOf(architecture)) {
    case Topology::kEncoder:
      return {{kModelFile, ExportClassifier(architecture, task, quantized,
                                            entries, target)}};
    case Topology::kDecoder:
      return {{kModelFile,
               ExportDecoder(architecture, task, quantized, entries, target)}};
    case Topology::kEncoderDecoder:
      break;
  }
  std::map<std::string, std::string> files;
  files[kEncoderFile] =
      ExportEncoder(architecture, task, quantized, entries, target);
  entries[kMaxTokensKey] = std::to_string(task.max_target_tokens);
  entries[kSourceLayersKey] = SourceLayers(architecture);
  files[kModelFile] =
      ExportDecoder(architecture, task, quantized, entries, target);
  return files;
}

}  // namespace hone
