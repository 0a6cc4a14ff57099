#pragma once

#include <string>

#include "eval/inspection.h"
#include "space/base/json.h"

namespace hone {

// An inspection for people: for each way of running a file its products with
// what is stored, what runs and why; the time of all kernels; the bytes of the
// files. At most 80 columns.
std::string InspectionPage(const Inspection& inspection);

// {"files": [..], "phases": [{"file", "what", "run_ms", "kernels_ms",
// "products": [..], "kernels": [..]}]}
Json ToJson(const Inspection& inspection);

}  // namespace hone
