#include "search/sqlite_trial_store.h"

#include <algorithm>
#include <type_traits>

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include "search/pareto.h"
#include "search/sqlite_rows.h"
#include "search/sqlite_schema.h"
#include "space/base/error.h"
#include "space/base/hash.h"

namespace hone {
namespace {

constexpr int kFirstSafeWal = 3'051'003;  // older ones can corrupt a WAL file
constexpr int kBusyMilliseconds = 30'000;

bool WalIsSafe() { return sqlite3_libversion_number() >= kFirstSafeWal; }

[[noreturn]] void Rethrow(const std::filesystem::path& path,
                          const SQLite::Exception& error) {
  const std::string what = path.string() + ": " + error.what();
  switch (error.getErrorCode() & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_MISMATCH:
    case SQLITE_CONSTRAINT:
    case SQLITE_ERROR:
      throw Error(ErrorCode::kIntegrity,
                  what + "; the study file is damaged, restore a copy");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw Error(ErrorCode::kLocked, what);
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_NOMEM:
      throw Error(ErrorCode::kResource, what);
    default:
      throw Error(ErrorCode::kInternal, what);
  }
}

std::string RowHash(const StudyInfo& info) {
  Json objectives = Json::array();
  for (const Objective& objective : info.objectives) {
    objectives.push_back({objective.metric, Name(objective.direction)});
  }
  Json constraints = Json::array();
  for (const Constraint& constraint : info.constraints) {
    constraints.push_back(
        {constraint.metric, constraint.at_most, BitsOf(constraint.bound)});
  }
  return Sha256(CanonicalJson({info.name, info.spec, info.spec_hash, info.seed,
                               objectives, constraints, info.program_version}));
}

// What the study's row says of all trials: how many, and a hash over theirs.
struct Head {
  std::int64_t trials = 0;
  std::string chain;

  void Add(const std::string& row_hash) {
    ++trials;
    chain = Sha256(chain + "\n" + row_hash);
  }
  bool operator==(const Head&) const = default;
};

// Empty for a trial that may not be on the front.
std::optional<Score> ScoreOf(const Trial& trial, const StudyInfo& info) {
  const std::vector<double> values =
      FeasibleValues(trial, info.objectives, info.constraints);
  if (values.empty()) return std::nullopt;
  Score score{};
  std::copy(values.begin(), values.end(), score.begin());
  return score;
}

int OpenFlags(const std::filesystem::path& path, SqliteTrialStore::Mode mode) {
  if (mode == SqliteTrialStore::Mode::kWrite) {
    return SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE;
  }
  if (!std::filesystem::is_regular_file(path)) {
    throw Error(ErrorCode::kNotFound, path.string() + ": no such study");
  }
  // A reader that may write can roll back the journal of a killed writer.
  const auto permissions = std::filesystem::status(path).permissions();
  const bool writable = (permissions & std::filesystem::perms::owner_write) !=
                        std::filesystem::perms::none;
  return writable ? SQLite::OPEN_READWRITE : SQLite::OPEN_READONLY;
}

}  // namespace

class SqliteTrialStore::Impl {
 public:
  Impl(const std::filesystem::path& path, Mode mode)
      : path_(path), database_(Open(path, mode)) {
    Guard([&] { Prepare(mode); });
  }

  // Runs work and turns the library's errors into ours.
  template <typename Work>
  std::invoke_result_t<Work> Guard(Work work) const {
    try {
      return work();
    } catch (const SQLite::Exception& error) {
      Rethrow(path_, error);
    } catch (const Json::exception& error) {
      Damaged(error.what());
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kUsage) throw;
      Damaged(error.what());  // stored text that our own readers refuse
    }
  }

  void CreateStudy(const StudyInfo& info) {
    HONE_CHECK(!info.objectives.empty());
    HONE_CHECK_LE(info.objectives.size(), kMaxObjectives);
    SQLite::Transaction transaction(database_,
                                    SQLite::TransactionBehavior::IMMEDIATE);
    SQLite::Statement study(
        database_, "INSERT INTO study VALUES (1, ?, ?, ?, ?, ?, ?, 0, '')");
    study.bind(1, info.name);
    study.bind(2, CanonicalJson(info.spec));
    study.bind(3, info.spec_hash);
    study.bind(4, std::to_string(info.seed));
    study.bind(5, info.program_version);
    study.bind(6, RowHash(info));
    study.exec();
    for (std::size_t i = 0; i < info.objectives.size(); ++i) {
      SQLite::Statement row(database_,
                            "INSERT INTO objective VALUES (?, ?, ?)");
      row.bind(1, static_cast<std::int64_t>(i));
      row.bind(2, info.objectives[i].metric);
      row.bind(3, std::string(Name(info.objectives[i].direction)));
      row.exec();
    }
    for (std::size_t i = 0; i < info.constraints.size(); ++i) {
      SQLite::Statement row(database_,
                            "INSERT INTO study_constraint VALUES (?, ?, ?, ?)");
      row.bind(1, static_cast<std::int64_t>(i));
      row.bind(2, info.constraints[i].metric);
      row.bind(3, info.constraints[i].at_most ? "<=" : ">=");
      row.bind(4, info.constraints[i].bound);
      row.exec();
    }
    transaction.commit();
    info_ = info;
  }

