#include <cstdlib>

#include <gtest/gtest.h>

#include "search/sqlite_trial_store.h"
#include "space/base/file.h"

namespace hone {
namespace {

// A study file for each released schema version, which every later program must
// still read: made by `hone search experiments/specs/simulated.toml` with 12
// trials.
TEST(GoldenStudy, Version2IsRead) {
  const char* source = std::getenv("HONE_SOURCE_DIR");
  ASSERT_NE(source, nullptr);
  const ScratchFolder folder;
  WriteFileAtomic(folder / "study.db",
                  ReadFile(std::filesystem::path(source) /
                           "tests/search/golden/study_v2.db"));
  const SqliteTrialStore store(folder / "study.db",
                               SqliteTrialStore::Mode::kRead);
  const auto info = store.LoadStudy();
  ASSERT_TRUE(info);
  EXPECT_EQ(info->name, "simulated");
  EXPECT_EQ(StudyDigest(info->spec_hash, store.LoadTrials()),
            "1b8514c9cf36fd14bda7ea98ef2dd9c496c91cd904531133ddd4f3301508bc37");
  EXPECT_EQ(store.FrontNumbers(),
            (std::vector<std::int64_t>{0, 1, 2, 3, 6, 8, 9, 11}));
  EXPECT_TRUE(CheckStudyFile(folder / "study.db").empty());
}

}  // namespace
}  // namespace hone
