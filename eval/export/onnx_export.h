#pragma once

#include <map>
#include <string>

#include "eval/export/export_target.h"
#include "space/architecture.h"
#include "space/base/tensor_data.h"
#include "space/cost.h"

namespace hone {

// Part of the key under which exported files are kept: to be raised whenever
// ExportOnnx writes other bytes for the same arguments.
inline constexpr int kOnnxExporterVersion = 6;

// Names of the files, and of their inputs and outputs.
inline constexpr char kModelFile[] = "model.onnx";
inline constexpr char kEncoderFile[] = "encoder.onnx";
inline constexpr char kTokensInput[] = "tokens";
inline constexpr char kFeaturesInput[] = "features";
inline constexpr char kPlacesInput[] = "places";
inline constexpr char kSlotPlacesInput[] = "slot_places";
inline constexpr char kSourceMaskInput[] = "source_mask";
inline constexpr char kPastPrefix[] = "past.";
inline constexpr char kPresentPrefix[] = "present.";
inline constexpr char kSourcePrefix[] = "source.";
inline constexpr char kLogitsOutput[] = "logits";
// "source.0.key": of the first decoder block.
std::string SourceName(std::size_t block, const char* role);

// The metadata entries that say how many tokens the file's tables of places
// have, how many encoder layers each decoder block sees ("1,1,2"), and of a
// decoder whose keys and values are all those of local attention how many
// tokens before its own a token sees at most: what lies further back need not
// be handed in again.
inline constexpr char kMaxTokensKey[] = "max_tokens";
inline constexpr char kSourceLayersKey[] = "source_layers";
inline constexpr char kReachKey[] = "reach";
// And what an engine is to compute in, where that is not f32: "bf16".
inline constexpr char kComputeKey[] = "compute";
// And which layers were left in f32 (eval/faster_layers.h), if any: a list of
// names in JSON.
inline constexpr char kLeftInF32Key[] = "left_in_f32";

// Throws Error{kUsage} when the target has no spelling for a layer's precision,
// and names the layer: for TensorRT all but f32 and w8a8, and tables,
// products of attention and all the rest in other than f32.
void CheckServed(const Architecture& architecture, ExportTarget target);

// Writes a network as ONNX files (opset 21, IR 10; for TensorRT opset 20, IR 9;
// standard domain only), by file name. Batch and tokens are dynamic.
//   encoder    model.onnx: "tokens" int64 [batch,tokens] or "features" f32
//              [batch,tokens,F] -> "logits" f32 [batch,classes]
//   decoder    model.onnx reads `tokens` new tokens of each row at any time:
//              "tokens" int64 [batch,tokens]; "places" int64 [batch,tokens],
//              their places in the row; "slot_places" int64 [batch,slots], the
//              places of what is remembered and then of the new tokens (a large
//              number: nothing there); "past.NAME" f32, what was remembered:
//              keys and values [batch,K,past,E], sums [batch,H,M,C] -> "logits"
//              f32 [batch,tokens,V] and "present.NAME", the past of what comes
//              next. An input that no attention kind of the network needs is
//              missing.
//   encoder-decoder
//              encoder.onnx: "tokens" -> "source.I.key" and ".value" f32
//              [batch,H,S * layers,E] for each decoder block; model.onnx is the
//              decoder, with those as inputs and "source_mask" f32 [batch,S],
//              0 or -infinity where a shorter source has no token.
// Weights are `quantized` as QuantizeNetwork returns them: onnx_ops.h
// tells how each precision is spelled. `metadata` becomes metadata_props, with
// the keys above added. The bytes are a function of the arguments alone. Throws
// Error{kInternal} when a weight is missing or does not have the type and shape
// that its layer's precision asks for, Error{kUsage} as CheckServed does.
std::map<std::string, std::string> ExportOnnx(
    const Architecture& architecture, const TaskShape& task,
    const NamedTensors& quantized,
    const std::map<std::string, std::string>& metadata,
    ExportTarget target = ExportTarget::kOnnx);

}  // namespace hone