  std::optional<StudyInfo> LoadStudy() const {
    SQLite::Statement study(database_, "SELECT * FROM study");
    if (!study.executeStep()) return std::nullopt;
    StudyInfo info;
    info.name = study.getColumn("name").getString();
    info.spec = ParseJson(study.getColumn("spec").getString(), "study.spec");
    info.spec_hash = study.getColumn("spec_hash").getString();
    info.seed = ParseSeed(study.getColumn("seed").getString());
    info.program_version = study.getColumn("program_version").getString();
    SQLite::Statement objective(
        database_, "SELECT metric, direction FROM objective ORDER BY position");
    while (objective.executeStep()) {
      info.objectives.push_back(
          {objective.getColumn(0).getString(),
           objective.getColumn(1).getString() == "maximize"
               ? Direction::kMaximize
               : Direction::kMinimize});
    }
    SQLite::Statement constraint(database_,
                                 "SELECT metric, comparison, bound FROM "
                                 "study_constraint ORDER BY position");
    while (constraint.executeStep()) {
      info.constraints.push_back({constraint.getColumn(0).getString(),
                                  constraint.getColumn(1).getString() == "<=",
                                  constraint.getColumn(2).getDouble()});
    }
    if (study.getColumn("row_hash").getString() != RowHash(info)) {
      Damaged("the study's row does not match its hash");
    }
    return info;
  }

  void UpdateSpec(const Json& spec) {
    std::optional<StudyInfo> info = LoadStudy();
    HONE_CHECK(info.has_value());
    info->spec = spec;
    SQLite::Transaction transaction(database_,
                                    SQLite::TransactionBehavior::IMMEDIATE);
    SQLite::Statement update(database_,
                             "UPDATE study SET spec = ?, row_hash = ?");
    update.bind(1, CanonicalJson(spec));
    update.bind(2, RowHash(*info));
    update.exec();
    transaction.commit();
    info_ = std::move(info);
  }

  void Append(const std::vector<Trial>& trials) {
    if (!info_) info_ = LoadStudy();
    HONE_CHECK(info_.has_value());
    SQLite::Transaction transaction(database_,
                                    SQLite::TransactionBehavior::IMMEDIATE);
    Head head = ReadHead();
    for (const Trial& trial : trials) {
      HONE_CHECK_EQ(trial.number, head.trials);
      const RowTexts texts(trial);
      const std::int64_t id = InsertTrialRows(statements_, trial, texts);
      if (const auto score = ScoreOf(trial, *info_)) {
        InsertScore(statements_, id, *score);
      }
      head.Add(texts.row_hash);
    }
    {
      Prepared update =
          statements_.Lend("UPDATE study SET trials = ?, chain = ?");
      update->bind(1, head.trials);
      update->bind(2, head.chain);
      update->exec();
    }
    transaction.commit();
  }

  std::vector<Trial> LoadTrials() const {
    const std::optional<StudyInfo> info = LoadStudy();
    std::vector<Trial> trials;
    if (!info) return trials;
    const SQLite::Transaction moment(database_);  // what head and rows are of
    const Head stored = ReadHead();
    Head found;
    Prepared row =
        statements_.Lend("SELECT * FROM trial WHERE study = 1 ORDER BY number");
    while (row->executeStep()) {
      trials.push_back(CheckedTrial(*row, *info));
      found.Add(row->getColumn("row_hash").getString());
    }
    CheckHead(found, stored);
    return trials;
  }

