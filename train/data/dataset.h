#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/data/task_options.h"

namespace hone {

struct LabelledText {
  std::string text;
  std::int64_t label = 0;
};

// The examples of a text or sequence classification that a search may see.
// Class numbers index `classes`, which is sorted by name. There is no test
// split here: only LoadTestSplit reads it.
struct TextDataset {
  std::vector<std::string> classes;
  std::vector<LabelledText> train;
  std::vector<LabelledText> dev;
  std::string content_hash;  // SHA-256 over classes, texts and labels
};

// Throws: Error{kUsage} naming file and line of a bad row (wrong number of
// fields, empty text, label of dev not in train, invalid UTF-8, NUL);
// Error{kNotFound} naming the Debian package or the file that is missing.
TextDataset LoadDataset(const TaskOptions& options);
// The test split, labelled by the given class list.
std::vector<LabelledText> LoadTestSplit(
    const TaskOptions& options, const std::vector<std::string>& classes);

}  // namespace hone
