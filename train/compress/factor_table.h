#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "space/base/tensor_data.h"
#include "train/data/task_data.h"

namespace hone {

// How often each token stands in what a network reads or predicts.
std::vector<double> TokenCounts(const TaskData& data, std::int64_t vocabulary);

// Replaces NAME.weight [V,D] by NAME.weight [V,rank], NAME.expand.weight
// [D,rank] and NAME.expand.bias [D] with
//   row v ~ expand.weight * (new row v) + expand.bias
// and the least sum of squared errors in which row v counts `counts[v]` times:
// the bias is the weighted mean, and the product is the truncated singular
// value decomposition of the weighted rest (Eckart & Young 1936; weights as in
// FisherFactorsOf). Rows that never occur are projected likewise. The columns
// of expand.weight are orthonormal, so that rows are as long as they were and
// an optimizer's steps fit them as before. Throws: Error{kUsage} when the
// product would not be smaller than the table.
void FactorTable(const std::string& name, std::int64_t rank,
                 const std::vector<double>& counts, NamedTensors& weights);

}  // namespace hone
