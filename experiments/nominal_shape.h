#pragma once

#include "space/cost.h"
#include "train/data/task_options.h"

namespace hone {

// The shape of a spec's task as far as it is known without reading data, of
// which only a vocabulary's file is read.
TaskShape NominalShape(const TaskOptions& task);

}  // namespace hone
