#include "search/sqlite_trial_store.h"

#include <algorithm>
#include <type_traits>

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

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

std::string RowHash(const Trial& trial) {
  return Sha256(CanonicalJson(ToJson(trial)));
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

std::string Extended(const std::string& chain, const std::string& row_hash) {
  return Sha256(chain + "\n" + row_hash);
}

// Objective values of a trial that may be on the front, unused places 0.
std::optional<Score> ScoreOf(const Trial& trial, const StudyInfo& info) {
  if (!IsEligible(trial, info.constraints)) return std::nullopt;
  Score score{};
  const std::vector<double> values = MinimizedValues(trial, info.objectives);
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

  void Append(const Trial& trial) {
    if (!info_) info_ = LoadStudy();
    HONE_CHECK(info_.has_value());
    SQLite::Transaction transaction(database_,
                                    SQLite::TransactionBehavior::IMMEDIATE);
    SQLite::Statement head(database_, "SELECT trials, chain FROM study");
    HONE_CHECK(head.executeStep());
    HONE_CHECK_EQ(trial.number, head.getColumn(0).getInt64());
    const std::string row_hash = RowHash(trial);
    const std::string chain = Extended(head.getColumn(1).getString(), row_hash);
    head.reset();
    const std::int64_t id = InsertTrialRows(database_, trial, row_hash);
    if (const auto score = ScoreOf(trial, *info_)) {
      InsertScore(database_, id, *score);
    }
    SQLite::Statement update(database_,
                             "UPDATE study SET trials = trials + 1, chain = ?");
    update.bind(1, chain);
    update.exec();
    transaction.commit();
  }

  std::vector<Trial> LoadTrials() const {
    const std::optional<StudyInfo> info = LoadStudy();
    std::vector<Trial> trials;
    if (!info) return trials;
    SQLite::Statement head(database_, "SELECT trials, chain FROM study");
    HONE_CHECK(head.executeStep());
    std::string chain;
    SQLite::Statement row(database_, "SELECT * FROM trial ORDER BY number");
    while (row.executeStep()) {
      Trial trial = ReadTrialRows(database_, row);
      const std::string row_hash = RowHash(trial);
      if (row.getColumn("row_hash").getString() != row_hash ||
          row.getColumn("architecture_hash").getString() !=
              ArchitectureHash(trial.architecture)) {
        Damaged("trial " + std::to_string(trial.number) +
                " does not match its hash");
      }
      CheckScore(row.getColumn("id").getInt64(), trial, *info);
      chain = Extended(chain, row_hash);
      trials.push_back(std::move(trial));
    }
    if (head.getColumn(0).getInt64() !=
            static_cast<std::int64_t>(trials.size()) ||
        head.getColumn(1).getString() != chain) {
      Damaged("trials are missing or out of order");
    }
    return trials;
  }

  std::vector<std::int64_t> FrontNumbers() const {
    SQLite::Statement query(database_, "SELECT number FROM pareto_front");
    return Numbers(query);
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

  void CheckScore(std::int64_t id, const Trial& trial,
                  const StudyInfo& info) const {
    const auto expected = ScoreOf(trial, info);
    bool found = false;
    bool equal = true;
    ForEachRow(database_, "SELECT s1, s2, s3, s4 FROM score WHERE trial=?", id,
               [&](SQLite::Statement& row) {
                 found = true;
                 for (std::size_t i = 0; expected && i < kMaxObjectives; ++i) {
                   equal &= row.getColumn(static_cast<int>(i)).getDouble() ==
                            (*expected)[i];
                 }
               });
    if (found != expected.has_value() || !equal) {
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

void SqliteTrialStore::Append(const Trial& trial) {
  impl_->Guard([&] { impl_->Append(trial); });
}

std::vector<Trial> SqliteTrialStore::LoadTrials() const {
  return impl_->Guard([&] { return impl_->LoadTrials(); });
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
