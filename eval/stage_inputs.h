#pragma once

#include <cstdint>
#include <string>

#include "eval/stages.h"
#include "space/base/json.h"
#include "space/base/tensor_data.h"
#include "space/cost.h"
#include "train/distill/distillation.h"

namespace hone {

// What stages' results are filed under, and as.

inline constexpr std::int64_t kInferenceBatch = 64;

Json TaskToJson(const TaskShape& task);
// Of an ensemble's member, counted from 0.
std::string TeacherFile(std::size_t member);
// What tells one teacher from another: the hash of its weights, or those of an
// ensemble's members; "" where there is none.
Json TeacherIdentity(const StageResult& files, const Teacher& teacher);
Json TeacherIdentity(const Stages::Sources& sources);
// A safetensors file.
std::string Bytes(NamedTensors tensors);

}  // namespace hone
