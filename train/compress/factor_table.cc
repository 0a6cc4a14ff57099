#include "train/compress/factor_table.h"

#include <ATen/ops/norm.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/tensor.h>

#include "space/architecture.h"
#include "space/base/error.h"
#include "train/compress/factorize.h"
#include "train/torch_boundary.h"
#include "train/weight_source.h"

namespace hone {
namespace {

constexpr double kTiny = 1e-30;

void CheckRank(const std::string& name, std::int64_t rank, std::int64_t rows,
               std::int64_t columns) {
  if (IsFactored(rank, columns, rows)) return;
  throw Error(ErrorCode::kUsage,
              "a rank of " + std::to_string(rank) +
                  " does not make the table '" + name + "' of " +
                  std::to_string(rows) + " rows and " +
                  std::to_string(columns) + " columns smaller; use 1 to " +
                  std::to_string((rows * columns - 1) / (rows + columns)));
}

}  // namespace

std::vector<double> TokenCounts(const TaskData& data, std::int64_t vocabulary) {
  std::vector<double> counts(static_cast<std::size_t>(vocabulary));
  const auto add = [&](const std::vector<std::int64_t>& tokens) {
    for (const std::int64_t token : tokens) {
      ++counts.at(static_cast<std::size_t>(token));
    }
  };
  for (const auto& tokens : data.tokens) add(tokens);
  for (const auto& tokens : data.targets) add(tokens);
  add(data.stream);
  return counts;
}

void FactorTable(const std::string& name, std::int64_t rank,
                 const std::vector<double>& counts, NamedTensors& weights) {
  AtTorchBoundary("factoring a table", [&] {
    TensorData& stored = weights.at(name + ".weight");
    const at::Tensor table_VD = ToTensor(stored, at::kCPU).to(at::kDouble);
    CheckRank(name, rank, table_VD.size(0), table_VD.size(1));
    at::Tensor counts_V1 =
        at::tensor(counts, at::TensorOptions().dtype(at::kDouble))
            .view({table_VD.size(0), 1});
    if (counts_V1.sum().item<double>() == 0) {
      counts_V1 = at::ones_like(counts_V1);
    }
    const at::Tensor mean_1D =
        table_VD.mul(counts_V1).sum(0, true).div(counts_V1.sum());
    const Factors factors =
        FisherFactorsOf(table_VD.sub(mean_1D), rank, counts_V1);
    const at::Tensor lengths_R1 =
        factors.reduce_RI.norm(2, {1}, /*keepdim=*/true).clamp_min(kTiny);
    stored = ToTensorData(factors.expand_OR.mul(lengths_R1.t()));
    weights[name + ".expand.weight"] =
        ToTensorData(factors.reduce_RI.div(lengths_R1).t().contiguous());
    weights[name + ".expand.bias"] =
        ToTensorData(mean_1D.view({-1}).to(at::kFloat));
    return 0;
  });
}

}  // namespace hone
