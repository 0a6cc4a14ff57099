#include "train/data/class_folders.h"

#include <algorithm>

#include "space/base/error.h"
#include "train/data/utf8.h"

namespace hone {
namespace {

[[noreturn]] void Refuse(const std::filesystem::path& path,
                         const std::string& what) {
  throw Error(ErrorCode::kUsage, path.string() + ": " + what);
}

// What is in `folder` and not hidden, sorted.
std::vector<std::filesystem::path> Entries(
    const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> entries;
  try {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      if (!name.starts_with('.')) entries.push_back(entry.path());
    }
  } catch (const std::filesystem::filesystem_error& error) {
    throw Error(ErrorCode::kResource, folder.string() + ": cannot be read: " +
                                          error.code().message());
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return a.native() < b.native();
  });
  return entries;
}

std::string LowerExtension(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return extension;
}

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words)
    text += (text.empty() ? "" : ", ") + word;
  return text;
}

}  // namespace

std::vector<LabelledFile> ListClassFolders(
    const std::filesystem::path& folder,
    const std::vector<std::string>& extensions) {
  std::error_code status;
  if (!std::filesystem::is_directory(folder, status)) {
    throw Error(ErrorCode::kNotFound, folder.string() + ": no such folder");
  }
  const std::string wanted = Joined(extensions);
  std::vector<LabelledFile> files;
  const std::vector<std::filesystem::path> classes = Entries(folder);
  for (const std::filesystem::path& of_class : classes) {
    const std::string label = of_class.filename().string();
    if (!IsUtf8(label)) Refuse(of_class, "the name is not valid UTF-8");
    if (!std::filesystem::is_directory(of_class, status)) {
      Refuse(of_class,
             "not a folder; each class has a folder here, and its "
             "files are in there");
    }
    const std::size_t before = files.size();
    for (const std::filesystem::path& path : Entries(of_class)) {
      if (!std::filesystem::is_regular_file(path, status) ||
          std::find(extensions.begin(), extensions.end(),
                    LowerExtension(path)) == extensions.end()) {
        Refuse(path, "a folder of a class may hold only files of " + wanted);
      }
      files.push_back({path, label});
    }
    if (files.size() == before) Refuse(of_class, "holds no file of " + wanted);
  }
  if (classes.size() < 2) {
    Refuse(folder, std::to_string(classes.size()) +
                       " folders of classes; at least two are needed");
  }
  return files;
}

}  // namespace hone
