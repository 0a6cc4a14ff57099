#include "search/sqlite_trial_store.h"

#include <gtest/gtest.h>

#include "search/pareto.h"
#include "space/base/file.h"
#include "tests/search/fixtures.h"

namespace hone {
namespace {

using Mode = SqliteTrialStore::Mode;

// Values on a coarse grid, so that ties and equal points occur; some trials
// fail, and some break a constraint.
Trial GridTrial(std::int64_t number, Rng& rng) {
  Trial trial;
  trial.number = number;
  trial.architecture = {{32}, {{MultiHead(2), {64}, Precision::kF32}}};
  if (rng.Bernoulli(0.1)) {
    trial.outcome = Failure{"diverged", "x"};
    return trial;
  }
  Measurement measurement;
  for (const char* name : {"accuracy", "latency_ms", "file_bytes"}) {
    measurement.metrics[name] = {
        static_cast<double>(rng.Below(7)), "1", {}, {}};
  }
  trial.outcome = measurement;
  return trial;
}

TEST(ParetoFrontView, EqualsBruteForce) {
  for (int i = 0; i < 30; ++i) {
    const ScratchFolder folder;
    Rng rng(1, i, "view");
    StudyInfo info = TestInfo(1);
    if (rng.Bernoulli(0.5)) {
      info.objectives.push_back({"file_bytes", Direction::kMinimize});
    }
    if (rng.Bernoulli(0.5)) {
      info.constraints = {ParseConstraint("latency_ms <= 4")};
    }
    SqliteTrialStore store(folder / "s.db", Mode::kWrite);
    store.CreateStudy(info);
    std::vector<Point> points;
    std::vector<std::int64_t> numbers;
    for (std::int64_t number = 0; number < 25; ++number) {
      const Trial trial = GridTrial(number, rng);
      store.Append({trial});
      if (trial.state() == TrialState::kComplete &&
          Violation(trial, info.constraints) == 0) {
        points.push_back(MinimizedValues(trial, info.objectives));
        numbers.push_back(number);
      }
    }
    std::vector<std::int64_t> expected;
    for (const std::size_t index : ParetoFront(points)) {
      expected.push_back(numbers[index]);
    }
    EXPECT_EQ(store.FrontNumbers(), expected);
  }
}

TEST(SqliteTrialStore, ReadsWhileAnotherWrites) {
  const ScratchFolder folder;
  SqliteTrialStore writer(folder / "s.db", Mode::kWrite);
  RunTestStudy(writer, "random", 8);
  const SqliteTrialStore reader(folder / "s.db", Mode::kRead);
  EXPECT_EQ(reader.LoadTrials().size(), 8u);
  RunTestStudy(writer, "random", 16);
  EXPECT_EQ(reader.LoadTrials().size(), 16u);
}

void ExpectRefused(const std::filesystem::path& path, ErrorCode code,
                   const std::string& message) {
  for (const Mode mode : {Mode::kRead, Mode::kWrite}) {
    if (mode == Mode::kWrite && code == ErrorCode::kNotFound) continue;
    try {
      SqliteTrialStore store(path, mode);
      FAIL() << message;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos)
          << error.what();
    }
  }
}

TEST(SqliteTrialStore, RefusesWhatIsNoStudy) {
  const ScratchFolder folder;
  ExpectRefused(folder / "none.db", ErrorCode::kNotFound, "no such study");
  WriteFileAtomic(folder / "text.db", std::string(5000, 'x'));
  ExpectRefused(folder / "text.db", ErrorCode::kIntegrity, "not a database");
  SqliteTrialStore(folder / "newer.db", Mode::kWrite);
  std::string bytes = ReadFile(folder / "newer.db");
  bytes[63] = 9;  // user_version, big endian at 60
  WriteFileAtomic(folder / "newer.db", bytes);
  ExpectRefused(folder / "newer.db", ErrorCode::kIntegrity, "schema version 9");
  bytes[71] = 0;  // application_id, big endian at 68
  WriteFileAtomic(folder / "foreign.db", bytes);
  ExpectRefused(folder / "foreign.db", ErrorCode::kIntegrity,
                "not a study of this program");
}

TEST(SqliteTrialStore, EveryTruncationIsNoticed) {
  const ScratchFolder folder;
  {
    SqliteTrialStore store(folder / "s.db", Mode::kWrite);
    RunTestStudy(store, "nsga2", 16);
  }
  const std::string whole = ReadFile(folder / "s.db");
  for (std::size_t part = 1; part < 32; ++part) {
    WriteFileAtomic(folder / "t.db", whole.substr(0, whole.size() * part / 32));
    EXPECT_FALSE(CheckStudyFile(folder / "t.db").empty()) << part;
  }
  EXPECT_TRUE(CheckStudyFile(folder / "s.db").empty());
}

// A flipped bit may be harmless (unused space), but never changes what is read.
TEST(SqliteTrialStore, NoBitFlipIsSilentlyWrong) {
  const ScratchFolder folder;
  std::vector<Trial> trials;
  std::vector<std::int64_t> front;
  {
    SqliteTrialStore store(folder / "s.db", Mode::kWrite);
    RunTestStudy(store, "nsga2", 16);
    trials = store.LoadTrials();
    front = store.FrontNumbers();
  }
  const std::string whole = ReadFile(folder / "s.db");
  int noticed = 0;
  for (int i = 0; i < 600; ++i) {
    Rng rng(2, i, "flip");
    std::string bytes = whole;
    const std::size_t at = rng.Below(bytes.size());
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng.Below(8)));
    WriteFileAtomic(folder / "t.db", bytes);
    try {
      const SqliteTrialStore store(folder / "t.db", Mode::kRead);
      EXPECT_EQ(store.LoadTrials(), trials) << at;
    } catch (const Error&) {
      ++noticed;
    }
  }
  EXPECT_GT(noticed, 50);
}

}  // namespace
}  // namespace hone
