#pragma once

#include <memory>

#include "eval/evaluator.h"
#include "eval/latency.h"
#include "space/cost.h"

namespace hone {

// A latency in milliseconds from the cost model alone: a fixed time per model
// and per linear layer, and multiply-adds at a rate that depends on the block's
// precision. Deterministic, plausible, and true of no machine.
double SimulatedLatencyMs(const Architecture& architecture,
                          const TaskShape& task, std::int64_t batch,
                          std::int64_t tokens);

// An evaluator that trains nothing: accuracy is a saturating function of the
// parameters outside the embedding with a penalty for few bits and a small
// repeatable scatter by architecture; latency is the above. For tests, for the
// digest and for trying the command line. At fidelities that are not full the
// accuracy is scattered about a lower one, more at `inherited` than at `short`.
std::unique_ptr<Evaluator> MakeSimulatedEvaluator(
    const TaskShape& task, const MeasurementOptions& options);

}  // namespace hone
