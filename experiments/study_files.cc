#include "experiments/study_files.h"

#include <unistd.h>

#include "space/base/error.h"

namespace hone {
namespace {

void MakeFolder(const std::filesystem::path& folder) {
  std::error_code status;
  std::filesystem::create_directories(folder, status);
  if (status) {
    throw Error(
        ErrorCode::kResource,
        folder.string() + ": the folder cannot be made: " + status.message());
  }
}

}  // namespace

std::filesystem::path DefaultStudyPath(const SearchSpec& spec) {
  return std::filesystem::path("studies") / (spec.study.name + ".db");
}

std::filesystem::path LockPath(const std::filesystem::path& study) {
  return study.string() + ".lock";
}

std::filesystem::path ArtifactsPath(const std::filesystem::path& study) {
  std::filesystem::path path = study;
  return path.replace_extension(".artifacts");
}

std::filesystem::path MachineLockFolder() {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() /
                                       ("hone-" + std::to_string(geteuid()));
  MakeFolder(folder);
  return folder;
}

void MakeParentFolder(const std::filesystem::path& file) {
  if (file.has_parent_path()) MakeFolder(file.parent_path());
}

}  // namespace hone
