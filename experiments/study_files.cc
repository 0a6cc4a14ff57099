#include "experiments/study_files.h"

#include <algorithm>

#include <sched.h>

#include "space/base/error.h"
#include "space/base/hash.h"

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

std::filesystem::path ControlPath(const std::filesystem::path& study,
                                  const std::string& algorithm) {
  std::filesystem::path path = study;
  path.replace_filename(study.stem().string() + "-" + algorithm +
                        study.extension().string());
  return path;
}

std::filesystem::path CheckedPath(const Artifact& file,
                                  const std::filesystem::path& artifacts) {
  if (file.path.empty()) {
    throw Error(ErrorCode::kNotFound,
                file.role +
                    " was measured and not kept: the trial is a part of the "
                    "supernet; 'hone train SPEC --from-supernet --architecture "
                    "FILE' trains such a part on and writes it");
  }
  std::filesystem::path path = artifacts / file.path;
  if (Sha256File(path) == file.sha256) return path;
  throw Error(ErrorCode::kIntegrity,
              path.string() +
                  ": does not match the hash in the study; 'hone rerun' makes "
                  "it again");
}

void LinkFolder(const std::filesystem::path& folder,
                const std::filesystem::path& link) {
  if (std::filesystem::exists(link)) return;
  MakeFolder(folder);
  std::error_code status;
  std::filesystem::create_directory_symlink(folder.filename(), link, status);
  if (status) {
    throw Error(ErrorCode::kResource,
                link.string() + ": cannot be made a link to " +
                    folder.string() + ": " + status.message());
  }
}

int DefaultWorkers() {
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof cores, &cores) != 0) return 1;
  return std::max(1, CPU_COUNT(&cores));
}

void MakeParentFolder(const std::filesystem::path& file) {
  if (file.has_parent_path()) MakeFolder(file.parent_path());
}

}  // namespace hone
