#include "train/distill/layer_map.h"

#include <utility>

#include "space/base/error.h"
#include "space/network/transformer.h"

namespace hone {
namespace {

// The blocks of one side, of student and teacher.
struct Side {
  const char* name;
  std::size_t student;
  std::size_t teacher;
  bool causal;
};

std::vector<Side> Sides(const Architecture& student,
                        const Architecture& teacher) {
  HONE_CHECK(TopologyOf(student) == TopologyOf(teacher));
  std::vector<Side> sides;
  if (!student.encoder.empty()) {
    sides.push_back(
        {"encoder", student.encoder.size(), teacher.encoder.size(), false});
  }
  if (!student.decoder.empty()) {
    sides.push_back(
        {"decoder", student.decoder.size(), teacher.decoder.size(), true});
  }
  return sides;
}

}  // namespace

std::vector<LayerPair> HiddenLayers(const Architecture& student,
                                    const Architecture& teacher,
                                    const DistillationOptions& options) {
  std::vector<LayerPair> pairs;
  if (options.hidden_weight <= 0) return pairs;
  const std::vector<Side> sides = Sides(student, teacher);
  if (options.hidden_layers == "uniform") {
    for (const Side& side : sides) {
      for (std::size_t i = 1; i <= side.student; ++i) {
        const std::size_t depth =
            (i * side.teacher + side.student - 1) / side.student;
        pairs.push_back({BlockName(side.name, i - 1),
                         BlockName(side.name, depth - 1), side.causal});
      }
    }
    pairs.pop_back();  // The last block is compared after its norm.
  }
  pairs.push_back({kLastHiddenTap, kLastHiddenTap, sides.back().causal});
  return pairs;
}

std::vector<LayerPair> RelationLayers(const Architecture& student,
                                      const Architecture& teacher,
                                      const DistillationOptions& options) {
  std::vector<LayerPair> pairs;
  if (options.relation_weight <= 0) return pairs;
  const auto back = static_cast<std::size_t>(options.relation_layer);
  for (const Side& side : Sides(student, teacher)) {
    if (back > side.teacher) {
      throw Error(ErrorCode::kUsage,
                  std::to_string(back) + " is more than the teacher's " +
                      std::to_string(side.teacher) + " " + side.name +
                      " blocks; use 1 to " + std::to_string(side.teacher));
    }
    for (const char* role : kSelfAttentionRoles) {
      const std::string end = std::string(".attention") + role;
      pairs.push_back({BlockName(side.name, side.student - 1) + end,
                       BlockName(side.name, side.teacher - back) + end,
                       side.causal});
    }
  }
  return pairs;
}

std::set<std::string> StudentTaps(const Architecture& student,
                                  const Architecture& teacher,
                                  const DistillationOptions& options) {
  std::set<std::string> taps;
  for (const auto& pairs : {HiddenLayers(student, teacher, options),
                            RelationLayers(student, teacher, options)}) {
    for (const LayerPair& pair : pairs) taps.insert(pair.student);
  }
  return taps;
}

}  // namespace hone
