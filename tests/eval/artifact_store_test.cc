#include "eval/artifact_store.h"

#include <gtest/gtest.h>

#include "space/base/error.h"
#include "space/base/file.h"
#include "space/base/hash.h"

namespace hone {
namespace {

const Json kInputs = {{"seed", 1}, {"steps", 10}};

TEST(ArtifactStore, FilesByInputs) {
  const ScratchFolder folder;
  const ArtifactStore store(folder.path());
  EXPECT_FALSE(store.Find("student", kInputs));
  const StageResult put =
      store.Put("student", kInputs, {{"a.bin", "one"}, {"b.bin", "two"}});
  const auto found = store.Find("student", kInputs);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->artifacts, put.artifacts);
  EXPECT_EQ(ReadFile(found->PathOf("b.bin")), "two");
  EXPECT_EQ(found->Get("a.bin").sha256, Sha256("one"));
  EXPECT_EQ(folder.path() / found->Get("a.bin").path, found->PathOf("a.bin"));
  EXPECT_THROW(found->Get("c.bin"), Error);
  EXPECT_FALSE(store.Find("teacher", kInputs));
  EXPECT_FALSE(store.Find("student", {{"seed", 2}, {"steps", 10}}));
}

TEST(ArtifactStore, DamagedStagesAreNotThere) {
  const ScratchFolder folder;
  const ArtifactStore store(folder.path());
  const StageResult put = store.Put("student", kInputs, {{"a.bin", "one"}});
  WriteFileAtomic(put.PathOf("a.bin"), "onf");
  EXPECT_FALSE(store.Find("student", kInputs));
  store.Put("student", kInputs, {{"a.bin", "one"}});
  EXPECT_TRUE(store.Find("student", kInputs));
  const std::string manifest = ReadFile(put.folder / "manifest.json");
  for (std::size_t size = 0; size + 2 < manifest.size(); size += 7) {
    WriteFileAtomic(put.folder / "manifest.json", manifest.substr(0, size));
    EXPECT_FALSE(store.Find("student", kInputs)) << size;
  }
  std::filesystem::remove(put.folder / "manifest.json");
  EXPECT_FALSE(store.Find("student", kInputs));
}

}  // namespace
}  // namespace hone
