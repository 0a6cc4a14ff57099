#include "train/compress/precision_errors.h"

#include "space/network/transformer.h"
#include "train/compress/calibration_run.h"
#include "train/compress/importance.h"
#include "train/compress/matrix_quantization.h"
#include "train/compress/stored_matrix.h"
#include "train/torch_boundary.h"

namespace hone {
namespace {

double ErrorOf(const std::vector<float>& weights,
               const std::vector<double>& squared_gradients,
               const LinearSpec& spec, const Precision& precision,
               bool reduce_range) {
  if (precision.IsFloat()) return 0;
  const std::vector<float> rounded =
      Dequantize(QuantizeMatrix(weights, spec.out, spec.in, precision,
                                MatrixOptionsOf(precision, reduce_range)));
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double change = double{rounded[i]} - double{weights[i]};
    sum += squared_gradients[i] * change * change;
  }
  return sum / 2;
}

}  // namespace

std::vector<std::vector<double>> PrecisionErrors(
    const Architecture& architecture, const TaskShape& task,
    const NamedTensors& weights, const TaskData& data,
    const std::vector<Precision>& precisions, bool reduce_range) {
  return AtTorchBoundary("finding what rounding spoils", [&] {
    const Architecture exact = WithoutPrecision(architecture);
    const LinearUses linears =
        CalibrationRun(exact, task, weights, data).FindLinears();
    const auto gradients = SquaredGradients(exact, task, weights, data);
    std::vector<std::vector<double>> errors;
    for (const NamedBlock& one : NamedBlocks(exact)) {
      std::vector<double>& row = errors.emplace_back(precisions.size());
      for (const auto& [name, use] : linears) {
        if (!name.starts_with(one.name + ".")) continue;
        const auto matrix = Floats(weights, name + ".weight");
        for (std::size_t p = 0; p < precisions.size(); ++p) {
          row[p] += ErrorOf(matrix, gradients.at(name), use.spec, precisions[p],
                            reduce_range);
        }
      }
    }
    return errors;
  });
}

}  // namespace hone
