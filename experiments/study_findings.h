#pragma once

#include <filesystem>

#include "experiments/study_report.h"
#include "experiments/study_view.h"

namespace hone {

// A study that was read from `path`, as it is compared.
ComparedStudy Compared(const std::filesystem::path& path, StudyView study);

// Of a study at `path`: its gain over those of its controls that lie beside it
// (ControlPath), are of the same spec and have a front, and how well its
// latencies could be told.
StudyFindings FindingsOf(const std::filesystem::path& path,
                         const StudyView& study);

}  // namespace hone
