#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace hone {

struct LabelledFile {
  std::filesystem::path path;
  std::string label;
};

// The files of a folder that has a folder for each class, whose name is the
// label: sorted by label and then by file name, as bytes. `extensions`, such as
// ".png", are compared without case. Names that begin with a dot are ignored;
// links are followed.
// Throws: Error{kUsage} naming what stands where it should not: a file beside
// the class folders, a folder or a file of another extension in one of them, a
// class without files, a label that is not UTF-8, fewer than two classes;
// Error{kNotFound} naming the folder.
std::vector<LabelledFile> ListClassFolders(
    const std::filesystem::path& folder,
    const std::vector<std::string>& extensions);

}  // namespace hone