  std::vector<Trial> LoadTrials(
      const std::vector<std::int64_t>& numbers) const {
    const std::optional<StudyInfo> info = LoadStudy();
    HONE_CHECK(info.has_value());
    const SQLite::Transaction moment(database_);
    const Head stored = ReadHead();
    Head found;
    Prepared hash = statements_.Lend(
        "SELECT row_hash FROM trial WHERE study = 1 ORDER BY number");
    while (hash->executeStep()) found.Add(hash->getColumn(0).getString());
    CheckHead(found, stored);
    std::vector<Trial> trials;
    for (const std::int64_t number : numbers) {
      Prepared row = statements_.Lend(
          "SELECT * FROM trial WHERE study = 1 AND number = ?");
      row->bind(1, number);
      if (!row->executeStep()) {
        Damaged("there is no trial " + std::to_string(number));
      }
      trials.push_back(CheckedTrial(*row, *info));
    }
    return trials;
  }

  std::int64_t CountTrials() const { return ReadHead().trials; }

  std::vector<std::int64_t> FrontNumbers() const {
    std::vector<std::int64_t> numbers;
    std::vector<Point> points;
    Prepared row = statements_.Lend(
        "SELECT t.number, s1, s2, s3, s4 FROM trial t JOIN score "
        "ON score.trial = t.id WHERE t.study = 1 ORDER BY t.number");
    while (row->executeStep()) {
      numbers.push_back(row->getColumn(0).getInt64());
      const Score score = ReadScore(*row, 1);
      points.emplace_back(score.begin(), score.end());
    }
    std::vector<std::int64_t> front;
    for (const std::size_t place : ParetoFront(points)) {
      front.push_back(numbers[place]);
    }
    return front;
  }

  std::vector<std::int64_t> NumbersWhere(const TrialFilter& filter) const {
    const TrialFilter::Sql sql = filter.ToSql();
    SQLite::Statement query(database_, "SELECT t.number FROM trial t WHERE " +
                                           sql.condition +
                                           " ORDER BY t.number");
    for (std::size_t i = 0; i < sql.parameters.size(); ++i) {
      const int place = static_cast<int>(i) + 1;
      if (const auto* word = std::get_if<std::string>(&sql.parameters[i])) {
        query.bind(place, *word);
      } else {
        query.bind(place, std::get<double>(sql.parameters[i]));
      }
    }
    return Numbers(query);
  }

  std::vector<std::string> StructuralDefects() const {
    std::vector<std::string> defects;
    SQLite::Statement check(database_, "PRAGMA integrity_check");
    while (check.executeStep()) {
      const std::string line = check.getColumn(0).getString();
      if (line != "ok") defects.push_back(line);
    }
    SQLite::Statement foreign(database_, "PRAGMA foreign_key_check");
    while (foreign.executeStep()) {
      defects.push_back("table " + foreign.getColumn(0).getString() +
                        " refers to a row that is not there");
    }
    return defects;
  }

 private:
  static SQLite::Database Open(const std::filesystem::path& path, Mode mode) {
    try {
      return SQLite::Database(path.string(), OpenFlags(path, mode),
                              kBusyMilliseconds);
    } catch (const SQLite::Exception& error) {
      Rethrow(path, error);
    }
  }

  [[noreturn]] void Damaged(const std::string& what) const {
    throw Error(ErrorCode::kIntegrity,
                path_.string() + ": " + what +
                    "; the study file is damaged, restore a copy");
  }

  int Pragma(const std::string& name) const {
    return database_.execAndGet("PRAGMA " + name).getInt();
  }

  void Prepare(Mode mode) {
    database_.exec("PRAGMA trusted_schema = OFF");
    database_.exec("PRAGMA foreign_keys = ON");
    database_.exec("PRAGMA cell_size_check = ON");
    const bool fresh =
        database_.execAndGet("SELECT count(*) FROM sqlite_master").getInt() ==
        0;
    if (mode == Mode::kWrite) {
      database_.exec(WalIsSafe() ? "PRAGMA journal_mode = WAL"
                                 : "PRAGMA journal_mode = TRUNCATE");
      database_.exec("PRAGMA synchronous = FULL");
      if (fresh && Pragma("application_id") == 0) MakeSchema();
    } else {
      database_.exec("PRAGMA query_only = ON");
    }
    if (Pragma("application_id") != kSqliteApplicationId) {
      throw Error(ErrorCode::kIntegrity,
                  path_.string() + ": not a study of this program");
    }
    const int version = Pragma("user_version");
    if (version != kSqliteSchemaVersion) {
      throw Error(ErrorCode::kIntegrity,
                  path_.string() + ": schema version " +
                      std::to_string(version) + "; this program reads " +
                      std::to_string(kSqliteSchemaVersion) +
                      (version > kSqliteSchemaVersion ? ", upgrade it" : ""));
    }
  }

