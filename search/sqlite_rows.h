#pragma once

#include <array>
#include <cstdint>
#include <string>

#include <SQLiteCpp/SQLiteCpp.h>

#include "search/trial.h"

namespace hone {

// How a trial lies in the tables of search/sqlite_schema.h. Part of the SQLite
// store and of nothing else; transactions and hashes are the caller's.

inline constexpr std::size_t kMaxObjectives = 4;
// Objective values, maximised ones negated, unused places 0.
using Score = std::array<double, kMaxObjectives>;

// Writes the trial and all that belongs to it. Returns the row's id.
std::int64_t InsertTrialRows(SQLite::Database& database, const Trial& trial,
                             const std::string& row_hash);
void InsertScore(SQLite::Database& database, std::int64_t id,
                 const Score& score);

// The trial of a row of `SELECT * FROM trial`.
Trial ReadTrialRows(SQLite::Database& database, SQLite::Statement& row);

// Throws Error{kIntegrity} unless the text is an unsigned 64-bit number.
std::uint64_t ParseSeed(const std::string& text);

// Calls read(row) for each row of `sql`, whose one parameter is `id`.
template <typename Read>
void ForEachRow(SQLite::Database& database, const std::string& sql,
                std::int64_t id, Read read) {
  SQLite::Statement query(database, sql);
  query.bind(1, id);
  while (query.executeStep()) read(query);
}

}  // namespace hone
