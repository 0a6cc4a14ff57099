#include "train/data/class_folders.h"

#include <fstream>

#include <gtest/gtest.h>

#include "space/base/file.h"
#include "tests/train_data/expect_error.h"

namespace hone {
namespace {

class Classes {
 public:
  Classes() {
    for (const char* name :
         {"b/2.png", "b/10.PNG", "a/z.jpg", ".git/x", "a/.hidden"}) {
      Touch(name);
    }
  }
  void Touch(const std::string& name) const {
    const std::filesystem::path path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << "x";
  }
  const std::filesystem::path& path() const { return folder_.path(); }
  std::vector<LabelledFile> List() const {
    return ListClassFolders(path(), {".png", ".jpg"});
  }

 private:
  ScratchFolder folder_;
};

TEST(ListClassFolders, SortsByLabelAndName) {
  const Classes classes;
  std::vector<std::string> found;
  for (const LabelledFile& file : classes.List()) {
    found.push_back(file.label + " " +
                    file.path.lexically_relative(classes.path()).string());
  }
  EXPECT_EQ(found,
            (std::vector<std::string>{"a a/z.jpg", "b b/10.PNG", "b b/2.png"}));
}

TEST(ListClassFolders, FollowsLinks) {
  const Classes classes;
  std::filesystem::create_directory_symlink("b", classes.path() / "c");
  std::filesystem::create_symlink("../b/2.png", classes.path() / "a" / "y.png");
  const auto files = classes.List();
  ASSERT_EQ(files.size(), 6u);
  EXPECT_EQ(files[0].path.filename(), "y.png");
  EXPECT_EQ(files[5].label, "c");
}

void ExpectRefused(const std::string& added, const std::string& message) {
  const Classes classes;
  classes.Touch(added);
  ExpectError(ErrorCode::kUsage, message, [&] { classes.List(); });
}

TEST(ListClassFolders, RefusesWhatIsNoExample) {
  ExpectRefused("top.png", "top.png: not a folder; each class has a folder");
  ExpectRefused("a/notes.txt",
                "a/notes.txt: a folder of a class may hold only files of .png, "
                ".jpg");
  ExpectRefused("a/deep/1.png", "a/deep: a folder of a class may hold only");
  ExpectRefused("empty/.keep", "empty: holds no file of .png, .jpg");
  ExpectRefused("caf\xE9/1.png", ": the name is not valid UTF-8");
  const Classes classes;
  std::filesystem::create_symlink("nowhere", classes.path() / "a" / "n.png");
  ExpectError(ErrorCode::kUsage, "n.png: a folder of a class may hold only",
              [&] { classes.List(); });
}

TEST(ListClassFolders, NeedsTwoClasses) {
  const Classes classes;
  std::filesystem::remove_all(classes.path() / "a");
  ExpectError(ErrorCode::kUsage, ": 1 folders of classes; at least two",
              [&] { classes.List(); });
  ExpectError(ErrorCode::kNotFound, "nowhere: no such folder",
              [] { ListClassFolders("nowhere", {".png"}); });
}

}  // namespace
}  // namespace hone
