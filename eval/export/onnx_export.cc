#include "eval/export/onnx_export.h"

#include "eval/export/onnx_ops.h"
#include "space/network/classifier.h"

namespace hone {

std::string ExportOnnx(const Architecture& architecture, const TaskShape& task,
                       const NamedTensors& quantized,
                       const std::map<std::string, std::string>& metadata) {
  OnnxWriter writer;
  OnnxOps ops(writer, quantized);
  ops.Logits(Classifier(ops, architecture, task, ops.Tokens()));
  std::map<std::string, std::string> entries = metadata;
  entries[kMaxTokensKey] = std::to_string(task.max_tokens);
  return writer.Serialize(entries);
}

}  // namespace hone
