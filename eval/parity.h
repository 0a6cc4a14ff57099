#pragma once

#include <filesystem>

#include "eval/exported_network.h"
#include "space/architecture.h"
#include "space/base/tensor_data.h"

namespace hone {

// How far an exported file is from the eager interpreter with the same
// weights: the root mean square of the difference of their logits over that of
// the reference's deviation from its mean, on at most 512 rows of `data`.
// `network` is the file as trials are measured. Where the engine may quantize
// activations on its own, or computes in bf16, the file is loaded once more
// without that, since it is the file that is tested.
double ParityError(Engine& engine, const std::filesystem::path& folder,
                   const Architecture& architecture, const TaskShape& task,
                   const NamedTensors& quantized, const TaskData& data,
                   std::int64_t threads, ExportedNetwork& network);

}  // namespace hone
