#pragma once

#include <map>
#include <string>

#include "space/architecture.h"
#include "space/base/tensor_data.h"
#include "space/cost.h"

namespace hone {

// Part of the key under which exported files are kept: to be raised whenever
// ExportOnnx writes other bytes for the same arguments.
inline constexpr int kOnnxExporterVersion = 1;

// The metadata entry that says how many tokens the file's position table has.
inline constexpr char kMaxTokensKey[] = "max_tokens";

// Writes the classifier as an ONNX model (opset 21, IR 10, standard domain
// only): input "tokens" int64 [batch, tokens], both dynamic; output "logits"
// f32 [batch, classes]. Weights are `quantized` as QuantizeClassifier returns
// them: int8 linears become QuantizeLinear / DequantizeLinear around MatMul,
// 4-bit ones a blocked INT4 DequantizeLinear. `metadata` becomes
// metadata_props, with kMaxTokensKey added. The bytes are a function of the
// arguments alone. Throws Error{kInternal} when a weight is missing or does not
// have the type and shape that its layer's precision asks for.
std::string ExportOnnx(const Architecture& architecture, const TaskShape& task,
                       const NamedTensors& quantized,
                       const std::map<std::string, std::string>& metadata);

}  // namespace hone
