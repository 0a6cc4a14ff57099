#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "eval/latency.h"
#include "search/study.h"
#include "space/base/fields.h"
#include "space/search_space.h"
#include "train/compress/quantize.h"
#include "train/compress/shrink.h"
#include "train/data/task_options.h"
#include "train/distill/distillation.h"
#include "train/distill/teacher_options.h"
#include "train/supernet_options.h"
#include "train/trainer.h"

namespace hone {

// The [study] table: what the run is called and what it is for.
struct StudySection {
  std::string name = "study";
  std::int64_t seed = 1;
  std::vector<std::string> objectives = {"maximize accuracy",
                                         "minimize latency_ms"};
  std::vector<std::string> constraints = {};

  template <typename Self, typename Visitor>
  static void Fields(Self& self, Visitor&& visit) {
    visit("name", self.name, AnyValue{},
          "of the study and its default file studies/NAME.db: letters, digits, "
          "'.', '_' and '-'");
    visit("seed", self.seed, InRange{0, 9e15},
          "labels every random stream; the same seed repeats the study");
    visit("objectives", self.objectives, AnyValue{},
          "what to find the best trade-offs of: \"maximize METRIC\" or "
          "\"minimize METRIC\"; by default of a language model "
          "nats_per_character and ms_per_token, of a translation bleu and "
          "generate_ms");
    visit("constraints", self.constraints, AnyValue{},
          "bounds on measured metrics, such as \"latency_ms <= 2\", which "
          "latencies keep with their whole 95 % interval; a trial that breaks "
          "one is never on the front");
  }
};

// A whole run: the options of every part. docs/search_spec.md lists the fields.
struct SearchSpec {
  StudySection study;
  TaskOptions task;
  SearchSpaceOptions space;
  TeacherOptions teacher;
  TrainingOptions teacher_training;
  TrainingOptions training;
  DistillationOptions distillation;
  CompressionOptions compression;
  QuantizationOptions quantization;
  MeasurementOptions measurement;
  SupernetOptions supernet;
  TrainingOptions supernet_training;
  StudyOptions search;

  // Calls visit(table name, options, what the table is) for each table.
  template <typename Self, typename Visitor>
  static void Sections(Self& self, Visitor&& visit) {
    visit("study", self.study, "What the run is called and what it is for.");
    visit("task", self.task, "The examples to learn from.");
    visit("space", self.space, "The architectures that may be tried.");
    visit("search", self.search, "How they are chosen, and how many.");
    visit("teacher", self.teacher,
          "One big network that every student learns from; trained once.");
    visit("teacher.training", self.teacher_training,
          "How the teacher is trained.");
    visit("training", self.training, "How each student is trained.");
    visit("distillation", self.distillation,
          "What a student learns from the teacher.");
    visit("supernet", self.supernet,
          "One set of weights for all architectures of the space, behind "
          "search.rungs = [\"inherited\"].");
    visit("supernet.training", self.supernet_training,
          "How it is trained, from the largest student on.");
    visit("compression", self.compression,
          "How a trained network becomes a smaller one (hone compress).");
    visit("quantization", self.quantization,
          "How trained weights become integers.");
    visit("measurement", self.measurement,
          "How exported files are run and timed.");
  }
};

// Fidelity `cost`: numbers follow from architectures alone.
bool TrainsNothing(const SearchSpec& spec);

// Reads a TOML file and then the overrides "table.key=value", through the same
// checks: unknown and duplicate keys, types, ranges, and what fields demand of
// each other. Throws Error{kUsage}: "file:line:column: table.key: what is
// wrong; what would be right", Error{kNotFound} when there is no such file.
SearchSpec ReadSearchSpec(const std::filesystem::path& path,
                          const std::vector<std::string>& overrides);
// The same for a text. `source` is what messages call it.
SearchSpec ParseSearchSpec(const std::string& text, const std::string& source,
                           const std::vector<std::string>& overrides);

// Every field of every table, and back. A study of an older program lacks the
// fields that came later; they get their defaults. Throws Error{kIntegrity}
// when the JSON is not such an object.
Json SpecToJson(const SearchSpec& spec);
SearchSpec SpecFromJson(const Json& json);

// SHA-256 of the canonical JSON without what may change between runs of one
// study: the number of trials. (Workers are no part of a spec.)
std::string SpecHash(const SearchSpec& spec);

// The fields in which the hashed parts of two specs differ: "training.steps",
// "100", "200".
struct SpecDifference {
  std::string field;
  std::string first;  // as JSON
  std::string second;
  bool operator==(const SpecDifference&) const = default;
};
std::vector<SpecDifference> SpecDifferences(const Json& first,
                                            const Json& second);

// The text of docs/search_spec.md, from the field lists.
std::string SpecReference();

}  // namespace hone
