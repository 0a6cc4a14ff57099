#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include <SQLiteCpp/SQLiteCpp.h>

#include "search/trial.h"

namespace hone {

// How a trial lies in the tables of search/sqlite_schema.h. Part of the SQLite
// store and of nothing else; transactions and hashes are the caller's.

inline constexpr std::size_t kMaxObjectives = 4;
// Objective values, maximised ones negated, unused places 0.
using Score = std::array<double, kMaxObjectives>;

// A prepared statement on loan: when that ends, so do its locks and bindings.
class Prepared {
 public:
  explicit Prepared(SQLite::Statement& statement) : statement_(statement) {}
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;
  ~Prepared() {
    statement_.tryReset();
    statement_.clearBindings();
  }
  SQLite::Statement* operator->() { return &statement_; }
  SQLite::Statement& operator*() { return statement_; }

 private:
  SQLite::Statement& statement_;
};

// The statements of a database, each prepared once: that takes longer than most
// of them run.
class Statements {
 public:
  // `database` must outlive it.
  explicit Statements(SQLite::Database& database) : database_(database) {}

  // One loan of the same text at a time.
  Prepared Lend(const std::string& sql) {
    return Prepared(statements_.try_emplace(sql, database_, sql).first->second);
  }
  std::int64_t LastInsertedId() const { return database_.getLastInsertRowid(); }

 private:
  SQLite::Database& database_;
  std::map<std::string, SQLite::Statement> statements_;
};

// What a row of `trial` says of the trial's architecture and of all of it.
struct RowTexts {
  explicit RowTexts(const Trial& trial);
  std::string architecture;
  std::string architecture_hash;
  std::string row_hash;
};

// Writes the trial and all that belongs to it. Returns the row's id.
std::int64_t InsertTrialRows(Statements& statements, const Trial& trial,
                             const RowTexts& texts);
void InsertScore(Statements& statements, std::int64_t id, const Score& score);
// From four columns of a row, the first of which is `column`.
Score ReadScore(SQLite::Statement& row, int column);

// The trial of a row of `SELECT * FROM trial`.
Trial ReadTrialRows(Statements& statements, SQLite::Statement& row);

// Throws Error{kIntegrity} unless the text is an unsigned 64-bit number.
std::uint64_t ParseSeed(const std::string& text);

// Calls read(row) for each row of `sql`, whose one parameter is `id`.
template <typename Read>
void ForEachRow(Statements& statements, const std::string& sql, std::int64_t id,
                Read read) {
  Prepared query = statements.Lend(sql);
  query->bind(1, id);
  while (query->executeStep()) read(*query);
}

}  // namespace hone
