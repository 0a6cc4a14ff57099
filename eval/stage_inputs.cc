#include "eval/stage_inputs.h"

#include "eval/bert_teacher.h"

namespace hone {

Json TaskToJson(const TaskShape& task) {
  return {{"topology", static_cast<int>(task.topology)},
          {"vocabulary", task.vocabulary},
          {"features", task.features},
          {"classes", task.classes},
          {"max_tokens", task.max_tokens},
          {"max_target_tokens", task.max_target_tokens}};
}

std::string TeacherFile(std::size_t member) {
  return member == 0 ? kTeacherFile
                     : "teacher-" + std::to_string(member + 1) + ".safetensors";
}

Json TeacherIdentity(const StageResult& files, const Teacher& teacher) {
  Json hashes = Json::array();
  for (std::size_t i = 0; i <= teacher.other_members.size(); ++i) {
    hashes.push_back(files.Get(TeacherFile(i)).sha256);
  }
  // What the spec says of a checkpoint that is read stands in no weight.
  return {{"architecture", ToJson(teacher.architecture)}, {"files", hashes}};
}

Json TeacherIdentity(const Stages::Sources& sources) {
  return sources.teacher
             ? TeacherIdentity(sources.teacher_files, *sources.teacher)
             : Json("");
}

std::string Bytes(NamedTensors tensors) {
  return SerializeSafeTensors({std::move(tensors), {}});
}

}  // namespace hone