  void MakeSchema() {
    SQLite::Transaction transaction(database_,
                                    SQLite::TransactionBehavior::IMMEDIATE);
    database_.exec(kSqliteSchema);
    database_.exec("PRAGMA application_id = " +
                   std::to_string(kSqliteApplicationId));
    database_.exec("PRAGMA user_version = " +
                   std::to_string(kSqliteSchemaVersion));
    transaction.commit();
  }

  Head ReadHead() const {
    Prepared head = statements_.Lend("SELECT trials, chain FROM study");
    HONE_CHECK(head->executeStep());
    return {head->getColumn(0).getInt64(), head->getColumn(1).getString()};
  }

  void CheckHead(const Head& found, const Head& stored) const {
    if (found != stored) Damaged("trials are missing or out of order");
  }

  // The trial of a row, when it matches its hashes and its score.
  Trial CheckedTrial(SQLite::Statement& row, const StudyInfo& info) const {
    Trial trial = ReadTrialRows(statements_, row);
    const RowTexts texts(trial);
    if (row.getColumn("row_hash").getString() != texts.row_hash ||
        row.getColumn("architecture_hash").getString() !=
            texts.architecture_hash) {
      Damaged("trial " + std::to_string(trial.number) +
              " does not match its hash");
    }
    CheckScore(row.getColumn("id").getInt64(), trial, info);
    return trial;
  }

  void CheckScore(std::int64_t id, const Trial& trial,
                  const StudyInfo& info) const {
    std::optional<Score> stored;
    ForEachRow(statements_, "SELECT s1, s2, s3, s4 FROM score WHERE trial=?",
               id, [&](SQLite::Statement& row) { stored = ReadScore(row, 0); });
    if (stored != ScoreOf(trial, info)) {
      Damaged("the score of trial " + std::to_string(trial.number) +
              " does not match its metrics");
    }
  }

  static std::vector<std::int64_t> Numbers(SQLite::Statement& query) {
    std::vector<std::int64_t> numbers;
    while (query.executeStep()) {
      numbers.push_back(query.getColumn(0).getInt64());
    }
    return numbers;
  }

  std::filesystem::path path_;
  mutable SQLite::Database database_;
  mutable Statements statements_{database_};
  std::optional<StudyInfo> info_;
};

SqliteTrialStore::SqliteTrialStore(const std::filesystem::path& path, Mode mode)
    : impl_(std::make_unique<Impl>(path, mode)) {}

SqliteTrialStore::~SqliteTrialStore() = default;

void SqliteTrialStore::CreateStudy(const StudyInfo& info) {
  impl_->Guard([&] { impl_->CreateStudy(info); });
}

std::optional<StudyInfo> SqliteTrialStore::LoadStudy() const {
  return impl_->Guard([&] { return impl_->LoadStudy(); });
}

void SqliteTrialStore::UpdateSpec(const Json& spec) {
  impl_->Guard([&] { impl_->UpdateSpec(spec); });
}

void SqliteTrialStore::Append(const std::vector<Trial>& trials) {
  impl_->Guard([&] { impl_->Append(trials); });
}

std::vector<Trial> SqliteTrialStore::LoadTrials() const {
  return impl_->Guard([&] { return impl_->LoadTrials(); });
}

std::vector<Trial> SqliteTrialStore::LoadTrials(
    const std::vector<std::int64_t>& numbers) const {
  return impl_->Guard([&] { return impl_->LoadTrials(numbers); });
}

std::int64_t SqliteTrialStore::CountTrials() const {
  return impl_->Guard([&] { return impl_->CountTrials(); });
}

std::vector<std::int64_t> SqliteTrialStore::FrontNumbers() const {
  return impl_->Guard([&] { return impl_->FrontNumbers(); });
}

std::vector<std::int64_t> SqliteTrialStore::NumbersWhere(
    const TrialFilter& filter) const {
  return impl_->Guard([&] { return impl_->NumbersWhere(filter); });
}

std::vector<std::string> SqliteTrialStore::StructuralDefects() const {
  return impl_->Guard([&] { return impl_->StructuralDefects(); });
}

std::vector<std::string> CheckStudyFile(const std::filesystem::path& path) {
  try {
    const SqliteTrialStore store(path, SqliteTrialStore::Mode::kRead);
    std::vector<std::string> defects = store.StructuralDefects();
    if (!defects.empty()) return defects;
    if (!store.LoadStudy()) return {"no study was begun in it"};
    store.LoadTrials();
    return {};
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kNotFound) throw;
    return {error.what()};
  }
}

std::string SqliteDescription() {
  return std::string(sqlite3_libversion()) + ", journal " +
         (WalIsSafe() ? "WAL" : "TRUNCATE");
}

}  // namespace hone
