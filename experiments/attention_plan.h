#pragma once

#include <vector>

#include "eval/attention_time.h"
#include "experiments/build_study.h"
#include "experiments/table.h"

namespace hone {

// The attention kinds of a spec's space beside `full`, timed at the spec's
// lengths on this machine, in a block of the space's largest width and head
// count.
struct AttentionPlan {
  AttentionTiming timing;
  std::int64_t tokens = 0;  // that the exported block reads
  AttentionTime full;
  std::vector<AttentionTime> others;
};

// One for each side (encoder, decoder) whose blocks have a choice beside
// `full`; none where nothing is trained or measured. Waits until no one else
// on the machine trains.
std::vector<AttentionPlan> PlanAttention(const SearchSpec& spec,
                                         const Workbench& workbench);

// One row for each kind: its times, as shares of those of `full`, and where it
// is slower.
Table ToTable(const AttentionPlan& plan);
Json ToJson(const AttentionPlan& plan);

}  // namespace hone
